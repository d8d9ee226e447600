// Package barge holds what the command carries inside itself: the example projects that `barge demo` plays on.
package barge

import "embed"

// Projects are the example projects, below testdata/projects.
//
//go:embed all:testdata/projects
var Projects embed.FS
