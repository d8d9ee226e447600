package artifacts

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/bargeml/barge/environments"
)

// pickles are what Python's pickle makes, protocol by protocol, of a mapping as scikit-learn's estimators are pickled,
// with another below it that notes the same version.
var pickles = []string{
	"ccollections\nOrderedDict\np0\n(tRp1\nVcoef\np2\nc_codecs\nencode\np3\n(V\\u0000\np4\nVlatin1\np5\ntp6\nRp7\nsV_sklearn_version\np8\nV1.4.2\np9\nsVsteps\np10\n(lp11\n(dp12\ng8\ng9\nsas.",
	"ccollections\nOrderedDict\nq\x00)Rq\x01(X\x04\x00\x00\x00coefq\x02K\x01X\x10\x00\x00\x00_sklearn_versionq\x03X\x05\x00\x00\x001.4.2q\x04u.",
	"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(X\x04\x00\x00\x00coefq\x02c_codecs\nencode\nq\x03X\x03\x00\x00\x00\x00\x00\x00q\x04X\x06\x00\x00\x00latin1q\x05\x86q\x06Rq\x07X\x10\x00\x00\x00_sklearn_versionq\x08X\x05\x00\x00\x001.4.2q\tX\x05\x00\x00\x00stepsq\n]q\x0b}q\x0ch\x08h\tsau.",
	"\x80\x03ccollections\nOrderedDict\nq\x00)Rq\x01(X\x04\x00\x00\x00coefq\x02C\x03\x00\x00\x00q\x03X\x10\x00\x00\x00_sklearn_versionq\x04X\x05\x00\x00\x001.4.2q\x05X\x05\x00\x00\x00stepsq\x06]q\x07}q\x08h\x04h\x05sau.",
	"\x80\x04\x95^\x00\x00\x00\x00\x00\x00\x00\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94(\x8c\x04coef\x94C\x03\x00\x00\x00\x94\x8c\x10_sklearn_version\x94\x8c\x051.4.2\x94\x8c\x05steps\x94]\x94}\x94h\x06h\x07sau.",
}

const (
	newer = "\x8c\x10_sklearn_version\x94\x95\x00\x00\x00\x00\x00\x00\x00\x00\x8c\x081.5.0rc1\x94"
	// bzipped is a pickle that bzip2 has bzipped, which Go only unpacks.
	bzipped = "BZh91AY&SY\xa1\x8d\xd4]\x00\x00\x10\xfb\xe0N\x00@\x00\x80\x014\x00\x00\x00\xa2-\x99\x02@\x04\x06\x00 \x00!\xa94h\xc9\xb4C\x13\xda\x9a\x14\x00\x00\x192!\xb0\nC$\xd7\xb4\t\x8f\xb0z\x1f\x92LZ\x19\x0b^\x06j\xcd\xa1w$S\x85\t\n\x18\xddE\xd0"
)

func compressed(t *testing.T, w io.WriteCloser, to *bytes.Buffer, s string) string {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return to.String()
}

func TestSklearnVersions(t *testing.T) {
	var z, g bytes.Buffer
	zipped := compressed(t, zlib.NewWriter(&z), &z, pickles[4])
	for name, tc := range map[string]struct{ in, want string }{
		"protocol 0": {pickles[0], "1.4.2"},
		"protocol 1": {pickles[1], "1.4.2"},
		"protocol 2": {pickles[2], "1.4.2"},
		"protocol 3": {pickles[3], "1.4.2"},
		"protocol 4": {pickles[4], "1.4.2"},
		"bzip2":      {bzipped, "1.4.2"},
		"cut bzip2":  {bzipped[:len(bzipped)/2], ""},
		"zlib":       {zipped, "1.4.2"},
		"gzip":       {compressed(t, gzip.NewWriter(&g), &g, pickles[3]), "1.4.2"},
		"two":        {pickles[4] + newer, "1.4.2 1.5.0rc1"},
		"cut off":    {pickles[4][:strings.Index(pickles[4], "1.4.2")+3], ""},
		"no version": {"\x8c\x10_sklearn_version\x94\x8c\x03one\x94", ""},
		"no text":    {"\x8c\x10_sklearn_version\x94N.", ""},
		"in prose":   {"# _sklearn_version 1.4.2", ""},
		"empty":      {"", ""},
		"cut zlib":   {zipped[:len(zipped)/2], ""},
		"no zlib":    {"x\x9c" + strings.Repeat("a", 100), ""},
	} {
		got, err := sklearnVersions(strings.NewReader(tc.in), true)
		if err != nil || strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tc.want)
		}
	}
	for before := 1<<20 - 40; before < 1<<20+180; before++ { // wherever it lies between what is read at once
		got, err := sklearnVersions(strings.NewReader(strings.Repeat("\x00", before)+newer+strings.Repeat("\x00", 300)), true)
		if err != nil || !slices.Equal(got, []string{"1.5.0rc1"}) {
			t.Fatalf("after %d bytes: %q, %v", before, got, err)
		}
	}
}

