package artifacts

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime is when a file's content or attributes last changed, whatever its modification time was set to.
func changeTime(info fs.FileInfo) (at time.Time, known bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(s.Ctim.Unix()), true
}
