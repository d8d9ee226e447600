//go:build unix

package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
)

// latecomers are two processes of which one stands aside at the wrong moment. What a switch has half done is no drift,
// and evidence that somebody else has written before a Live is not written again after it.
func (y *yard) latecomers(t *testing.T) {
	y.back(t, y.used)
	first, second := y.aside(t, promote, other, "/jobs/get", func(s sent) bool { return s.writes() && strings.HasSuffix(s.request, "/jobs/reset") })
	if first.code != 0 || second.code != 5 || strings.Contains(second.out, "has drifted") || reasonOf(second.out) == "" {
		t.Errorf("read what another one switched:\n%s\n%s", first, second)
	}
	y.back(t, y.used)
	first, second = y.aside(t, promote, promote, "", func(sent) bool { return false })
	if first.code != 0 || second.code != 0 {
		t.Errorf("wrote its evidence after the other one was live:\n%s\n%s", first, second)
	}
	for what, n := range y.stands(t).Beside {
		if strings.HasPrefix(what, "evidence test-model of 1.2.0") && n != 1 {
			t.Errorf("%d × %s", n, what)
		}
	}
}

// aside runs two commands. The second stands aside at its evidence, or, where a text is given, at its first read of that
// after it; then the first begins. The second goes on when the first has ended, or has come to where it waits in turn for
// the second's end.
func (y *yard) aside(t *testing.T, first, second []string, at string, waits func(sent) bool) (a, b end) {
	t.Helper()
	var stand, halfway sync.Once
	var judged, waiting atomic.Bool
	aside, goOn, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	y.crowd.Store(&crowd{
		yard: y,
		comes: func(s *sent) {
			if s.by == "first" {
				if waiting.Load() {
					<-over
				}
				return
			}
			_, judges := s.entry().(ledger.Evidence)
			if at == "" && judges || at != "" && judged.Load() && strings.HasSuffix(s.request, at) {
				stand.Do(func() {
					close(aside)
					<-goOn
				})
			}
			if judges {
				judged.Store(true)
			}
		},
		happened: func(s sent) {
			if s.by == "first" && waits(s) {
				waiting.Store(true)
				halfway.Do(func() { close(goOn) })
			}
		},
	})
	defer y.crowd.Store(nil)
	two := y.send(t, "second", second...)
	select {
	case <-aside:
	case <-two.ended:
		t.Fatalf("it has nowhere to stand aside:\n%s", two.wait())
	}
	one := y.send(t, "first", first...)
	select {
	case <-one.ended:
		halfway.Do(func() { close(goOn) })
	case <-two.ended:
	}
	b = two.wait()
	close(over)
	return one.wait(), b
}

// overtaken holds back the call by which Test moves a version that stands nowhere yet, until Prod has gone live with
// that version. Test's call then takes it away from Prod: that cannot be helped. Status says so, and promoting Prod's
// champion mends it without harm to Test.
func (y *yard) overtaken(t *testing.T) {
	y.back(t, y.used)
	live := make(chan struct{})
	y.crowd.Store(&crowd{
		yard: y,
		comes: func(s *sent) {
			if s.by == "test" && strings.HasPrefix(s.request, http.MethodPost) && strings.HasSuffix(s.request, "/transition-stage") {
				<-live
			}
		},
	})
	test := y.send(t, "test", words("promote 1.3.0 --to test")...)
	prod := y.send(t, "prod", words("promote 1.3.0 --to prod")...).wait()
	close(live)
	ended := test.wait()
	y.crowd.Store(nil)
	if prod.code != 0 || ended.code != 0 {
		t.Errorf("%s\n%s", prod, ended)
	}
	if drifted := y.drift(t, "prod"); fmt.Sprint(drifted) != "[slot:shared/diabetes/Production]" {
		t.Errorf("drift in prod: %v", drifted)
	}
	y.must(t, words("promote 1.3.0 --to prod")...)
	if bad := y.undrifted(t, "test") + y.undrifted(t, "prod"); bad != "" {
		t.Error(bad)
	}
}
