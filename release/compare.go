package release

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// ShownBinding is how often a binding's text is replaced, and was in the champion's files.
type ShownBinding struct {
	Text   string `json:"text"`
	Count  int    `json:"count"`
	Before int    `json:"before"`
}

// ShownGrant is a right that the promotion gives; New where the champion's promotion did not give it.
type ShownGrant struct {
	Principal string `json:"principal"`
	Level     string `json:"level"`
	On        string `json:"on"`
	New       bool   `json:"new"`
}

// What a grant is on, in words.
const (
	onFolder = "the release's folder"
	onAll    = "the environment's folder, its jobs and its models"
)

// files holds what is deployed against what the champion deployed, its bindings filled in: config files apart. Lines
// are counted where the store still has the champion.
func (p *place) files(ctx context.Context, s ledger.State, plan *prepared, recorded *Plan, out *Shown) error {
	before, old, err := p.deployed(ctx, s, recorded)
	if err != nil {
		return err
	}
	for _, l := range plan.folder.Lines() {
		sum, had := before[l.Path]
		delete(before, l.Path)
		if had && sum == l.SHA256 {
			out.Stays.Files++
			continue
		}
		c := artifacts.Change{Path: l.Path, Before: sum, After: l.SHA256, Added: -1, Removed: -1}
		if old != nil || !had {
			c.Added, c.Removed = artifacts.CountLines(body(old, l.Path), plan.folder.Body(l.Path))
		}
		out.file(c)
	}
	for _, path := range sorted(before) {
		c := artifacts.Change{Path: path, Before: before[path], Added: -1, Removed: -1}
		if old != nil {
			c.Added, c.Removed = artifacts.CountLines(body(old, path), nil)
		}
		out.file(c)
	}
	return nil
}

func body(f *effects.Folder, path string) []byte {
	if f == nil {
		return nil
	}
	return f.Body(path)
}

func (out *Shown) file(c artifacts.Change) {
	into := &out.Files
	if strings.HasPrefix(c.Path, "conf/") {
		into = &out.Config
	}
	*into = append(*into, c)
	slices.SortFunc(*into, func(a, b artifacts.Change) int { return strings.Compare(a.Path, b.Path) })
}

// deployed are the sums of the champion's files by their paths, and its folder made again; nil where that cannot be had.
func (p *place) deployed(ctx context.Context, s ledger.State, recorded *Plan) (map[string]string, *effects.Folder, error) {
	sums := map[string]string{}
	if recorded == nil || s.Champion.Release.Artifact == "" {
		return sums, nil, nil
	}
	again, err := p.rendered(ctx, s.Champion.Release.Artifact)
	if err != nil || again.Path != recorded.Folder {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		p.Note("the champion's files cannot be made again from the store: lines are not counted")
		again = nil
	}
	lines, err := p.site.Listed(ctx, recorded.Folder)
	switch {
	case err == nil:
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, err
	case again != nil:
		lines = again.Lines()
	default:
		p.Note("the champion's folder %s is damaged: files are not compared", recorded.Folder)
	}
	for _, l := range lines {
		sums[l.Path] = l.SHA256
	}
	return sums, again, nil
}

// judges are the gates whose notebook, with what it reaches by %run, is another than in the champion's plan.
func (out *Shown) judges(recorded *Plan) {
	if recorded == nil {
		return
	}
	for _, gate := range sorted(out.Plan.Notebooks) {
		if was, had := recorded.Notebooks[gate]; had && was != out.Plan.Notebooks[gate] {
			out.Judges = append(out.Judges, gate)
		}
	}
}

// bindings and rights, each with whether the champion had it.
func (out *Shown) besides(recorded *Plan, plan *prepared) {
	var before Plan
	if recorded != nil && out.Champion.Artifact != "" {
		before = *recorded
	}
	for _, text := range sorted(plan.Bound) {
		out.Bindings = append(out.Bindings, ShownBinding{text, plan.Bound[text], before.Bound[text]})
	}
	for _, grant := range plan.Grants {
		at := strings.LastIndex(grant, " ")
		g := ShownGrant{Principal: grant[:at], Level: grant[at+1:], On: onFolder, New: !slices.Contains(before.Grants, grant)}
		if slices.Contains(plan.environment.Operators, g.Principal) && plan.environment.Deploy.Permissions[g.Principal] != g.Level {
			g.On = onAll
		}
		out.Grants = append(out.Grants, g)
	}
}
