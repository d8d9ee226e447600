package ledger

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ErrForbidden is wrapped by every error of Fold: the ledger's rules forbid such an entry at this place.
var ErrForbidden = errors.New("the ledger's rules forbid it")

const (
	keptPast  = 20 // champions that a start brought, besides Genesis
	keptPlans = 64 // an older plan cannot come again: the Live it was made over has long been replaced
)

// Fold returns what the ledger says up to and with e, when it says s before. It changes neither. An entry that the
// rules forbid after s is an error that says why; who may take over from whom is not for Fold to know.
func Fold(s State, e Entry) (State, error) {
	err := s.fold(e)
	if err != nil {
		return State{}, fmt.Errorf("entry %d (%s): %w: %w", e.Seq, e.Type(), ErrForbidden, err)
	}
	s.Seq, s.Format = e.Seq, max(s.Format, e.Format)
	return s, nil
}

// fold works on a copy of the state whose maps and slices are still the caller's: it replaces them, never writes
// into them.
func (s *State) fold(e Entry) error {
	if e.Seq != s.Seq+1 {
		return fmt.Errorf("number %d does not follow number %d", e.Seq, s.Seq)
	}
	live, _ := e.Body.(Live)
	if genesis := live.Genesis != nil; genesis != (e.Seq == 1) {
		return errors.New("the first entry, and no other, is Genesis")
	}
	switch b := e.Body.(type) {
	case Live:
		if b.Genesis != nil {
			s.begin(e, b)
			return nil
		}
		return s.live(e, b)
	case Begun:
		return s.begun(e, b)
	case Left:
		return s.left(e, b)
	case Evidence:
		return s.evidence(e, b)
	case Approved:
		s.Approvals = place(s.Approvals, e, b)
	case Rejected:
		s.Rejections = place(s.Rejections, e, b)
	case Held:
		s.Hold = &Hold{Said: b, Seq: e.Seq, At: e.At, Actor: e.Actor}
	case Unheld:
		s.Hold = nil
	case Barred:
		return s.bar(e, b.Bar)
	case Unbarred:
		s.unbar(b.Bar)
	case Waived:
		s.Waivers = place(s.Waivers, e, b)
	case Proven:
		return s.proven(e, b)
	default:
		return errors.New("only a newer barge knows this type")
	}
	return nil
}

func (s *State) begin(e Entry, b Live) {
	s.Genesis, s.Where = *b.Genesis, b.Genesis.Where
	s.Genesis.Where = nil
	s.Champion = Champion{Values: b.Values, Live: 1, At: e.At, Proven: AsGenesis, Start: 1}
	s.Past = []Past{{Live: 1, At: e.At, Values: b.Values}}
}

func (s *State) begun(e Entry, b Begun) error {
	if err := s.mayBegin(e, b); err != nil {
		return err
	}
	next := Flight{
		Kind: b.Why, First: e.Seq, Plan: b.Plan, Release: b.Release, To: b.To, Back: b.Back, Rules: b.Rules, Judges: b.Judges,
		Start: b.Start,
	}
	if b.Why.GoesOn() {
		next = *s.Flight
		next.Left = false
	} else {
		s.Since = append(slices.Clip(s.Since), b.To)
		s.remember(b)
	}
	switch b.Why {
	case Start:
		s.Decision = e.Seq
		s.Plans = last(append(slices.Clip(s.Plans), b.Plan), keptPlans)
		s.know(b.Release.Artifact, func(k *Known) {
			if b.Release.Name != "" && !slices.Contains(k.Names, b.Release.Name) {
				k.Names = append(slices.Clip(k.Names), b.Release.Name)
			}
		})
	case Rollback:
		s.Decision = e.Seq
		if err := s.remove(e, b); err != nil {
			return err
		}
	}
	s.addJobs(b.Jobs)
	if len(b.Where) > 0 {
		s.Where = clone(s.Where)
		maps.Copy(s.Where, b.Where)
	}
	next.Seq, next.By, next.Actor, next.At, next.Run = e.Seq, e.By, e.Actor, e.At, b.Run
	s.Flight = &next
	return nil
}

