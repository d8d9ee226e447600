package release_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/release"
)

// command is what a process of barge is started for.
type command struct {
	verb        string
	environment string
	release     string // a name; "" where the command chooses
	fault       string
	wait        time.Duration
	turnBack    bool
}

func (c command) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s --env %s %s wait=%s back=%v", c.verb, c.release, c.environment, c.fault, c.wait, c.turnBack))
}

// choose draws a command as people and pipelines would give it.
func choose(random *rand.Rand, p *simProject, environment string) command {
	any := func() string { return p.releases[random.IntN(len(p.releases))].Name }
	c := command{environment: environment, wait: time.Duration(min(1, random.IntN(3))) * 5 * time.Minute}
	if environment == "" {
		c.environment = []string{"test", "prod", "prod"}[random.IntN(3)]
	}
	switch n := random.IntN(20); {
	case n < 10:
		c.verb, c.release = "promote", any()
	case n < 14:
		c.verb = "rollback"
		c.fault = []string{"", "", "", "model", "data"}[random.IntN(5)]
		if random.IntN(3) == 0 {
			c.release = any()
		}
	case n < 17:
		c.verb, c.turnBack = "resume", random.IntN(3) == 0
	case n < 18:
		c.verb = []string{"hold", "unhold", "unhold"}[random.IntN(3)]
	case n < 19:
		c.verb, c.release = []string{"bar", "unbar", "unbar"}[random.IntN(3)], any()
	default:
		c.verb, c.release, c.environment = "waive", any(), "prod"
	}
	return c
}

// run starts a command as a process of its own and reports to ended when it has ended or died.
func (s *simulation) run(id, host int, c command, ended func()) {
	p := &process{s: s, id: id, environment: c.environment, does: c, host: host, began: time.Now(), firstHead: -1, ended: ended}
	p.trouble = s.draws()
	s.mu.Lock()
	s.processes = append(s.processes, p)
	s.mu.Unlock()
	s.note("%s: %s %+v", p, c, p.trouble)
	w := p.world(s.store)
	p.from = s.books[c.environment].state.Seq
	go func() {
		done, err := c.do(context.Background(), w)
		s.arrive(arrival{p: p, done: func() {
			if !p.crashed.Load() {
				s.note("%s ends: %+v %v", p, done, err)
				s.result(p, done, err)
				ended()
			}
		}})
	}()
}

// do runs the command to its end.
func (c command) do(ctx context.Context, w *release.World) (any, error) {
	switch c.verb {
	case "promote":
		return w.Promote(ctx, release.Request{Release: c.release, Environment: c.environment, AllowOlder: true})
	case "rollback":
		return w.Rollback(ctx, release.Return{Environment: c.environment, Release: c.release, Fault: c.fault, Wait: c.wait})
	case "resume":
		return w.Resume(ctx, release.Resumption{Environment: c.environment, TurnBack: c.turnBack, Wait: c.wait})
	case "hold":
		return w.Hold(ctx, c.environment, "why not")
	case "unhold":
		return w.Unhold(ctx, c.environment, "enough")
	case "bar":
		return w.Bar(ctx, c.environment, c.release, "", "why not")
	case "unbar":
		return w.Unbar(ctx, c.environment, c.release, "enough")
	case "waive":
		return w.Waive(ctx, c.environment, "score:nightly", c.release, "so be it")
	}
	return w.Status(ctx, c.environment)
}

// followUp gives a command for what has happened.
func (s *simulation) followUp(host int, c command) {
	if s.left == 0 {
		return
	}
	s.left++
	s.alones++
	s.run(20_000+s.alones, host, c, func() { s.left-- })
}

// actor gives commands one after another.
func (s *simulation) actor(id, commands int, environment string) {
	random := rand.New(rand.NewPCG(s.seed, uint64(1000+id)))
	var next func()
	n := 0
	next = func() {
		if n == commands {
			s.left--
			return
		}
		n++
		s.after(time.Duration(random.IntN(40_000))*time.Millisecond, func() {
			s.run(100*id+n, max(0, s.random.IntN(4)-2), choose(random, s.project, environment), next)
		})
	}
	next()
}

