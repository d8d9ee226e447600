package environments

// Diagnostic is one thing that is wrong with the configuration.
type Diagnostic struct{}