func FuzzSklearnVersions(f *testing.F) {
	for _, p := range pickles {
		f.Add([]byte(p))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		found, err := sklearnVersions(bytes.NewReader(b), true)
		if err != nil {
			return
		}
		for _, v := range found {
			if !libraryVersion().MatchString(v) {
				t.Errorf("%q was taken for a version", v)
			}
		}
	})
}

// TestOtherLibraries: a compute that installs another scikit-learn than wrote the model is warned of.
func TestOtherLibraries(t *testing.T) {
	y := newYard(t)
	y.write(map[string]string{"models/a.pkl": pickles[0], "models/b.sav": pickles[4], "models/notes.txt": pickles[0] + newer})
	y.commit("model")
	y.project.Artifact.Models = []environments.Model{{Label: "a", Path: "models"}}
	y.project.Environments[1].Models = []environments.ModelUse{{Label: "a"}}
	for library, want := range map[string]string{
		"pypi:scikit-learn==1.4.2": "", "pypi:mlflow==2.16.2": "", "pypi:scikit-learn>=1.5": "",
		"pypi:scikit_learn==1.5.1": "model a was written by scikit-learn 1.4.2, and compute ml installs 1.5.1: it may load wrongly, or not at all",
	} {
		y.store, y.project.Computes[0].Libraries = newStore(t), []string{library}
		r := y.build("")
		if got := strings.Join(r.Warnings, "\n"); got != want {
			t.Errorf("%s: %q, want %q", library, got, want)
		}
		in, err := y.store.Inspect(t.Context(), r.ID)
		if err != nil || !slices.Equal(in.Models[0].Sklearn, []string{"1.4.2"}) {
			t.Errorf("it is inspected as %+v, %v", in.Models, err)
		}
	}
	y.project.Environments[1].Scores = nil
	y.project.Environments[1].Gates = []environments.Gate{{Name: "g", Notebook: "shared/gate", Compute: "ml"}}
	for cell, want := range map[string]string{
		`%pip install "scikit-learn==1.5.1" pandas`:            "notebook shared/gate installs 1.5.1",
		"%pip install scikit_learn[docs]==1.4.2":               "", // it comes after the compute's
		"%pip install -r ../needs.txt":                         "notebook shared/gate installs 1.5.2",
		"%pip install --requirement=../conf/needs.txt":         "notebook shared/gate installs 1.5.3",
		"%pip install -r /Volumes/gone.txt":                    "compute ml installs 1.5.1",
		"%pip install pandas\n# MAGIC %pip list\nimport numpy": "compute ml installs 1.5.1",
	} {
		y.write(map[string]string{
			"notebooks/shared/gate.py": notebook("# MAGIC %run ./prep\n\n# COMMAND ----------\n\n# MAGIC " + cell),
			"notebooks/needs.txt":      "# what is needed\n-r more.txt\n", "notebooks/more.txt": "-r needs.txt\nscikit-learn == 1.5.2 ; python_version > '3'  # why\n",
			"conf/needs.txt": "scikit-learn===1.5.3\n",
		})
		y.commit("gate")
		y.project.Artifact.Notebooks.Include = []string{"**"}
		y.store, y.project.Computes[0].Libraries = newStore(t), []string{"pypi:scikit-learn==1.5.1"}
		got := strings.Join(y.build("").Warnings, "\n")
		if want != "" {
			want = "model a was written by scikit-learn 1.4.2, and " + want + ": it may load wrongly, or not at all"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", cell, got, want)
		}
	}
}