// alone runs one command when nothing else runs, and gives what it came to.
func (s *simulation) alone(c command, store *artifacts.Store) (done any, err error) {
	over := false
	s.alones++
	p := &process{s: s, id: 10_000 + s.alones, environment: c.environment, does: c, began: time.Now(), firstHead: -1}
	p.from = s.books[c.environment].state.Seq
	s.processes = append(s.processes, p)
	s.note("%s alone: %s", p, c)
	w := p.world(store)
	go func() {
		d, e := c.do(context.Background(), w)
		s.arrive(arrival{p: p, done: func() {
			s.note("%s ends: %+v %v", p, d, e)
			s.result(p, d, e)
			done, err, over = d, e, true
		}})
	}()
	s.until(func() bool { return over })
	return done, err
}

// play plays a seed to its end.
func play(t *testing.T, seed uint64) *simulation {
	t.Helper()
	project, err := theProject()
	if err != nil {
		t.Fatal(err)
	}
	s := &simulation{
		t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 7)), profile: profiles[seed%uint64(len(profiles))], project: project,
		lags: map[string]lag{}, books: map[string]*simBook{"test": newBook("test"), "prod": newBook("prod")}, counts: map[string]int{},
	}
	synctest.Test(t, func(t *testing.T) {
		s.t = t
		s.scene(project.store(t))
		if t.Failed() {
			t.Logf("seed %d (%s); what happened:\n%s", seed, s.profile.name, strings.Join(s.story[max(0, len(s.story)-*tell):], "\n"))
		}
	})
	return s
}

// scene is the plot of every seed: some releases go to test, several act at once, then all is quiet and what was left
// open is brought to its end.
func (s *simulation) scene(store *artifacts.Store) {
	s.store = store
	s.began, s.over, s.woken = time.Now(), make(chan struct{}), make(chan struct{}, 1)
	defer func() {
		close(s.over)
		s.honest = true
		synctest.Wait()
	}()
	first := *s.project.cloud
	if s.random.IntN(2) == 0 { // something stood there before barge
		first.stages = map[string]string{"1": "None", "2": "None", "3": "None", "4": "Production"}
	}
	s.moments = []moment{{time.Now(), &first}}
	s.honest = true
	proven := s.random.Perm(len(s.project.releases))[:2+s.random.IntN(3)]
	slices.Sort(proven)
	for _, i := range proven {
		if _, err := s.alone(command{verb: "promote", environment: "test", release: s.project.releases[i].Name}, store); err != nil {
			s.wrong("the beginning", "%v", err)
			return
		}
	}
	s.honest = false
	s.left = 2 + s.random.IntN(3)
	only := ""
	if s.profile.apart || s.random.IntN(2) == 0 {
		only = "prod"
	}
	s.hands()
	for id := range s.left {
		s.actor(id, 2+s.random.IntN(4), only)
	}
	s.until(func() bool { return s.left == 0 })
	s.honest = true
	s.until(func() bool { return s.events.Len() == 0 })
	s.atRest()
	for _, environment := range []string{"test", "prod"} {
		s.bringToAnEnd(environment, store)
	}
	for _, environment := range []string{"test", "prod"} {
		s.mendAll(environment, store)
	}
	s.atTheEnd(store)
}

// hands changes pointers by hand now and then, where nothing is in flight: what barge is to find and mend.
func (s *simulation) hands() {
	s.after(s.between(time.Minute, 5*time.Minute), func() {
		b := s.books[[]string{"test", "prod", "prod"}[s.random.IntN(3)]]
		if s.left == 0 {
			return
		}
		if b.state.Seq > 0 && s.still(b) && s.one(s.profile.hands) {
			s.byHand(b)
			c := command{verb: "promote", environment: b.environment, release: b.state.Champion.Release.Name}
			if c.release != "" {
				s.after(s.between(time.Second, 20*time.Second), func() { s.followUp(0, c) })
			}
		}
		s.hands()
	})
}

