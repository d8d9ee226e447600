package jobs

import (
	"context"
	"slices"
	"sync"
)

// slots let a fixed number of executions go on at once, in the order in which they asked.
type slots struct {
	mu   sync.Mutex
	free int
	line []chan struct{}
}

// ask takes a place in the line; the channel is closed when its turn has come.
func (s *slots) ask() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	turn := make(chan struct{})
	if s.free > 0 {
		s.free--
		close(turn)
		return turn
	}
	s.line = append(s.line, turn)
	return turn
}

// wait returns nil at the turn's coming, to be followed by leave; when ctx ends first, the place is given up.
func (s *slots) wait(ctx context.Context, turn chan struct{}) error {
	select {
	case <-ctx.Done():
	case <-turn:
		if ctx.Err() == nil {
			return nil
		}
	}
	s.forgo(turn)
	return ctx.Err()
}

// forgo gives up a place, whether its turn has come or not.
func (s *slots) forgo(turn chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.line, turn); i >= 0 {
		s.line = slices.Delete(s.line, i, i+1)
		return
	}
	s.pass()
}

// leave gives the slot to the next in line.
func (s *slots) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass()
}

func (s *slots) pass() {
	if len(s.line) == 0 {
		s.free++
		return
	}
	close(s.line[0])
	s.line = s.line[1:]
}
