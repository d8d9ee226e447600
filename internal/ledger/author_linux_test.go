package ledger_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
)

func TestSeenDead(t *testing.T) {
	t.Parallel()
	self := ledger.Self()
	if self != ledger.Self() || len(self.Random) != 32 || self.PID != os.Getpid() || self.BootID == "" || self.PIDNamespace == "" || self.Start == "" {
		t.Fatalf("%+v", self)
	}
	child := exec.Command("cat")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	other := self
	other.PID, other.Start = child.Process.Pid, ledger.Started(child.Process.Pid)
	if other.Start == "" || ledger.SeenDead(other) {
		t.Errorf("%+v lives and is seen dead", other)
	}
	stdin.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if !ledger.SeenDead(other) {
		t.Errorf("%+v ended and is not seen dead", other)
	}
	for name, change := range map[string]func(*ledger.Author){
		"another boot":      func(a *ledger.Author) { a.BootID = "another" },
		"another namespace": func(a *ledger.Author) { a.PIDNamespace = "another" },
		"no namespace":      func(a *ledger.Author) { a.PIDNamespace = "" },
		"no start":          func(a *ledger.Author) { a.Start = "" },
	} {
		a := other
		if change(&a); ledger.SeenDead(a) {
			t.Errorf("%s: seen dead from here", name)
		}
	}
	reused := self
	if reused.Start = "1"; !ledger.SeenDead(reused) {
		t.Error("its pid was taken by another process, and it is not seen dead")
	}
	if ledger.SeenDead(self) {
		t.Error("this process sees itself dead")
	}
}
