package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var signalNames = map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}

// sendSignal is the verb: to everything that runs in the background.
func sendSignal(ts *testscript.TestScript, _ *bench, args []string) error {
	if len(args) != 1 || signalNames[args[0]] == nil {
		return errors.New("signal INT|TERM|HUP")
	}
	reached := false
	for _, c := range ts.BackgroundCmds() {
		err := c.Process.Signal(signalNames[args[0]])
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		reached = reached || err == nil
	}
	if !reached {
		return errors.New("nothing runs in the background")
	}
	return nil
}

// awaitText is the verb await: it waits until a text stands in a file, which a process in the background writes.
func awaitText(ts *testscript.TestScript, _ *bench, args []string) error {
	file, text := ts.MkAbs(args[0]), strings.Join(args[1:], " ")
	var b []byte
	for range 2000 {
		var err error
		if b, err = os.ReadFile(file); err == nil && strings.Contains(string(b), text) {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s says no %q:\n%s", args[0], text, b)
}
