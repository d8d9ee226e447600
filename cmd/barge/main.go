// Command barge releases machine-learning projects on Azure Databricks, from Dev through Test to Prod.
package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() { os.Exit(command()) }

// command is the whole command; the tests run it in process. The first signal asks it to end: it finishes or undoes
// the step that it is at. A second one ends it at once, with 128 and the signal's number, whatever it is at: also where
// it is the first process of a container, which a signal left to its default does not end.
func command() int {
	signals := make(chan os.Signal, 2)
	for _, s := range heeded() {
		signal.Notify(signals, s)
	}
	// A reader that goes away (the tee of a pipeline, which gets the same ^C) must not end a switch half-way.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	h := newHouse(os.Stdin, os.Stdout, os.Stderr)
	ended := make(chan int, 1)
	go func() { ended <- h.run(ctx, os.Args) }()
	for asked := false; ; asked = true {
		select {
		case code := <-ended:
			return code
		case s := <-signals:
			if asked {
				return 128 + number(s)
			}
			go func() { // whoever reads stderr may have stopped reading, and a second signal must not wait for that
				h.interrupted()
				interrupt()
			}()
		}
	}
}

// heeded are the signals that ask for an end. One that the process was started to ignore (nohup) stays ignored.
func heeded() []os.Signal {
	return slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
}

func number(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return int(n)
	}
	return 0
}