func (s *simulation) byHand(b *simBook) {
	next := *s.cloud()
	if id := b.state.Job("job:nightly"); id != 0 && s.random.IntN(2) == 0 {
		job := next.jobs[id]
		job.settings = maps.Clone(job.settings)
		job.settings["schedule"] = map[string]any{"quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"}
		next.jobs = maps.Clone(next.jobs)
		next.jobs[id] = job
	} else {
		next.stages = maps.Clone(next.stages)
		next.stages[fmt.Sprint(1+s.random.IntN(3))] = []string{"Staging", "Production", "Archived"}[s.random.IntN(3)]
		s.other(b.environment).moved = true
	}
	b.moved = true
	s.counts["changes by hand"]++
	s.note("somebody changes a pointer of %s by hand", b.environment)
	s.moments = append(s.moments, moment{time.Now(), &next})
}

// bringToAnEnd resumes: once ends it, a second time changes nothing. From every state one fresh `resume` ends with
// Live, told to finish or (a start) to turn back.
func (s *simulation) bringToAnEnd(environment string, store *artifacts.Store) {
	book := s.books[environment]
	open := book.state.Flight != nil
	c := command{verb: "resume", environment: environment, wait: 10 * time.Minute}
	c.turnBack = book.state.InFlight() == ledger.Start && s.random.IntN(2) == 0
	_, err := s.alone(c, store)
	if book.state.Seq == 0 {
		return
	}
	if book.state.Flight != nil || open && err != nil && !errors.Is(err, release.ErrRolledBack) && !errors.Is(err, release.ErrInconclusive) {
		s.wrong("one resume ends it", "%s: %v, in flight %+v", environment, err, book.state.Flight)
		return
	}
	before := book.state.Seq
	c.turnBack = false
	again, err := s.alone(c, store)
	if book.state.Seq != before || err != nil && len(s.wrongPointers(environment)) == 0 && !s.profile.beyond {
		s.wrong("a second resume changes nothing", "%s: %+v, %v; entries %d to %d", environment, again, err, before, book.state.Seq)
	}
}

// mendAll promotes the champion itself, or where there is none rolls back to what stood there: whatever drifted is
// right again.
func (s *simulation) mendAll(environment string, store *artifacts.Store) {
	book := s.books[environment]
	if book.state.Seq == 0 || len(s.wrongPointers(environment)) == 0 {
		return
	}
	s.counts["mended at the end"]++
	champion := book.state.Champion.Release
	c := command{verb: "promote", environment: environment, release: champion.Name}
	if champion.Artifact == "" {
		c.verb, c.release = "rollback", ""
	}
	for _, before := range []string{"unhold", "unbar"} {
		if before == "unbar" && champion.Artifact == "" {
			continue
		}
		if _, err := s.alone(command{verb: before, environment: environment, release: champion.Name}, store); err != nil {
			s.wrong("mending", "%s %s: %v", before, environment, err)
		}
	}
	if _, err := s.alone(c, store); err != nil {
		s.wrong("mending", "%s: %v", environment, err)
	}
}

// atTheEnd reads the ledgers as an auditor, and holds what status says against what stands there.
func (s *simulation) atTheEnd(store *artifacts.Store) {
	for _, environment := range []string{"test", "prod"} {
		if s.books[environment].state.Seq == 0 {
			continue
		}
		s.statusNamesDrift(environment, store)
		if all := s.wrongPointers(environment); len(all) > 0 {
			s.wrong("the pointers are the champion's", "%s at the end: %v", environment, all)
		}
		var problems []ledger.Problem
		var err error
		over := false
		s.alones++
		p := &process{s: s, id: 10_000 + s.alones, environment: environment, began: time.Now()}
		book, _ := p.world(store).Ledger(environment)
		go func() {
			found, e := book.Verify(context.Background())
			s.arrive(arrival{p: p, done: func() { problems, err, over = found, e, true }})
		}()
		s.until(func() bool { return over })
		if err != nil || len(problems) > 0 {
			s.wrong("the ledger is intact", "%s: %v %v", environment, problems, err)
		}
		s.counts["entries"] += s.books[environment].state.Seq
	}
}
