package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/ledger/ledgertest"
)

var errCrash = errors.New("the process was killed")

// turns lets one of several processes make one call to the store at a time, in an order that the seed alone decides.
type turns struct {
	random *rand.Rand
	at     chan event
}

// event is a process that stands before a call (go_ on), or that is done.
type event struct {
	process int
	goOn    chan struct{} // nil: done
}

// run runs the processes to their ends.
func (tn *turns) run(processes []func()) {
	for i, p := range processes {
		go func() {
			p()
			tn.at <- event{process: i}
		}()
	}
	waiting := make([]chan struct{}, len(processes))
	for running, alive := len(processes), len(processes); alive > 0; {
		for ; running > 0; running-- {
			e := <-tn.at
			if waiting[e.process] = e.goOn; e.goOn == nil {
				alive--
			}
		}
		var ready []int
		for i, w := range waiting {
			if w != nil {
				ready = append(ready, i)
			}
		}
		if len(ready) > 0 {
			next := ready[tn.random.IntN(len(ready))]
			running = 1
			close(waiting[next])
		}
	}
}

// process is a store as one process has it: it waits for its turn, loses answers, sees old views, and is killed.
type process struct {
	*ledgertest.Memory
	turns *turns
	index int
}

func (p *process) wait() {
	e := event{p.index, make(chan struct{})}
	p.turns.at <- e
	<-e.goOn
}

func (p *process) Create(ctx context.Context, name string, b []byte) error {
	p.wait()
	return p.Memory.Create(ctx, name, b)
}

func (p *process) Read(ctx context.Context, name string) ([]byte, error) {
	p.wait()
	return p.Memory.Read(ctx, name)
}

func (p *process) List(ctx context.Context, dir string) ([]string, error) {
	p.wait()
	return p.Memory.List(ctx, dir)
}

// misbehave makes a client lose one answer in six, see old views one time in three, and be killed at its k-th call.
func misbehave(m *ledgertest.Memory, random *rand.Rand, k int) {
	calls := 0
	lose := func(ledgertest.Call) error {
		if calls >= k {
			return errCrash
		}
		if random.IntN(12) == 0 {
			return ledgertest.ErrLost
		}
		return nil
	}
	m.Before = func(c ledgertest.Call) error { calls++; return lose(c) }
	m.After = lose
	m.Old = func(ledgertest.Call) int { return max(0, random.IntN(9)-5) }
}

// act decides something that the rules may allow, as processes of all kinds would.
func act(random *rand.Rand, me ledger.Author, n int, s ledger.State) ledger.Body {
	if s.Seq == 0 {
		return genesis
	}
	pick := func(bodies ...ledger.Body) ledger.Body { return bodies[random.IntN(len(bodies))] }
	name := fmt.Sprint("1.", random.IntN(6))
	if f := s.Flight; f != nil {
		goOn := ledger.Begun{Plan: f.Plan, Release: f.Release, To: f.To, Back: f.Back, Replaces: f.Seq, Seen: s.Decision}
		made, renew, takeOver := goOn, goOn, goOn
		made.Why, made.Jobs, renew.Why, takeOver.Why = ledger.Made, map[string]int64{job: random.Int64N(4) + 1}, ledger.Renew, ledger.TakeOver
		to, back, _ := s.Return(s.Champion.Values)
		turnBack := ledger.Begun{Why: ledger.TurnBack, Release: s.Champion.Release, To: to, Back: back, Replaces: f.Seq, Seen: s.Decision}
		live := ledger.Live{Of: f.Seq, Values: s.LiveValues()}
		return pick(made, renew, takeOver, turnBack, rollback(s, f.Seq), live, live, live, ledger.Left{Of: f.Seq}, ledger.Held{Reason: "why not"})
	}
	plan := ledger.Values{job: ledger.Value(fmt.Sprintf(`"job of %s"`, name))}
	if random.IntN(2) == 0 {
		plan[slot] = ledger.Value(fmt.Sprintf(`"version of %s"`, name))
	}
	to, fresh := s.To(plan)
	start := ledger.Begun{
		Why: ledger.Start, Plan: fmt.Sprintf("sha256:%s over %d", name, s.Champion.Live), Release: release(name), To: to, Seen: s.Decision,
		Found: ledger.Values{}, Judges: []string{"nightly"}, Rules: ledger.Rules{Digest: fmt.Sprint("sha256:rules-", random.IntN(3))},
	}
	for _, id := range fresh {
		start.Found[id] = ledger.Value(fmt.Sprintf(`"found by %s"`, me.Random))
	}
	mend := ledger.Begun{Why: ledger.Mend, Release: s.Champion.Release, To: s.Champion.Values, Seen: s.Decision}
	proven := ledger.Proven{Live: s.Champion.Live, How: ledger.Judged}
	return pick(start, start, start, proven, proven, mend, rollback(s, 0), ledger.Unheld{}, ledger.Unbarred{Bar: ledger.Bar{Artifact: "sha256:" + name}},
		ledger.Evidence{Token: fmt.Sprint(me.Random, n), Gate: "g", Artifact: "sha256:" + name, Outcome: "passed"}, ledger.Approved{Plan: start.Plan},
		ledger.Approved{Rules: start.Rules.Digest}, ledger.Approved{Rules: start.Rules.Digest})
}

