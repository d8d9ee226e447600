package artifacts

import (
	"strconv"
	"strings"
)

// lfsPointer is what git LFS keeps in git in place of a file: its digest and size.
type lfsPointer struct {
	digest string
	size   int64
}

// parsePointer reads a blob as a git LFS pointer; false when it is none.
func parsePointer(b []byte) (lfsPointer, bool) {
	const version = "version https://git-lfs.github.com/spec/v1\n"
	if len(b) > 1024 || !strings.HasPrefix(string(b), version) {
		return lfsPointer{}, false
	}
	var p lfsPointer
	for _, line := range strings.Split(string(b[len(version):]), "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "oid":
			p.digest = value
		case "size":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 {
				return lfsPointer{}, false
			}
			p.size = n
		}
	}
	return p, isHex(strings.TrimPrefix(p.digest, digestPrefix), 32)
}
