package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/ledger"
)

// waivedOutcome is what became of a gate that was not asked.
const waivedOutcome = "waived"

// Waiver is a person's word that lets one release pass a gate or a score without its evidence.
type Waiver struct {
	Environment string    `json:"environment"`
	What        string    `json:"what"` // gate:NAME or score:NAME
	By          string    `json:"by"`
	At          time.Time `json:"at"`
	Reason      string    `json:"reason"`
	Entry       int       `json:"entry"`
}

func (w Waiver) String() string {
	return fmt.Sprintf("%s of %s is waived by %s at %s: %s", w.What, w.Environment, w.By, w.At.UTC().Format(time.RFC3339), w.Reason)
}

// waivers are all that count for an artifact on its way here: of gates and scores of this environment and of those
// followed.
func (p *place) waivers(ctx context.Context, s ledger.State, artifact string) ([]Waiver, error) {
	all := p.waivedHere(s, artifact)
	for _, name := range p.upstream(p.name) {
		u, err := p.place(name)
		if err != nil {
			return nil, err
		}
		theirs, err := u.state(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, u.waivedHere(theirs, artifact)...)
	}
	return all, nil
}

// waivedHere are those of the environment's own gates and scores. A score may be the release's alone: in a deploy project.
func (p *place) waivedHere(s ledger.State, artifact string) []Waiver {
	e := p.Project.Environment(p.name)
	var what []string
	for _, g := range e.Gates {
		what = append(what, "gate:"+g.Name)
	}
	for _, score := range e.Scores {
		what = append(what, scoreGate(score.Name))
	}
	for _, w := range s.Waivers {
		if strings.HasPrefix(w.Said.What, scoreGate("")) && !slices.Contains(what, w.Said.What) {
			what = append(what, w.Said.What)
		}
	}
	var all []Waiver
	for _, name := range what {
		if w, waived := p.waiver(s, name, artifact); waived {
			all = append(all, w)
		}
	}
	return all
}

// waiver is the one that counts now.
func (p *place) waiver(s ledger.State, what, artifact string) (Waiver, bool) {
	w, waived := s.Waiver(what, artifact, p.site.Now())
	return Waiver{p.name, what, w.Actor, w.At, w.Said.Reason, w.Seq}, waived
}
