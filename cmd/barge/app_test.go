package main

import (
	"strings"
	"testing"
)

func TestAPanicIsAnErrorThatSaysSo(t *testing.T) {
	err := guarded(func() error {
		var m map[string]int
		m["x"] = 1
		return nil
	})
	if err == nil || !strings.HasPrefix(err.Error(), "this is a defect in barge: assignment to entry in nil map") {
		t.Errorf("got %v", err)
	}
	if code, _ := exit(err); code != 1 {
		t.Errorf("exit code %d", code)
	}
}
