package environments

// hole is a value that was unknown when the project was loaded: a variable or env() that is not set.
type hole struct {
	owner string // the block that has it: "workspace.prod"
	part  part
	diag  Diagnostic
}

// part says whose copy of a value counts.
type part int

const (
	rest  part = iota // the artifact's
	where             // what is read where barge runs
	rule              // what is changed by approval alone
)
