package environments

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/google/go-cmp/cmp"
)

// TestTheKeysOfAJobAreTheServices holds jobkeys.txt against the service's own description of a job's settings; -update
// writes it.
func TestTheKeysOfAJobAreTheServices(t *testing.T) {
	k := keyLister{said: map[string]bool{}}
	k.list(reflect.TypeFor[jobs.JobSettings]())
	got := strings.Join(k.lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile("jobkeys.txt", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(jobKeysText), got); diff != "" {
		t.Errorf("run go test -run %s . -update (-want +got):\n%s", t.Name(), diff)
	}
}

// keyLister writes a line for each type of an object, with its keys and what they hold.
type keyLister struct {
	said  map[string]bool
	lines []string
}

func (k *keyLister) list(t reflect.Type) {
	if k.said[t.Name()] {
		return
	}
	k.said[t.Name()] = true
	line := len(k.lines)
	k.lines = append(k.lines, t.Name())
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if key == "" || key == "-" {
			continue
		}
		kind := anyKind
		if refusedKeys[t.Name()+"."+key] == "" && !foreignTask(key) {
			kind = k.kind(t.Field(i).Type)
		}
		k.lines[line] += " " + key + "=" + kind
	}
}

func (k *keyLister) kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return k.kind(t.Elem())
	case reflect.Slice:
		return "[]" + k.kind(t.Elem())
	case reflect.Map:
		return "{}" + k.kind(t.Elem())
	case reflect.String:
		if words := reflect.New(t).MethodByName("Values"); words.IsValid() {
			var all []string
			for i, given := 0, words.Call(nil)[0]; i < given.Len(); i++ {
				all = append(all, given.Index(i).String())
			}
			return strings.Join(all, "|")
		}
		return textKind
	case reflect.Bool:
		return flagKind
	case reflect.Int, reflect.Int64:
		return wholeKind
	case reflect.Float64:
		return numberKind
	case reflect.Struct:
		k.list(t)
		return t.Name()
	}
	panic(fmt.Sprintf("a job's settings hold a %s", t))
}
