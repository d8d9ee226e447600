package release_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/release"
)

// simBook is the truth of one environment: its ledger as written, and what the properties must remember.
type simBook struct {
	environment string
	state       ledger.State
	entries     []ledger.Entry
	times       []time.Time // when they were written
	ids         map[string]bool
	begun       time.Time       // when the last Begun was written
	flown       time.Time       // when something was last in flight
	unsure      bool            // its slot may be wrong without a rule having been broken
	moved       bool            // somebody changed a pointer by hand since the last Live
	set         map[string]bool // pointer and value, as this ledger has set it
	active      map[int64]bool  // jobs that were ever active
}

func newBook(environment string) *simBook {
	return &simBook{environment: environment, ids: map[string]bool{}, set: map[string]bool{}, active: map[int64]bool{}}
}

func (s *simulation) other(environment string) *simBook {
	if environment == "test" {
		return s.books["prod"]
	}
	return s.books["test"]
}

// sending is held right before a call goes out.
func (s *simulation) sending(c *simCall) {
	b := s.books[c.p.environment]
	if f := b.state.Flight; f != nil && f.By == c.p.author() {
		if strings.HasPrefix(c.r.path, "/api/2.2/jobs/run") && c.r.path != "/api/2.2/jobs/runs/list" && c.r.path != "/api/2.2/jobs/runs/cancel" {
			s.wrong("no gate or scoring is waited for between Begun and Live", "%s: %s", c.p, c.r)
		}
	}
}

// answered is held when an answer goes back. A read of an entry that is not there tells which head its reader knows.
func (s *simulation) answered(c *simCall, a simAnswer) {
	n := c.r.entry()
	switch {
	case n == 0 || !c.r.read() || c.r.workspace != c.p.environment:
	case a.status == 200:
		c.p.entry = max(c.p.entry, n)
	case a.status == 404 && c.p.firstHead < 0 && c.p.entry == n-1:
		c.p.firstHead = n - 1
	}
}

// took is held when a call that changes something has taken effect.
func (s *simulation) took(c *simCall, before *cloud, a simAnswer) {
	if n := c.r.entry(); n > 0 && a.status == 200 {
		s.written(c, n)
	}
	if c.r.pointer() {
		s.setUnderRight(c)
		s.slotsOfOthers(c, before)
	}
	s.activeJobs(c)
	s.atRestNow()
}

// setUnderRight: no Set takes effect under a right that is lost.
func (s *simulation) setUnderRight(c *simCall) {
	if s.profile.beyond {
		return
	}
	f := s.books[c.p.environment].state.Flight
	switch {
	case c.flight == nil || c.flight.By != c.p.author():
		s.wrong("a Set is sent by the owner alone", "%s: %s, in flight %+v", c.p, c.r, c.flight)
	case f == nil || f.By != c.p.author() || f.First != c.flight.First:
		s.wrong("no Set takes effect under a right that is lost", "%s: %s, sent %s ago; in flight %+v", c.p, c.r, time.Since(c.sent), f)
	}
}

// slotsOfOthers notes where a Set may have disturbed the other environment's slot: by an old or overtaken read, a call
// that went wrong, or because both change at once.
func (s *simulation) slotsOfOthers(c *simCall, _ *cloud) {
	b, o := s.books[c.p.environment], s.other(c.p.environment)
	if c.p.oldReads > 0 || c.p.faulty > 0 || s.profile.beyond || o.state.Flight != nil || o.flown.After(b.begun) {
		b.unsure, o.unsure = true, true
	}
}

// activeJobs: at most one id per job is ever active, and only one that the ledger has.
func (s *simulation) activeJobs(c *simCall) {
	if c.r.path != "/api/2.2/jobs/reset" {
		return
	}
	b := s.books[c.p.environment]
	tags := map[string]int64{}
	for id, job := range s.cloud().jobs {
		if job.workspace != c.p.environment || !activeJob(job) {
			continue
		}
		tag := job.settings["tags"].(map[string]any)["barge"].(string) //nolint:forcetypeassert // every job of ours has it
		if other := tags[tag]; other != 0 {
			s.wrong("at most one id per job is ever active", "%d and %d of %s", other, id, tag)
		}
		tags[tag] = id
		if pointer := "job:" + tag[strings.LastIndex(tag, ".")+1:]; !slices.Contains(b.state.Jobs[pointer], id) {
			s.wrong("only an id in the ledger is ever active", "%d of %s; the ledger has %v", id, tag, b.state.Jobs[pointer])
		}
	}
}

func activeJob(j simJob) bool {
	schedule, ok := j.settings["schedule"].(map[string]any)
	return ok && schedule["pause_status"] != "PAUSED" && j.settings["tasks"] != nil
}

