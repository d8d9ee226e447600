package ci

import "testing"

func TestTag(t *testing.T) {
	for _, tc := range []struct {
		environment map[string]string
		tag, commit string
	}{
		{map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/tags/v1.4.0", "GITHUB_SHA": "ab"}, "v1.4.0", "ab"},
		{map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main", "GITHUB_SHA": "ab"}, "", ""},
		{map[string]string{"TF_BUILD": "True", "BUILD_SOURCEBRANCH": "refs/tags/credit/v1", "BUILD_SOURCEVERSION": "cd"}, "credit/v1", "cd"},
		{map[string]string{"TF_BUILD": "True", "BUILD_SOURCEBRANCH": "refs/pull/7/merge", "BUILD_SOURCEVERSION": "cd"}, "", ""},
		{map[string]string{"GITHUB_REF": "refs/tags/v1.4.0", "GITHUB_SHA": "ab"}, "", ""},
		{map[string]string{"TF_BUILD": "True", "BUILD_SOURCEBRANCH": "refs/tags/"}, "", ""},
	} {
		if tag, commit := Tag(func(name string) string { return tc.environment[name] }); tag != tc.tag || commit != tc.commit {
			t.Errorf("%v is %q on %q, want %q on %q", tc.environment, tag, commit, tc.tag, tc.commit)
		}
	}
}
