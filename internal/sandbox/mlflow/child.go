package mlflow

import "os"

// Command is a process to start. Log takes its standard output and error; the starter duplicates it, so that the
// caller may close it.
type Command struct {
	Argv, Env []string
	Dir       string
	Log       *os.File
}

// Child is a started process.
type Child interface {
	// Wait returns when the process has ended. It is called once.
	Wait() error
	// Kill ends the process and all its children. It is safe to repeat, and after the end.
	Kill() error
}