// holds tells whether a pointer of the environment truly holds a value.
func (s *simulation) holds(b *simBook, id string, want ledger.Value) bool {
	c := s.cloud()
	if strings.HasPrefix(id, "job:") {
		job, ok := c.jobs[b.state.Job(id)]
		if want == ledger.Off || want == ledger.Absent {
			return !ok || !activeJob(job)
		}
		var wanted map[string]any
		if err := want.Decode(&wanted); err != nil || !ok {
			return false
		}
		return reflect.DeepEqual(job.settings, wanted)
	}
	stage := id[strings.LastIndex(id, "/")+1:]
	if want == ledger.Off || want == ledger.Absent {
		return !slices.ContainsFunc(b.state.Slots[id], func(v ledger.Value) bool { return c.stages[versionIn(v)] == stage })
	}
	at := c.stages[versionIn(want)]
	return at == stage || b.environment == "test" && at == "Production"
}

func versionIn(v ledger.Value) string {
	var version string
	_ = v.Decode(&version)
	return version
}

// wrongPointers are those of the champion that do not hold what the ledger says.
func (s *simulation) wrongPointers(environment string) []string {
	b := s.books[environment]
	var all []string
	for _, id := range slices.Sorted(maps.Keys(b.state.Champion.Values)) {
		if want := b.state.Champion.Values[id]; !s.holds(b, id, want) {
			all = append(all, id)
		}
	}
	return all
}

// still tells whether nothing is in flight and no call is open in an environment.
func (s *simulation) still(b *simBook) bool {
	now := time.Now()
	s.open = slices.DeleteFunc(s.open, func(c *simCall) bool { return c.effective.Before(now) })
	return b.state.Flight == nil && !slices.ContainsFunc(s.open, func(c *simCall) bool { return c.p.environment == b.environment })
}

// atRestNow: nothing in flight and no call open → the pointers are the champion's; nothing in flight in two
// environments on one model → both slots hold.
func (s *simulation) atRestNow() {
	if s.profile.beyond {
		return
	}
	test, prod := s.books["test"], s.books["prod"]
	both := s.still(test) && s.still(prod)
	for _, b := range []*simBook{test, prod} {
		if b.state.Seq == 0 || b.moved || !s.still(b) {
			continue
		}
		for _, id := range s.wrongPointers(b.environment) {
			if strings.HasPrefix(id, "job:") || both && !b.unsure {
				s.wrong("nothing in flight and no call open: the pointers are the champion's", "%s: %s should hold %s", b.environment, id, b.state.Champion.Values[id])
			}
		}
	}
}

func (s *simulation) atRest() { s.atRestNow() }

// statusNamesDrift: status names exactly the pointers that are not what the ledger says.
func (s *simulation) statusNamesDrift(environment string, store *artifacts.Store) {
	got, err := s.alone(command{verb: "status", environment: environment}, store)
	all, _ := got.([]release.Status)
	if err != nil || len(all) != 1 {
		s.wrong("status names what has drifted", "%s: %v", environment, err)
		return
	}
	var named []string
	for _, d := range all[0].Drift {
		named = append(named, d.Pointer)
	}
	want := s.wrongPointers(environment)
	named = slices.DeleteFunc(named, func(id string) bool { return s.misnamed(environment, id) && !slices.Contains(want, id) })
	if !slices.Equal(named, want) {
		s.wrong("status names what has drifted", "%s: it names %v, and %v are wrong", environment, named, want)
	}
}

// misnamed tells whether the model's tag names another version for the environment than its slot should hold, which
// status tells too: only calls that came later than D leave that behind.
func (s *simulation) misnamed(environment, id string) bool {
	value, ours := s.books[environment].state.Champion.Values[id]
	return ours && s.profile.beyond && strings.HasPrefix(id, ledger.SlotPrefix) && s.cloud().tags["barge.env."+environment] != versionIn(value)
}

// written is held at every entry.
func (s *simulation) written(c *simCall, number int) {
	b := s.books[c.p.environment]
	e, err := ledger.Decode(c.r.body)
	if err != nil {
		s.wrong("an entry can be read", "%v", err)
		return
	}
	was := b.state
	s.note("%s writes %d %s %s", c.p, e.Seq, e.Type(), describe(e))
	if number != was.Seq+1 || e.Seq != number || b.ids[e.ID] || e.By != c.p.author() {
		s.wrong("numbers without gaps, ids unique", "entry %d (%s) by %s follows %d", e.Seq, e.ID, e.By.Random, was.Seq)
	}
	b.ids[e.ID] = true
	b.state = e.State
	b.entries, b.times = append(b.entries, e), append(b.times, time.Now())
	switch body := e.Body.(type) {
	case ledger.Begun:
		s.begun(c, b, was, body)
	case ledger.Live:
		if e.Seq > 1 {
			s.live(c, b, was)
		}
	case ledger.Left:
		s.counts["left"]++
		s.nothingUnanswered(c)
	case ledger.Proven:
		s.counts["proven"]++
	}
	if was.Flight != nil || b.state.Flight != nil {
		b.flown = time.Now()
	}
	f := b.state.Flight
	c.p.owned = c.p.owned || f != nil && f.By == c.p.author()
}

