package gates

import "strings"

// Task says what a gate's or a scoring's notebook is run for.
type Task struct {
	Release, Environment string
	// Run is the run's token; in scheduled runs the platform's own run id ("{{job.run_id}}").
	Run string
	// Config is the absolute path of the environment's config file; empty where it names none.
	Config string
	// Models are the exact versions, by label.
	Models map[string]Model
}

// Model is one exact model version: its number, and the URI that loads it and no other.
type Model struct{ URI, Version string }

// Training says what a training notebook is run for.
type Training struct {
	Environment, Run, Config string
	// Models are the models that it is to register, by label.
	Models map[string]Registered
}

// Registered is where a trained model goes: the registry's own name for it, and the registry's URI.
type Registered struct{ Name, Registry string }

// Told returns the widgets of a gate's or a scoring's notebook.
func (t Task) Told() map[string]string {
	told := map[string]string{"barge_release": t.Release}
	common(told, t.Environment, t.Run, t.Config)
	for label, m := range t.Models {
		told["barge_model_"+Fold(label)+"_uri"] = m.URI
		told["barge_model_"+Fold(label)+"_version"] = m.Version
	}
	return told
}

// Told returns the widgets of a training notebook.
func (t Training) Told() map[string]string {
	told := map[string]string{}
	common(told, t.Environment, t.Run, t.Config)
	for label, m := range t.Models {
		told["barge_model_"+Fold(label)+"_name"] = m.Name
		told["barge_model_"+Fold(label)+"_registry"] = m.Registry
	}
	return told
}

func common(told map[string]string, environment, run, config string) {
	told["barge_environment"] = environment
	told["barge_run"] = run
	if config != "" {
		told["barge_config"] = config
	}
}

// Fold makes a label fit a widget's name: every character outside [A-Za-z0-9_] becomes "_".
func Fold(label string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' {
			return r
		}
		return '_'
	}, label)
}
