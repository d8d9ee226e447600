package main

import (
	"errors"
	"strings"
	"testing"
)

func TestAPanicIsAnErrorThatSaysSo(t *testing.T) {
	err := guarded(func() error {
		var none []string
		return errors.New(none[len(none)])
	})
	if err == nil || !strings.HasPrefix(err.Error(), "this is a defect in barge: runtime error: index out of range") {
		t.Errorf("got %v", err)
	}
	if code, _ := exit(err); code != 1 {
		t.Errorf("exit code %d", code)
	}
}
