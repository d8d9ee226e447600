//go:build !unix

package sandbox

import (
	"errors"
	"os"
	"os/exec"
)

var errNoUnix = errors.New("the sandbox needs Linux or macOS; on Windows run it in WSL")

var endings = []os.Signal{os.Interrupt}

func surviveClosedTerminal()             {}
func lock(string) (func(), error)        { return nil, errNoUnix }
func lockWaiting(string) (func(), error) { return nil, errNoUnix }
func startTime(int) (string, error)      { return "", errNoUnix }
func alive(int, string) bool             { return false }
func kill(int) error                     { return errNoUnix }
func terminate(int) error                { return errNoUnix }
func detach(*exec.Cmd)                   {}
func keepFromChildren(*os.File)          {}