// remember keeps what new pointers held, and what slots get. A value that is given back is not one that we put.
func (s *State) remember(b Begun) {
	if len(b.Found) > 0 {
		s.Found = clone(s.Found)
		maps.Copy(s.Found, b.Found)
	}
	if b.Release.Artifact == "" {
		return
	}
	for id, v := range b.To {
		if !strings.HasPrefix(id, SlotPrefix) || v == Off || v == Absent ||
			slices.Contains(b.Back, id) || slices.Contains(s.Slots[id], v) {
			continue
		}
		s.Slots = clone(s.Slots)
		s.Slots[id] = append(slices.Clip(s.Slots[id]), v)
	}
}

// remove records what a rollback takes away: its bars, and that neither the champion nor a start in flight stands.
func (s *State) remove(e Entry, b Begun) error {
	for _, bar := range b.Bars {
		if err := s.bar(e, bar); err != nil {
			return err
		}
	}
	removed := []Release{s.Champion.Release}
	if s.InFlight() == Start {
		removed = append(removed, s.Flight.Release)
	}
	for _, r := range removed {
		if r.Artifact != b.Release.Artifact {
			s.know(r.Artifact, func(k *Known) { k.Removed, k.Since = e.Seq, time.Time{} })
		}
	}
	return nil
}

func (s *State) addJobs(ids map[string]int64) {
	for pointer, id := range ids {
		others := slices.DeleteFunc(slices.Clone(s.Jobs[pointer]), func(known int64) bool { return known == id })
		s.Jobs = clone(s.Jobs)
		s.Jobs[pointer] = append(others, id)
	}
}

func (s *State) live(e Entry, b Live) error {
	f := s.Flight
	switch {
	case f == nil:
		return errors.New("nothing is in flight")
	case b.Of != f.Seq:
		return fmt.Errorf("it finishes Begun %d, and the last one is %d", b.Of, f.Seq)
	case !s.Owns(e.By):
		return fmt.Errorf("its author does not own Begun %d", f.Seq)
	case !maps.Equal(b.Values, s.LiveValues()):
		return fmt.Errorf("its values are not those of Begun %d", f.Seq)
	}
	c := Champion{
		Release: f.Release, Values: b.Values, Live: e.Seq, At: e.At, By: f.Kind, Plan: f.Plan,
		Proven: s.Champion.Proven, Judges: s.Champion.Judges, Start: s.Champion.Start,
	}
	switch f.Kind {
	case Start:
		s.started(e, b, &c)
	case Rollback:
		s.returned(&c)
	}
	if c.Proven != "" && c.Proven != AsGenesis && f.Kind != Start {
		c.Proven = Before
	}
	s.Found = clone(s.Found)
	for _, id := range f.Back {
		delete(s.Found, id)
	}
	s.Champion, s.Flight, s.Since, s.Evidence, s.Rejections = c, nil, nil, nil, nil
	s.Approvals = slices.DeleteFunc(slices.Clone(s.Approvals), func(a Placed[Approved]) bool { return a.Said.Rules == "" })
	s.know(c.Release.Artifact, func(k *Known) { k.Live, k.Removed = e.Seq, 0 })
	if c.Proven != "" {
		s.proof(e)
	}
	return nil
}

// started fills in what a start brings: a release of its own, its rules, and a place to return to.
func (s *State) started(e Entry, b Live, c *Champion) {
	f := s.Flight
	p := Past{
		Live: e.Seq, At: e.At, Plan: f.Plan, Release: f.Release, Values: b.Values, Judges: f.Judges,
		Replaced: s.Champion.Start,
	}
	past := append(slices.Clip(s.Past), p)
	if len(past) > keptPast+1 {
		past = append([]Past{past[0]}, last(past, keptPast)...)
	}
	s.Past = past
	if f.Rules.Digest != s.Rules.Digest {
		s.Approvals = slices.DeleteFunc(slices.Clone(s.Approvals), func(a Placed[Approved]) bool { return a.Said.Rules != "" })
	}
	s.Rules = f.Rules
	c.Start, c.Judges, c.Proven = e.Seq, f.Judges, ""
	if len(f.Judges) == 0 {
		c.Proven = Unjudged
	}
}