func rollback(s ledger.State, replaces int) ledger.Body {
	target, err := s.RollbackTarget("")
	if err != nil {
		return ledger.Unheld{}
	}
	to, back, fresh := s.Return(target.Values)
	b := ledger.Begun{Why: ledger.Rollback, Release: target.Release, To: to, Back: back, Found: ledger.Values{}, Replaces: replaces, Seen: s.Decision}
	for _, id := range fresh {
		b.Found[id] = ledger.Off
	}
	if r := s.Champion.Release; r.Artifact != "" {
		b.Bars = []ledger.Bar{{Artifact: r.Artifact}}
	}
	return b
}

// TestAnyInterleaving has several processes write to one store that answers from old views and loses answers, while
// they are killed and replaced, and holds what comes out against what the rules promise.
func TestAnyInterleaving(t *testing.T) {
	t.Parallel()
	written := map[ledger.Why]int{}
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 4))
		store := ledgertest.NewMemory()
		tn := &turns{random: random, at: make(chan event)}
		told := make([]map[int]string, 2+random.IntN(4)) // by process: the ids of what it was told it wrote
		var processes []func()
		for i := range told {
			told[i] = map[int]string{}
			p := &process{Memory: store.Client(), turns: tn, index: i}
			misbehave(p.Memory, rand.New(rand.NewPCG(seed, uint64(10+i))), 20+random.IntN(300))
			own := rand.New(rand.NewPCG(seed, uint64(100+i)))
			me := ledger.Author{Random: fmt.Sprint("process", i)}
			processes = append(processes, func() { work(p, own, me, told[i]) })
		}
		tn.run(processes)
		check(t, seed, store.Client(), told, written)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, why := range []ledger.Why{
		ledger.Start, ledger.Rollback, ledger.TurnBack, ledger.Mend, ledger.TakeOver, ledger.Renew, ledger.Made,
	} {
		if written[why] < 5 {
			t.Errorf("only %d times %s: %v", written[why], why, written)
		}
	}
}

// work appends until the process is killed.
func work(store ledger.Store, random *rand.Rand, me ledger.Author, told map[int]string) {
	now := noon
	l := ledger.Open(store, ledger.Options{
		By: me, Now: func() time.Time { return now },
		Wait: func(_ context.Context, n int) error {
			if n == 4 {
				return errors.New("waited long enough")
			}
			return nil
		},
	})
	for n := range 30 {
		now = now.Add(time.Second) // by the time of an entry, check knows the call of Append
		e, err := l.Append(context.Background(), func(s ledger.State) (ledger.Body, error) { return act(random, me, n, s), nil })
		if errors.Is(err, errCrash) {
			return
		}
		if err == nil {
			told[e.Seq] = e.ID + " by " + me.Random
		}
	}
}

// check reads what came out with an honest client.
func check(t *testing.T, seed uint64, store *ledgertest.Memory, told []map[int]string, written map[ledger.Why]int) {
	t.Helper()
	l := open(store, ledger.Author{Random: "auditor"})
	problems, err := l.Verify(context.Background())
	if err != nil || len(problems) != 0 {
		t.Errorf("seed %d: %v, %v", seed, problems, err)
	}
	ids := map[int]string{}
	calls := map[string]int{}
	var entries []ledger.Entry
	for e, err := range l.History(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		ids[e.Seq] = e.ID + " by " + e.By.Random
		if call := e.By.Random + e.At.String(); calls[call] == 0 {
			calls[call] = e.Seq
		} else {
			t.Errorf("seed %d: one call wrote the entries %d and %d", seed, calls[call], e.Seq)
		}
		entries = append(entries, e)
		if b, ok := e.Body.(ledger.Begun); ok {
			written[b.Why]++
		}
	}
	if len(entries) != len(store.Names()) {
		t.Errorf("seed %d: %d entries in %d files", seed, len(entries), len(store.Names()))
	}
	for i, mine := range told {
		for seq, id := range mine {
			if ids[seq] != id {
				t.Errorf("seed %d: process %d was told that it wrote entry %d, and %s stands there", seed, i, seq, ids[seq])
			}
		}
	}
	replay(t, seed, entries)
}

// replay holds the rules of Begun and Live against the entries once more, without the fold.
func replay(t *testing.T, seed uint64, entries []ledger.Entry) {
	t.Helper()
	inFlight, decision := 0, 0
	var owner ledger.Author
	plans, approved := map[string]bool{}, map[string]bool{}
	brings, inForce := "", ""
	var live, to ledger.Values
	found := ledger.Values{}
	for _, e := range entries {
		wrong := func(why string) { t.Errorf("seed %d: entry %d (%s): %s", seed, e.Seq, e.Type(), why) }
		switch b := e.Body.(type) {
		case ledger.Begun:
			if b.Replaces != inFlight {
				wrong("it follows neither nothing in flight nor the last Begun")
			}
			if b.Why == ledger.Rollback && b.Seen != decision {
				wrong("it was made against another decision")
			}
			if b.Why == ledger.Start && plans[b.Plan] {
				wrong("its plan was begun before")
			}
			plans[b.Plan] = plans[b.Plan] || b.Why == ledger.Start
			if !b.Why.GoesOn() {
				brings = inForce
			}
			if b.Why == ledger.Start {
				if brings = b.Rules.Digest; inForce != "" && brings != inForce && !approved[brings] {
					wrong("it brings rules that nobody approved")
				}
			}
			maps.Copy(found, b.Found)
			for id, v := range b.To {
				if b.Why == ledger.TurnBack && v != live[id] && v != found[id] {
					wrong(id + " gets a value that is neither the last Live's nor found")
				}
			}
			if b.Why == ledger.Start || b.Why == ledger.Rollback {
				decision = e.Seq
			}
			inFlight, owner, to = e.Seq, e.By, b.To
		case ledger.Live:
			if e.Seq > 1 && (b.Of != inFlight || e.By != owner) {
				wrong("its author does not own the last Begun")
			}
			for id, v := range b.Values {
				if e.Seq > 1 && to[id] != v {
					wrong(id + " is not what the last Begun set")
				}
			}
			live, inFlight = b.Values, 0
			if brings != inForce {
				approved = map[string]bool{}
			}
			inForce = brings
		case ledger.Approved:
			approved[b.Rules] = true
		}
		if e.State.Rules.Digest != inForce {
			wrong("the rules in force are not those of the last start that went live")
		}
		if ours := e.State.Ours(); e.State.Flight != nil && !slices.Equal(ours, slices.Sorted(maps.Keys(e.State.Flight.To))) {
			wrong("what is in flight leaves one of our pointers alone")
		}
	}
}

func FuzzDecode(f *testing.F) {
	store := ledgertest.NewMemory()
	l := open(store, alice)
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 40 {
		e, err := l.Append(context.Background(), func(s ledger.State) (ledger.Body, error) { return act(random, alice, n, s), nil })
		if err == nil {
			f.Add(e.Bytes())
		}
	}
	f.Add([]byte(`{"format":2,"seq":1,"id":"i","type":"Begun","body":{"to":null},"state":{"flight":null,"past":[{}]}}`))
	f.Add([]byte(`{"format":1,"seq":2,"id":"i","type":"Live","body":{"values":null},"state":{"seq":1,"flight":{}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ledger.Decode(b)
		if err != nil {
			return
		}
		// Whatever state a forged entry claims, nothing that is done with it may panic.
		s := e.State
		for _, choice := range []string{"", "1.0"} {
			_, _ = s.RollbackTarget(choice)
		}
		for n := range 5 {
			body := act(rand.New(rand.NewPCG(uint64(n), 1)), e.By, n, s)
			_, _ = ledger.Fold(s, ledger.Entry{Format: 1, Seq: s.Seq + 1, ID: "x", By: e.By, Body: body})
		}
		s.Seq = e.Seq - 1
		_, _ = ledger.Fold(s, e)
		forged := ledgertest.NewMemory()
		forged.Put(ledger.Name(1), b)
		if _, err := open(forged, bob).Verify(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
