package release_test

import (
	"errors"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/release"
)

// alone is one environment that nothing stands before.
const alone = `
environment "prod" {
  workspace = workspace.prod
  path      = "/Barge/p"
  model "m" {
    stage            = "Production"
    archive_existing = true
  }
  score "nightly" {
    notebook = "score"
    schedule = { cron = "0 0 2 * * ?", timezone = "UTC" }
  }
}
`

// returned rolls prod back and gives the name of what is live then.
func (b *bench) returned(r release.Return) string {
	b.t.Helper()
	r.Environment = "prod"
	done, err := b.rollback("on call", r)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.story())
	}
	if drifted := b.drift("prod"); len(drifted) > 0 {
		b.t.Errorf("after returning to %s: %v", done.Release, drifted)
	}
	return done.Release.Name
}

func TestRollbackStepsBackToGenesis(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before := b.register()
	b.stage(before, "Production")
	for _, name := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		b.promoted(b.build(name, b.register(), alone), "prod")
	}
	got := []string{b.returned(release.Return{}), b.returned(release.Return{}), b.returned(release.Return{})}
	if diff := cmp.Diff([]string{"1.1.0", "1.0.0", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := b.standing("Production"); got != before {
		t.Errorf("Production holds %q, and before barge it held %q", got, before)
	}
	b.stage(before, "Archived") // by hand
	if got := b.returned(release.Return{}); got != "" || b.standing("Production") != before {
		t.Errorf("a drifted Genesis: %q, and Production holds %q", got, b.standing("Production"))
	}
	b.promoted(b.build("1.3.0", b.register(), alone), "prod")
	b.intact("prod")
}

func (b *bench) stage(version, stage string) {
	b.t.Helper()
	b.api("registry", http.MethodPost, "/api/2.0/mlflow/databricks/model-versions/transition-stage",
		map[string]any{"name": "m", "version": version, "stage": stage, "archive_existing_versions": false}, nil)
}

func TestARollbackNeverReturnsToWhatItRemoves(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.build("1.0.0", b.register(), alone)
	b.promoted(a, "prod")
	b.promoted(b.build("1.1.0", b.register(), alone), "prod")
	if _, err := b.world("ci").Promote(t.Context(), release.Request{Release: a, Environment: "prod", AllowOlder: true}); err != nil {
		t.Fatal(err)
	}
	if got := b.returned(release.Return{}); got != "1.1.0" {
		t.Errorf("from 1.0.0, which was live twice, to %q", got)
	}
	if got := b.returned(release.Return{Fault: "data"}); got != "" {
		t.Errorf("from 1.1.0 to %q, and 1.0.0 is barred", got)
	}
	if _, err := b.rollback("on call", release.Return{Environment: "prod", Release: a}); !errors.Is(err, ledger.ErrBarred) {
		t.Errorf("to a barred release by name: %v", err)
	}
	if got := b.returned(release.Return{Release: "1.1.0"}); got != "1.1.0" {
		t.Errorf("a rollback of a rollback: %q", got)
	}
	done, err := b.rollback("on call", release.Return{Environment: "prod", Release: "1.1.0", Fault: "model"})
	if err != nil || done.Outcome != "nothing-to-do" || len(b.state("prod").Bars) != 1 {
		t.Errorf("to the champion: %+v, %v, bars %v", done, err, b.state("prod").Bars)
	}
}

// TestFaultOfTheModel steps over everything that has the same model.
func TestFaultOfTheModel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	good, bad := b.register(), b.register()
	b.promoted(b.build("1.0.0", good, alone), "prod")
	b.promoted(b.build("1.1.0", bad, alone), "prod")
	b.promoted(b.build("1.2.0", bad, strings.Replace(alone, "0 0 2", "0 0 3", 1)), "prod")
	if got := b.returned(release.Return{Fault: "model"}); got != "1.0.0" {
		t.Errorf("returned to %q", got)
	}
}

// TestAPointerThatGoesAndComesBack promotes a release without the score, and one with another.
func TestAPointerThatGoesAndComesBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	without := alone[:strings.Index(alone, "  score")] + "}\n"
	other := strings.Replace(alone, `score "nightly"`, `score "weekly"`, 1)
	b.promoted(b.build("1.0.0", b.register(), alone), "prod")
	b.brought(b.build("1.1.0", b.register(), without), "prod")
	if v := b.state("prod").Champion.Values["job:nightly"]; v != ledger.Off {
		t.Errorf("the job that the release does not have is %s", v)
	}
	b.brought(b.build("1.2.0", b.register(), other), "prod")
	if got := b.returned(release.Return{Release: "1.0.0"}); got != "1.0.0" {
		t.Fatal(got)
	}
	s := b.state("prod")
	if _, ours := s.Champion.Values["job:weekly"]; ours || s.Champion.Values["job:nightly"] == ledger.Off {
		t.Errorf("the champion's pointers are %v", s.Champion.Values)
	}
	if schedules := b.schedules(); schedules["p.prod.nightly"] != "UNPAUSED" || schedules["p.prod.weekly"] != "PAUSED" {
		t.Errorf("schedules: %v", schedules)
	}
	b.intact("prod")
}

// schedules says of each of prod's jobs, by tag, whether it is paused.
func (b *bench) schedules() map[string]string {
	b.t.Helper()
	var out struct {
		Jobs []struct {
			Settings struct {
				Tags     map[string]string
				Schedule struct {
					Pause string `json:"pause_status"`
				}
			}
		}
	}
	b.api("prod", http.MethodGet, "/api/2.2/jobs/list", nil, &out)
	schedules := map[string]string{}
	for _, job := range out.Jobs {
		schedules[job.Settings.Tags["barge"]] = job.Settings.Schedule.Pause
	}
	return schedules
}

// TestGenesisOfAnotherPlan begins the ledger by a release that never gets in, with a score that the next does not have.
func TestGenesisOfAnotherPlan(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	gated := strings.Replace(alone, `  score "nightly"`, "  gate \"good\" {\n    notebook = \"check\"\n    expect \"accurate\" {\n      that = metrics.accuracy >= 0.5\n    }\n  }\n"+`  score "nightly"`, 1)
	b.on("check", answering(0.1))
	if _, err := b.promote("ci", b.build("1.0.0", b.register(), gated), "prod"); !errors.Is(err, release.ErrGateFailed) {
		t.Fatal(err)
	}
	b.on("check", nil)
	b.promoted(b.build("1.1.0", b.register(), strings.Replace(gated, `score "nightly"`, `score "weekly"`, 1)), "prod")
	if drifted := b.drift("prod"); len(drifted) > 0 {
		t.Error(drifted)
	}
	if got := b.returned(release.Return{}); got != "" || b.schedules()["p.prod.weekly"] != "PAUSED" {
		t.Errorf("returned to %q, schedules %v", got, b.schedules())
	}
	b.intact("prod")
}

func TestFirstScorings(t *testing.T) {
	t.Parallel()
	expecting := strings.Replace(alone, `    schedule =`, "    expect \"rows\" {\n      that = metrics.accuracy >= 0.5\n    }\n    schedule =", 1)
	keeping := strings.Replace(expecting, `    schedule =`, "    on_failure = \"keep\"\n    schedule =", 1)
	broken := func(jobs.Attempt) jobs.Outcome {
		return jobs.Outcome{Result: jobs.Failed, Error: "ValueError: no table"}
	}
	for name, c := range map[string]struct {
		hcl      string
		answer   func(jobs.Attempt) jobs.Outcome
		why      error
		champion string
		proven   ledger.How
	}{
		"good":    {expecting, nil, nil, "1.1.0", ledger.Judged},
		"bad":     {expecting, answering(0.1), release.ErrRolledBack, "1.0.0", ledger.Before},
		"kept":    {keeping, answering(0.1), release.ErrGateFailed, "1.1.0", ledger.Kept},
		"errored": {expecting, broken, release.ErrInconclusive, "1.1.0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.promoted(b.build("1.0.0", b.register(), c.hcl), "prod")
			b.on("score", c.answer)
			second := b.build("1.1.0", b.register(), c.hcl)
			if _, err := b.promote("ci", second, "prod"); !errors.Is(err, c.why) {
				t.Fatalf("%v\n%s", err, b.story())
			}
			s := b.state("prod")
			if diff := cmp.Diff([]any{c.champion, c.proven}, []any{s.Champion.Release.Name, s.Champion.Proven}); diff != "" {
				t.Errorf("champion, proven (-want +got):\n%s", diff)
			}
			if drifted := b.drift("prod"); len(drifted) > 0 {
				t.Error(drifted)
			}
			if name != "errored" {
				return
			}
			third := b.build("1.2.0", b.register(), c.hcl)
			if _, err := b.promote("ci", third, "prod"); !errors.Is(err, release.ErrPending) {
				t.Errorf("over what is not proven: %v", err)
			}
			b.on("score", nil)
			b.promoted(second, "prod") // judges again, by a run of its own
			if s := b.state("prod"); s.Champion.Proven != ledger.Judged {
				t.Errorf("judged again it is %q", s.Champion.Proven)
			}
		})
	}
}

// TestAJudgeTooLate lets somebody roll back while the first scoring runs: its verdict changes nothing any more.
func TestAJudgeTooLate(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(jobs.Attempt) jobs.Outcome{"good": answering(0.9), "bad": answering(0.1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			hcl := strings.Replace(alone, `    schedule =`, "    expect \"rows\" {\n      that = metrics.accuracy >= 0.5\n    }\n    schedule =", 1)
			b.promoted(b.build("1.0.0", b.register(), hcl), "prod")
			second := b.build("1.1.0", b.register(), hcl)
			b.on("score", func(a jobs.Attempt) jobs.Outcome {
				b.on("score", nil)
				if _, err := b.rollback("on call", release.Return{Environment: "prod", LetFinish: true}); err != nil {
					t.Error(err)
				}
				return answer(a)
			})
			if _, err := b.promote("ci", second, "prod"); !errors.Is(err, release.ErrConflict) || errors.Is(err, release.ErrPartial) {
				t.Errorf("%v\n%s", err, b.story())
			}
			if s := b.state("prod"); s.Champion.Release.Name != "1.0.0" || s.Champion.By != ledger.Rollback || len(s.Bars) != 1 {
				t.Errorf("the champion is %+v, bars %v", s.Champion, s.Bars)
			}
		})
	}
}

func TestDriftIsMended(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.build("1.0.0", b.register(), alone)
	b.promoted(first, "prod")
	second := b.build("1.1.0", b.register(), alone)
	job := b.state("prod").Job("job:nightly")
	for how, spoil := range map[string]func(){
		"another version": func() { b.stage("1", "Archived") },
		"a paused schedule": func() {
			b.api("prod", http.MethodPost, "/api/2.2/jobs/update", map[string]any{"job_id": job, "new_settings": map[string]any{
				"schedule": map[string]any{"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"},
			}}, nil)
		},
		"a job that is gone": func() { b.api("prod", http.MethodPost, "/api/2.2/jobs/delete", map[string]any{"job_id": job}, nil) },
	} {
		job = b.state("prod").Job("job:nightly")
		spoil()
		if len(b.drift("prod")) == 0 {
			t.Errorf("%s: status does not tell", how)
		}
		if _, err := b.promote("ci", second, "prod"); !errors.Is(err, release.ErrConflict) {
			t.Errorf("%s: promoting over it: %v", how, err)
		}
		done, err := b.promote("ci", first, "prod")
		if err != nil || done.Outcome != "mended" {
			t.Fatalf("%s: %+v, %v\n%s", how, done, err, b.story())
		}
		if drifted := b.drift("prod"); len(drifted) > 0 || !b.state("prod").IsProven() {
			t.Errorf("%s: mended, %v", how, drifted)
		}
	}
	if done, err := b.promote("ci", first, "prod"); err != nil || done.Outcome != "nothing-to-do" {
		t.Errorf("nothing drifted: %+v, %v", done, err)
	}
	b.intact("prod")
}

// TestTheWayBack takes away what a rollback would need: the rollback says so, and the next promotion puts back what is
// the way back from then on.
func TestTheWayBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.build("1.0.0", b.register(), alone)
	b.promoted(first, "prod")
	second := b.build("1.1.0", b.register(), strings.Replace(alone, "0 0 2", "0 0 3", 1))
	b.promoted(second, "prod")
	folders := map[string]bool{}
	for _, a := range b.runs.Attempts() {
		folders[path.Dir(a.NotebookPath)] = true
	}
	for folder := range folders {
		b.api("prod", http.MethodPost, "/api/2.0/workspace/delete", map[string]any{"path": folder, "recursive": true}, nil)
	}
	_, err := b.rollback("on call", release.Return{Environment: "prod"})
	if !errors.Is(err, release.ErrConflict) || !strings.Contains(err.Error(), "nothing was done") {
		t.Errorf("rolling back: %v", err)
	}
	if s := b.state("prod"); s.Flight != nil || s.Champion.Release.Name != second {
		t.Errorf("the champion is %s, in flight %+v", s.Champion.Release, s.Flight)
	}
	b.promoted(b.build("1.2.0", b.register(), alone), "prod")
	if got := b.returned(release.Return{}); got != second {
		t.Errorf("rolled back to %s", got)
	}
}

func TestTheModelOfAnotherProject(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name := b.build("1.0.0", b.register(), alone)
	b.api("registry", http.MethodPost, "/api/2.0/mlflow/registered-models/set-tag", map[string]any{"name": "m", "key": "barge.project", "value": "churn"}, nil)
	_, err := b.promote("ci", name, "prod")
	if !errors.Is(err, release.ErrConflict) || !strings.Contains(err.Error(), `belongs to project "churn", not to "p"`) {
		t.Errorf("%v", err)
	}
	if s := b.state("prod"); s.Seq != 0 {
		t.Errorf("the ledger has begun: %+v", s.Champion)
	}
}

// TestAnotherStage moves the environment's slot to another stage of the same model, and back by a rollback.
func TestAnotherStage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tag := func() string {
		t.Helper()
		tags, err := b.registry().ModelTags(t.Context(), "m")
		if err != nil {
			t.Fatal(err)
		}
		return tags["barge.env.prod"]
	}
	staging := strings.Replace(alone, `"Production"`, `"Staging"`, 1)
	b.promoted(b.build("1.0.0", b.register(), staging), "prod")
	b.promoted(b.build("1.1.0", b.register(), alone), "prod")
	if got := []string{b.standing("Production"), b.standing("Staging"), tag()}; !cmp.Equal(got, []string{"2", "", "2"}) {
		t.Errorf("Production, Staging, tag: %q", got)
	}
	b.returned(release.Return{})
	if got := []string{b.standing("Production"), b.standing("Staging"), tag()}; !cmp.Equal(got, []string{"", "1", "1"}) {
		t.Errorf("rolled back: Production, Staging, tag: %q", got)
	}
}

// TestAChampionThatIsNoMore rolls prod back to what stood there before barge: test's gate compares with nothing then.
func TestAChampionThatIsNoMore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	hcl := strings.Replace(testEnvironment, `    notebook = "check"`, "    notebook = \"check\"\n    against  = environment.prod", 1) + prodEnvironment
	first := b.build("1.0.0", b.register(), hcl)
	b.promoted(first, "test")
	b.promoted(first, "prod")
	if _, err := b.rollback("on call", release.Return{Environment: "prod"}); err != nil {
		t.Fatal(err)
	}
	second := b.build("1.1.0", b.register(), hcl)
	done, err := b.promote("ci", second, "test")
	if err != nil || done.Gates[0].Champion != "none" {
		t.Fatalf("%+v, %v", done, err)
	}
	b.promoted(second, "prod")
}
