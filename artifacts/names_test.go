package artifacts

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
)

func TestReleaseNames(t *testing.T) {
	commit := "0123456789abcdef0123456789abcdef01234567"
	for _, tc := range []struct {
		prefix string
		tags   []string
		want   []string
		err    string
	}{
		{"v", nil, []string{"g0123456789ab"}, ""},
		{"v", []string{"v1.4.0"}, []string{"1.4.0"}, ""},
		{"v", []string{"v1.10.0", "v1.9.0", "v1.10.0-rc1"}, []string{"1.10.0", "1.10.0-rc1", "1.9.0"}, ""},
		{"v", []string{"v2", "v1.9.0"}, []string{"2", "1.9.0"}, ""},
		{"v", []string{"vacation", "v", "nightly", "1.0.0"}, []string{"g0123456789ab"}, ""},
		{"v", []string{"v2026.09.01.1", "v1.0.0"}, []string{"1.0.0", "2026.09.01.1"}, ""},
		{"credit/v", []string{"credit/v1.0.0", "v2.0.0", "fraud/v3.0.0"}, []string{"1.0.0"}, ""},
		{"release-", []string{"release-september"}, []string{"september"}, ""},
		{"v", []string{"v1.0.0+5"}, nil, `tag v1.0.0+5: "1.0.0+5" cannot name a release`},
		{"v", []string{"v1.0.0+5", "v1.0.0"}, []string{"1.0.0"}, ""},
		{"x-", []string{"x-live.prod"}, nil, "the store uses such names itself"},
		{"v", []string{"v1/2"}, nil, "cannot name a release"},
	} {
		got, err := releaseNames(commit, tc.tags, tc.prefix)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s %v: error %v, want %q", tc.prefix, tc.tags, err, tc.err)
			}
			continue
		}
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Errorf("%s %v: %v (-want +got):\n%s", tc.prefix, tc.tags, err, diff)
		}
	}
}

func TestTagsOf(t *testing.T) {
	r := newRepo(t, map[string]string{"a": "1"})
	r.git("tag", "v1.0.0")
	r.git("tag", "-a", "v1.1.0", "-m", "annotated")
	r.git("tag", "elsewhere")
	r.git("tag", "vblob", r.git("hash-object", "-w", "a"))
	r.git("pack-refs", "--all")
	r.git("tag", "-a", "v1.2.0", "-m", "not packed")
	r.write(map[string]string{"a": "2"})
	r.commit("second")
	r.git("tag", "v2.0.0")
	c := open(t, r.dir, "v1.0.0")
	got, err := c.releaseNames(BuildOptions{Project: &environments.Project{}})
	if diff := cmp.Diff([]string{"1.2.0", "1.1.0", "1.0.0"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestCompareNames(t *testing.T) {
	ordered := []string{"g0123456789ab", "nightly", "1.4.0-rc1", "1.4.0-rc1-m2", "1.4.0", "1.4.0-m2", "1.4.0-m2-m1", "1.4.0-m18", "1.10.0"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := compareNames(a, b), slices.Compare([]int{i}, []int{j}); got != want {
				t.Errorf("%s to %s is %d, want %d", a, b, got, want)
			}
		}
	}
}
