package sandbox

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"time"
)

// readyVariable names the descriptor on which a detached server reports: lines of progress, and at last readyLine.
const (
	readyVariable = "BARGE_SANDBOX_READY_FD"
	readyLine     = "\x00ready"
)

// folderWatch is how often a server looks whether its folder is still there.
const folderWatch = time.Second

// Serve runs a sandbox in the foreground until ctx ends, a signal asks for its end, Down does, its folder is removed, or
// nobody has used it for as long as idle says (0: however long). Then it stops all that it started.
func Serve(ctx context.Context, c Config, idle time.Duration) error {
	surviveClosedTerminal()
	ctx, stop := signal.NotifyContext(ctx, endings...)
	defer stop()
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	report, err := reporter()
	if err != nil {
		return err
	}
	if report != nil {
		defer report.Close()
		c.Progress = io.MultiWriter(c.Progress, report)
	}
	s, err := Start(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range s.Twins() {
		fmt.Fprintf(c.Progress, "workspace %s serves at %s\n", t.Name, t.URL)
	}
	if report != nil {
		fmt.Fprintln(report, readyLine)
		report.leave()
	}
	s.await(ctx, idle)
	stop() // a second signal kills
	if s.evicted() {
		fmt.Fprintf(c.Progress, "the folder %s was removed: the sandbox ends\n", s.config.Dir)
	}
	return s.Close()
}

func (s *Sandbox) await(ctx context.Context, idle time.Duration) {
	var tick <-chan time.Time
	if idle > 0 {
		ticker := time.NewTicker(max(idle/10, 10*time.Millisecond))
		defer ticker.Stop()
		tick = ticker.C
	}
	folder := time.NewTicker(folderWatch)
	defer folder.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.Stopped():
			return
		case <-folder.C:
			if s.evicted() {
				return
			}
		case <-tick:
			if s.idleFor() >= idle {
				return
			}
		}
	}
}

// pipe is the way to whoever started this process detached. Once left, what is written to it is dropped.
type pipe struct{ file *os.File }

func reporter() (*pipe, error) {
	text := os.Getenv(readyVariable)
	if text == "" {
		return nil, nil //nolint:nilnil // started by hand: nobody waits
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 3 {
		return nil, fmt.Errorf("reading %s: %q is no descriptor", readyVariable, text)
	}
	if err := os.Unsetenv(readyVariable); err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(n), "ready")
	keepFromChildren(f)
	return &pipe{f}, nil
}

// Write never fails: who waited may be gone, and that is no reason to stop.
func (p *pipe) Write(b []byte) (int, error) {
	if p.file != nil {
		_, _ = p.file.Write(b)
	}
	return len(b), nil
}

func (p *pipe) leave() {
	_ = p.file.Close()
	p.file = nil
}

// Close is leave for a server that never came to serve.
func (p *pipe) Close() error {
	if p.file != nil {
		p.leave()
	}
	return nil
}
