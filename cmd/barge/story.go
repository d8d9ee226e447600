package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
)

// act is one act of the story: what it shows, what is typed.
type act struct {
	title string
	shows string
	lines []line
}

// line is what a user would type. "edit FILE KEY VALUE" stands for an editor: it gives the one line of FILE that sets
// KEY another value.
type line struct {
	typed string
	exit  int                                 // of a barge command
	check func(context.Context, *stage) error // of what the line left
}

// prologue is what is typed before the first act.
var prologue = []line{
	{typed: "git init -q"},
	{typed: "git add ."},
	{typed: "git commit -qm 'The diabetes project'"},
}

// story is the diabetes project's: a release, a refusal, a better release, a rollback. The three trainings differ in
// their features alone; the notebook that tests the model is the same, byte by byte.
var story = []act{
	{"Act 1: train in dev, build, promote to test and to prod", "One commit and one model version become one artifact, and that artifact is what travels.", []line{
		{typed: "barge train"},
		{typed: "git tag v1.0.0"},
		{typed: "barge build"},
		{typed: "git clone -q . ../second-clone"},
		{typed: "barge build --dir ../second-clone --sandbox-dir .barge/sandbox", check: sameID},
		{typed: "barge inspect 1.0.0"},
		{typed: "barge promote --to test"},
		{typed: "barge promote --to prod"},
	}},
	{"Act 2: a worse model, and the gate says no", "It learns, but not enough. Prod does not notice.", []line{
		{typed: "edit barge.hcl features '\"Age,BMI\"'"},
		{typed: "git commit -qam 'Use age and BMI'"},
		{typed: "barge train"},
		{typed: "git tag v1.1.0"},
		{typed: "barge build"},
		{typed: "barge promote 1.1.0 --to test", exit: 3},
		{typed: "barge status"},
	}},
	{"Act 3: a better model goes through to prod", "The same gate, asked again, also about what runs in prod. One switch moves model, notebooks and schedule.", []line{
		{typed: "edit barge.hcl features '\"Pregnancies,Glucose,BloodPressure,SkinThickness,Insulin,BMI,DiabetesPedigreeFunction,Age\"'"},
		{typed: "edit conf/prod.yml keep_days 180"},
		{typed: "git commit -qam 'Use all features, keep scores longer'"},
		{typed: "barge train"},
		{typed: "git tag v1.2.0"},
		{typed: "barge build"},
		{typed: "barge promote 1.2.0 --to test"},
		{typed: "barge promote --to prod"},
		{typed: "barge status"},
	}},
	{"Act 4: take it back", "From the ledger alone: nothing is uploaded, nothing is run.", []line{
		{typed: "barge rollback --env prod --reason 'scores look wrong'"},
		{typed: "barge status"},
		{typed: "barge history --env prod"},
		{typed: "barge promote --to prod", exit: 8},
	}},
}

// epilogue are commands to try when the story is over. They are typed in the project's folder, in this order.
var epilogue = []struct {
	line
	about string
}{
	{line{typed: "export BARGE_SANDBOX=1"}, "use the twins, not the workspaces of barge.hcl"},
	{line{typed: "barge sandbox up"}, "the twins, again"},
	{line{typed: "barge history --env test"}, "every gate that was asked, and what came of it"},
	{line{typed: "barge rollback 1.2.0 --env prod", exit: 5}, "refused: it is barred"},
	{line{typed: "barge score --env prod"}, "score once more by hand, with 1.0.0"},
	{line{typed: "barge status -o json"}, "for scripts: every pointer, and whether it still is so"},
	{line{typed: "barge sandbox down"}, "stop the twins; their state is kept"},
}

// sameID holds the second clone's artifact against the first's: another folder and another store, the same id.
func sameID(ctx context.Context, s *stage) error {
	var ids []string
	for _, dir := range []string{s.dir, filepath.Join(filepath.Dir(s.dir), "second-clone")} {
		project, diags := environments.Load(dir, environments.Options{Sandbox: true})
		if diags.HasErrors() {
			return diags
		}
		store, err := artifacts.OpenStore(dir, project.Store)
		if err != nil {
			return err
		}
		found, err := store.Inspect(ctx, "1.0.0")
		if err != nil {
			return err
		}
		ids = append(ids, found.ID)
	}
	if ids[0] != ids[1] {
		return fmt.Errorf("the second clone built %s, the first %s", ids[1], ids[0])
	}
	s.say("# the same id from both clones\n")
	return nil
}
