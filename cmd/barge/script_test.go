package main

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts below testdata/script drive the real command over twins whose notebooks are canned. Besides what
// testscript brings there are these verbs:
//
//	project                       the diabetes project in $WORK/project, committed; the script goes on in there
//	twins [up|down|move NAME]     the project's sandbox in this process, each twin at $NAME_URL; move gives a workspace
//	                              another id
//	release NAME [FEATURES]       other features where given, commit, tag vNAME, barge train, barge build
//	register VERSION CONTENT      a version of the model with that content, or with a dbfs: path as its source
//	tamper OLD NEW                other bytes under the number of the version with that content
//	edit FILE OLD NEW             replaces a text that must be there, everywhere in the file; \n ends a line
//	answer [-once] [-version=N] NOTEBOOK WHAT [TEXT]   what a notebook does from now on; see notebooks.answer
//	go NOTEBOOK                   lets runs go on that were told to wait
//	begun N                       waits until N notebooks have begun since the twins came up
//	fault WORKSPACE JSON          the twin's calls go wrong; "fault WORKSPACE clear" ends that
//	api WORKSPACE METHOD PATH [JSON]   a call to a twin, its answer to stdout
//	job SCORE [JSON]              prod's job of a score to stdout, or merged with JSON behind barge's back
//	fire SCORE                    runs prod's job as its schedule would
//	log WORKSPACE                 the twin's calls that change something to stdout; "log WORKSPACE clear"
//	hold WORKSPACE TEXT           the next call with TEXT in its path is not answered; held waits for it
//	signal INT|TERM|HUP           to what runs in the background
//	await FILE TEXT               waits until a process in the background has written a text into a file
//	follow [FILE]                 types what FILE, or the last stderr, says to type, in its order, as it stands there
//	byhand [FILE]                 sends the calls that FILE, or the last stderr, gives for a person to send
//	intact WORKSPACE              the ledger there verifies
//	mlflow                        an MLflow server at $MLFLOW_URL, which is a workspace too for the verb api
//	alias MODEL NAME [VERSION]    which version an alias names, in Unity Catalog or, where there is one, the MLflow server
//	slot STAGE [VERSION ...]      which versions stand in a stage, exactly
//	clock DURATION                moves the twins' clock
//	remember, unchanged           stages, tags, jobs and champions are what they were, and nothing has drifted
//	exitcode N ...                the code that barge last ended with; of several in the background, in any order
//	jsondoc PATH=VALUE ...        stdout is one JSON document with format_version 1, and holds these values
var update = flag.Bool("update", false, "write what is got into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"barge": func() {
		code := command()
		if err := noteExit(code); err != nil {
			panic(err)
		}
		os.Exit(code)
	}, "databricks": databricksCLI})
}

// noteExit leaves the exit code where the verb exitcode finds it.
func noteExit(code int) error {
	dir := os.Getenv("EXITS")
	if dir == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(dir, strconv.Itoa(os.Getpid())), []byte(strconv.Itoa(code)), 0o600)
}

func TestScripts(t *testing.T) { testscript.Run(t, scripts("script")) }

// scripts are those below a folder of testdata.
func scripts(folder string) testscript.Params {
	return testscript.Params{
		Dir:                 filepath.Join("testdata", folder),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"project": verb(project), "twins": verb(twins), "release": verb(makeRelease), "edit": verb(edit),
			"register": verb(registerVersion), "tamper": verb(tamper),
			"answer": verb(answer), "go": verb(letGo), "begun": verb(begun), "fault": verb(fault), "api": verb(api),
			"job": verb(job), "fire": verb(fire), "log": verb(requestLog), "intact": verb(intact), "hold": verb(hold), "held": verb(held), "slot": verb(slot), "alias": verb(aliasNames), "mlflow": verb(mlflowServer), "clock": verb(moveClock),
			"signal": verb(sendSignal), "follow": verb(follow), "byhand": verb(byHand), "await": verb(awaitText),
			"remember": verb(remembered), "unchanged": verb(unchanged), "exitcode": verb(exitCode), "jsondoc": verb(jsonDocument),
		},
	}
}

// setup gives a script its own sandbox-to-be, and git the same author and dates everywhere.
func setup(env *testscript.Env) error {
	exits := filepath.Join(env.WorkDir, ".exits")
	if err := os.Mkdir(exits, 0o700); err != nil {
		return err
	}
	for _, pair := range []string{
		"EXITS=" + exits, "GORACE=atexit_sleep_ms=0", "BARGE_SANDBOX=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=Test", "GIT_AUTHOR_EMAIL=test@barge.invalid", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z",
		"GIT_COMMITTER_NAME=Test", "GIT_COMMITTER_EMAIL=test@barge.invalid", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z",
	} {
		name, value, _ := strings.Cut(pair, "=")
		env.Setenv(name, value)
	}
	b := &bench{}
	env.Values[benchKey{}] = b
	env.Defer(b.close)
	return nil
}

type benchKey struct{}

// verb makes a command of a script: an error fails the script, and "!" is not understood.
func verb(do func(*testscript.TestScript, *bench, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this verb is never to fail")
		}
		if err := do(ts, ts.Value(benchKey{}).(*bench), args); err != nil { //nolint:forcetypeassert // set by setup
			ts.Fatalf("%v", err)
		}
	}
}
