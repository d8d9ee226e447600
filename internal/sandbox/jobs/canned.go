package jobs

import (
	"context"
	"slices"
	"sync"
)

// Canned is an Executor for tests: it runs nothing, answers from a func, and records what it was given.
// The zero value answers Success at once.
type Canned struct {
	// Answer is the outcome of an attempt; nil: Success.
	Answer func(Attempt) Outcome

	mu       sync.Mutex
	attempts []Attempt
	holds    map[string]chan struct{} // by notebook
	changed  chan struct{}
}

// Execute answers, after waiting for a Hold on the notebook to be released. When ctx ends first it answers Canceled.
func (c *Canned) Execute(ctx context.Context, a Attempt) Outcome {
	c.mu.Lock()
	kept := a
	kept.Say = nil // a func is nothing that could be compared
	c.attempts = append(c.attempts, kept)
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
	hold := c.holds[a.NotebookPath]
	c.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return Outcome{Result: Canceled}
		}
	}
	if c.Answer == nil {
		return Outcome{Result: Success}
	}
	return c.Answer(a)
}

// Hold makes attempts at a notebook wait until release is called, which may be called again.
func (c *Canned) Hold(notebook string) (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holds == nil {
		c.holds = map[string]chan struct{}{}
	}
	hold := make(chan struct{})
	c.holds[notebook] = hold
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.holds[notebook] == hold {
			delete(c.holds, notebook)
		}
		close(hold)
	})
}

// Attempts are those that have begun, in their order.
func (c *Canned) Attempts() []Attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.attempts)
}

// Begun waits until n attempts have begun, or returns ctx's error.
func (c *Canned) Begun(ctx context.Context, n int) error {
	for {
		c.mu.Lock()
		if len(c.attempts) >= n {
			c.mu.Unlock()
			return nil
		}
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