// returned fills in what a rollback brings back.
func (s *State) returned(c *Champion) {
	if c.Release.Artifact == s.Champion.Release.Artifact {
		return
	}
	c.Start, c.Judges, c.Proven = 0, nil, ""
	if s.Flight.Start != 0 {
		c.Start, c.Judges = s.Flight.Start, s.Flight.Judges
	} else if p, ok := s.brought(c.Release, c.Values); ok {
		c.Start, c.Judges = p.Live, p.Judges
	}
	switch {
	case c.Release.Artifact == "":
		c.Proven = AsGenesis
	case s.Known[c.Release.Artifact].Proven > 0:
		c.Proven = Before
	}
}

// brought finds the start that brought a release: the latest with the same values, else the latest.
func (s *State) brought(r Release, values Values) (best Past, ok bool) {
	for _, p := range slices.Backward(s.Past) {
		if p.Release.Artifact != r.Artifact {
			continue
		}
		if maps.Equal(p.Values, values) {
			return p, true
		}
		if !ok {
			best, ok = p, true
		}
	}
	return best, ok
}

func (s *State) left(e Entry, b Left) error {
	if s.Flight == nil || b.Of != s.Flight.Seq || !s.Owns(e.By) {
		return fmt.Errorf("its author does not own Begun %d", b.Of)
	}
	f := *s.Flight
	f.Left = true
	s.Flight = &f
	return nil
}

func (s *State) evidence(e Entry, b Evidence) error {
	if b.Token == "" || b.Gate == "" || b.Artifact == "" {
		return errors.New("token, gate or artifact is missing")
	}
	if _, counted := s.Evidence[b.Token]; counted {
		return nil
	}
	s.Evidence = clone(s.Evidence)
	s.Evidence[b.Token] = b
	switch was := s.Known[b.Artifact].About[b.Gate]; {
	case b.Outcome == "passed":
		s.know(b.Artifact, func(k *Known) {
			k.Evidence, k.About = clone(k.Evidence), clone(k.About)
			k.Evidence[b.Gate], k.About[b.Gate] = e.Seq, b.about()
		})
	case b.Outcome != "errored" && was == b.about():
		s.know(b.Artifact, func(k *Known) {
			k.Evidence, k.About = clone(k.Evidence), clone(k.About)
			delete(k.Evidence, b.Gate)
			delete(k.About, b.Gate)
		})
	}
	return nil
}

func (s *State) bar(e Entry, b Bar) error {
	if b.Artifact == "" && b.Model == "" {
		return errors.New("a bar names an artifact or a model's digest")
	}
	s.Bars = place(s.Bars, e, b)
	return nil
}

func (s *State) unbar(b Bar) {
	s.Bars = slices.DeleteFunc(slices.Clone(s.Bars), func(p Placed[Bar]) bool {
		return b.Artifact != "" && p.Said.Artifact == b.Artifact || b.Model != "" && p.Said.Model == b.Model
	})
	if s.Known[b.Artifact].Removed > 0 {
		s.know(b.Artifact, func(k *Known) { k.Removed = 0 })
	}
}

func (s *State) proven(e Entry, b Proven) error {
	if b.How != Judged && b.How != Kept && b.How != Waiver {
		return fmt.Errorf("%q does not prove a release", b.How)
	}
	if b.Live == s.Champion.Live && !s.IsProven() {
		s.Champion.Proven = b.How
		s.proof(e)
	}
	return nil
}

// proof remembers that the champion is proven.
func (s *State) proof(e Entry) {
	s.know(s.Champion.Release.Artifact, func(k *Known) {
		if k.Proven == 0 {
			k.Proven = s.Champion.Live
		}
		if k.Since.IsZero() {
			k.Since = e.At
		}
	})
}

// know changes what is remembered of an artifact; of what stood there before barge nothing is.
func (s *State) know(artifact string, change func(*Known)) {
	if artifact == "" {
		return
	}
	k := s.Known[artifact]
	change(&k)
	s.Known = clone(s.Known)
	s.Known[artifact] = k
}

func place[T any](list []Placed[T], e Entry, said T) []Placed[T] {
	return append(slices.Clip(list), Placed[T]{Said: said, Seq: e.Seq, At: e.At, Actor: e.Actor})
}

// clone is a copy that can be written to.
func clone[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return maps.Clone(m)
}

func last[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }
