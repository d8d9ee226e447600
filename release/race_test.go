package release_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/release"
)

// together runs n promotions at once, each as a process of its own.
func (b *bench) together(n int, name func(int) string, to string) []error {
	worlds := make([]*release.World, n)
	for i := range worlds {
		worlds[i] = b.world(fmt.Sprintf("ci-%d", i))
	}
	errs := make([]error, n)
	var group sync.WaitGroup
	for i, w := range worlds {
		group.Go(func() {
			_, errs[i] = w.Promote(b.t.Context(), release.Request{Release: name(i), Environment: to})
		})
	}
	group.Wait()
	return errs
}

func TestOnePlanManyPromoters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name := b.build("1.0.0", b.register(), testEnvironment+prodEnvironment)
	b.promoted(name, "test")
	if runs := len(b.runs.Attempts()); runs != 1 {
		t.Fatalf("%d runs of the gate", runs)
	}
	errs := b.together(8, func(int) string { return name }, "prod")
	for i, err := range errs {
		if err != nil && !errors.Is(err, release.ErrConflict) {
			t.Errorf("promoter %d: %v", i, err)
		}
	}
	s := b.state("prod")
	if s.Champion.Release.Name != name || !s.IsProven() || s.Champion.By != ledger.Start {
		t.Errorf("the champion is %+v\n%s", s.Champion, b.story())
	}
	if runs := len(b.runs.Attempts()); runs != 2 {
		t.Errorf("%d runs, want one of the gate and one of the scoring", runs)
	}
	begun := 0
	book, _ := b.world("reader").Ledger("prod")
	for e, err := range book.History(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if body, is := e.Body.(ledger.Begun); is && body.Why == ledger.Start {
			begun++
		}
	}
	if begun != 1 {
		t.Errorf("it was begun %d times", begun)
	}
	b.intact("prod")
}

func TestManyPlansOneChampion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	hcl := testEnvironment + prodEnvironment
	var names []string
	for i := range 4 {
		names = append(names, b.build(fmt.Sprintf("1.%d.0", i), b.register(), hcl))
	}
	errs := b.together(len(names), func(i int) string { return names[i] }, "test")
	s := b.state("test")
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
		case errors.Is(err, release.ErrConflict), errors.Is(err, release.ErrPending) && !s.IsProven():
		default:
			t.Errorf("%s: %v", names[i], err)
		}
	}
	if won == 0 || s.Flight != nil {
		t.Errorf("%d promotions went through; %+v is in flight\n%s", won, s.Flight, b.story())
	}
	if got := s.Champion.Release.Models["m"].Version; b.standing("Staging") != got {
		t.Errorf("Staging holds %s, and the champion is version %s", b.standing("Staging"), got)
	}
	b.intact("test")
}

// TestTwoEnvironmentsOnOneModel walks at random and holds the invariants of slots after each step.
func TestTwoEnvironmentsOnOneModel(t *testing.T) {
	t.Parallel()
	const quiet = `
environment "test" {
  workspace = workspace.test
  path      = "/Barge/p"
  model "m" {
    stage            = "Staging"
    archive_existing = true
  }
}
environment "prod" {
  follows   = [environment.test]
  workspace = workspace.prod
  path      = "/Barge/p"
  model "m" {
    stage            = "Production"
    archive_existing = %t
  }
}
`
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			random := rand.New(rand.NewPCG(seed, 11))
			var names []string
			for i := range 3 {
				names = append(names, b.build(fmt.Sprintf("1.%d.0", i), b.register(), fmt.Sprintf(quiet, seed%2 == 0)))
			}
			for range 14 {
				b.step(random, names)
				b.slotsHold(seed%2 == 0)
			}
			b.intact("test")
			b.intact("prod")
		})
	}
}

// step promotes or rolls back in either environment, or in both at once.
func (b *bench) step(random *rand.Rand, names []string) {
	b.t.Helper()
	act := func(environment, name string, back bool) error {
		w := b.world("ci-" + environment)
		if back {
			_, err := w.Rollback(b.t.Context(), release.Return{Environment: environment, Fault: "data"})
			return err
		}
		_, err := w.Promote(b.t.Context(), release.Request{Release: name, Environment: environment, AllowOlder: true})
		return err
	}
	environment, name := []string{"test", "prod"}[random.IntN(2)], names[random.IntN(len(names))]
	back := random.IntN(4) == 0
	b.note(fmt.Sprintf("== %s %s back=%t", environment, name, back))
	if err := act(environment, name, back); err != nil && !errors.Is(err, release.ErrConflict) && !errors.Is(err, release.ErrPending) {
		b.t.Fatalf("%v\n%s", err, b.story())
	}
}

// slotsHold checks that both environments have what their ledgers say, and nobody has left anything behind.
func (b *bench) slotsHold(archiving bool) {
	b.t.Helper()
	tags, err := b.registry().ModelTags(b.t.Context(), "m")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, environment := range []string{"test", "prod"} {
		s := b.state(environment)
		if s.Flight != nil {
			b.t.Fatalf("%s: %+v is in flight\n%s", environment, s.Flight, b.story())
		}
		version := s.Champion.Release.Models["m"].Version
		if s.Seq == 0 {
			continue
		}
		if tags["barge.env."+environment] != version {
			b.t.Fatalf("%s: its tag names version %q, its champion is %q\n%s", environment, tags["barge.env."+environment], version, b.story())
		}
		if drifted := b.drift(environment); len(drifted) > 0 {
			b.t.Fatalf("%s: %v\n%s", environment, drifted, b.story())
		}
		if environment == "prod" && archiving && b.standing("Production") != version {
			b.t.Fatalf("Production holds %q, and the champion is version %q\n%s", b.standing("Production"), version, b.story())
		}
		if environment == "prod" && version != "" && !strings.Contains(" "+b.standing("Production")+" ", " "+version+" ") {
			b.t.Fatalf("Production holds %q without %q\n%s", b.standing("Production"), version, b.story())
		}
	}
	if owner := tags["barge.project"]; owner != "p" {
		b.t.Fatalf("the model is %q's", owner)
	}
}
