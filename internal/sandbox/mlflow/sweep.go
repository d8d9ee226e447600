package mlflow

import (
	"net"
	"os"
	"path/filepath"
	"time"
)

// private is what the folders of sockets are called, below the system's temporary folder.
const private = "barge-mlflow-"

// starting is how long a socket may be there, or be going to be, before somebody answers on it.
const starting = 10 * time.Minute

// sweep removes the sockets' folders that servers left behind which were killed: old ones in which nobody listens.
func sweep(temp string) {
	dirs, err := filepath.Glob(filepath.Join(temp, private+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < starting {
			continue
		}
		sock := filepath.Join(dir, "s")
		if c, err := net.DialTimeout("unix", sock, time.Second); err == nil {
			_ = c.Close()
			continue
		}
		if info, err := os.Lstat(sock); err == nil && info.Mode()&os.ModeSocket != 0 {
			_ = os.Remove(sock)
		}
		_ = os.Remove(dir) // where there is anything else, it stays
	}
}