func describe(e ledger.Entry) string {
	switch body := e.Body.(type) {
	case ledger.Begun:
		return fmt.Sprintf("%s of %s to %v found %v", body.Why, body.Release, short(body.To), body.Found)
	case ledger.Live:
		return fmt.Sprintf("%v", short(body.Values))
	case ledger.Proven:
		return fmt.Sprintf("%d %s", body.Live, body.How)
	}
	return ""
}

// short is values as they are told apart in a story.
func short(v ledger.Values) map[string]string {
	out := map[string]string{}
	for id, value := range v {
		var job struct {
			Schedule struct {
				Quartz string `json:"quartz_cron_expression"`
			}
		}
		if out[id] = string(value); strings.HasPrefix(id, "job:") && json.Unmarshal([]byte(value), &job) == nil {
			out[id] = job.Schedule.Quartz
		}
	}
	return out
}

// live: at every Live each pointer was read as `to` after the author's last Begun, and no unanswered Set of its own is
// younger than D. What stands there is therefore right, but for a slot that two environments move at once.
func (s *simulation) live(c *simCall, b *simBook, was ledger.State) {
	s.nothingUnanswered(c)
	b.moved = false
	sure := c.p.oldReads == 0 && c.p.faulty == 0 && !s.profile.beyond && s.other(b.environment).state.Flight == nil && !s.other(b.environment).flown.After(b.begun)
	for id, want := range was.Flight.To {
		isJob := strings.HasPrefix(id, "job:")
		if !s.holds(b, id, want) && !s.profile.beyond && (isJob || sure) {
			s.wrong("at every Live each pointer was read as `to`", "%s: %s should hold %s", c.p, id, want)
		}
	}
	if sure {
		b.unsure = false
	}
}

// nothingUnanswered holds at Live and Left.
func (s *simulation) nothingUnanswered(c *simCall) {
	for _, o := range s.open {
		if o.p == c.p && !o.definite && time.Since(o.sent) < promised.D && !s.profile.beyond {
			s.wrong("no unanswered Set is younger than D at Live and Left", "%s: %s, sent %s ago", c.p, o.r, time.Since(o.sent))
		}
	}
}

// result is held when a command has ended.
func (s *simulation) result(p *process, done any, err error) {
	b := s.books[p.environment]
	switch {
	case err == nil:
		s.counts["done"]++
	case errors.Is(err, release.ErrConflict):
		s.counts["exit 5"]++
	case errors.Is(err, release.ErrRolledBack):
		s.counts["exit 6"]++
	case errors.Is(err, release.ErrPartial):
		s.counts["exit 7"]++
		if s.profile.name == "calm" {
			s.wrong("neither of two environments ends in 7", "%s: %v", p, err)
		}
	case errors.Is(err, release.ErrPending):
		s.counts["exit 8"]++
	default:
		s.counts["other errors"]++
	}
	if back, is := done.(*release.RolledBack); is && err == nil && back.Outcome == "done" {
		s.rolledBack(p, b, back)
	}
}

// rolledBack: a rollback that reports done: what it was to remove is not live, and is barred (but `--fault data`).
func (s *simulation) rolledBack(p *process, b *simBook, back *release.RolledBack) {
	for _, e := range b.entries[min(p.from, len(b.entries)):] {
		switch body := e.Body.(type) {
		case ledger.Unbarred:
			return
		case ledger.Begun:
			if body.Release.Artifact == back.Removed.Artifact && e.By != p.author() && body.Why == ledger.Rollback {
				return // another rollback brought it back by name
			}
		}
	}
	if back.Removed.Artifact == "" || back.Removed.Artifact == back.Release.Artifact {
		return
	}
	_, barred := b.state.Barred(back.Removed)
	if b.state.Champion.Release.Artifact == back.Removed.Artifact || !barred && p.does.fault != "data" {
		s.wrong("a rollback that reports done has removed and barred", "%s: %s; the champion is %s, barred %v", p, back.Removed, b.state.Champion.Release, barred)
	}
}
