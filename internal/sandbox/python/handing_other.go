//go:build !unix

package python

import (
	"errors"
	"net"
	"os"
)

func socketPair() (*net.UnixConn, *os.File, error) { return nil, nil, errors.ErrUnsupported }

func hand(*net.UnixConn, *os.File) error { return errors.ErrUnsupported }
