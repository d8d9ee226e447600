package environments

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormat(t *testing.T) {
	example, err := os.ReadFile("testdata/diabetes/barge.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, want string }{
		{"project \"p\" {\nstore=\"x\" # why\n  tag_prefix   =  \"v\"\n}\n", "project \"p\" {\n  store      = \"x\" # why\n  tag_prefix = \"v\"\n}\n"},
		{"", ""},
		{string(example), string(example)},
	} {
		got, diags := Format([]byte(c.in), mainFile)
		if diff := cmp.Diff(c.want, string(got)); diff != "" || len(diags) > 0 {
			t.Error(diags, diff)
		}
		again, _ := Format(got, mainFile)
		if diff := cmp.Diff(string(got), string(again)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFormatDoesNotTouchWhatItCannotRead(t *testing.T) {
	got, diags := Format([]byte("project \"p\" {\n  store =\n}\n"), "dir/x.barge.hcl")
	if got != nil || len(diags) != 1 || diags[0].File != "dir/x.barge.hcl" || diags[0].Line != 2 {
		t.Errorf("%q %v", got, diags)
	}
}

// TestFormatKeepsLineEnds of Windows, and takes away the mark that some editors put before UTF-8.
func TestFormatKeepsLineEnds(t *testing.T) {
	for src, want := range map[string]string{
		"project \"p\" {\r\n  store=\"oci-layout:x\"\r\n}\r\n": "project \"p\" {\r\n  store = \"oci-layout:x\"\r\n}\r\n",
		"\ufeffproject \"p\" {}\n":                             "project \"p\" {}\n",
		"":                                                     "",
		"# nothing\n":                                          "# nothing\n",
	} {
		got, diags := Format([]byte(src), "barge.hcl")
		if string(got) != want || len(diags) > 0 {
			t.Errorf("%q: %q %v", src, got, diags)
		}
	}
}
