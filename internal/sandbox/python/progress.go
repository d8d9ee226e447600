package python

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// steps tells what is being done: a line for each step, and on a terminal the time that it has taken so far.
type steps struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
}

func newSteps(w io.Writer) *steps {
	if w == nil {
		w = io.Discard
	}
	file, ok := w.(*os.File)
	return &steps{w: w, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

func (s *steps) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.w, "sandbox: "+format+"\n", args...)
}

// step does one thing under its name.
func (s *steps) step(name string, do func() error) error {
	if !s.terminal {
		s.say("%s", name)
		return do()
	}
	began, done, ended := time.Now(), make(chan struct{}), make(chan struct{})
	show := func(end string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprintf(s.w, "\rsandbox: %s (%s)%s", name, time.Since(began).Round(time.Second), end)
	}
	go func() {
		defer close(ended)
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for {
			show("")
			select {
			case <-second.C:
			case <-done:
				return
			}
		}
	}()
	err := do()
	close(done)
	<-ended
	show("\n")
	return err
}
