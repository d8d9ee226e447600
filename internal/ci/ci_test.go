package ci_test

import (
	"testing"

	"github.com/bargeml/barge/internal/ci"
)

func TestRun(t *testing.T) {
	t.Parallel()
	github := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/churn",
		"GITHUB_RUN_ID": "7001", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_TOKEN": "s3cr3t",
	}
	azure := map[string]string{
		"TF_BUILD": "True", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/", "SYSTEM_TEAMPROJECT": "Credit Risk",
		"BUILD_BUILDID": "42", "SYSTEM_ACCESSTOKEN": "s3cr3t",
	}
	with := func(base map[string]string, pairs ...string) map[string]string {
		env := map[string]string{}
		for k, v := range base {
			env[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			env[pairs[i]] = pairs[i+1]
		}
		return env
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"a person":               {nil, ""},
		"variables and no CI":    {with(github, "GITHUB_ACTIONS", ""), ""},
		"GitHub":                 {github, "https://github.com/acme/churn/actions/runs/7001/attempts/2"},
		"no attempt":             {with(github, "GITHUB_RUN_ATTEMPT", ""), "https://github.com/acme/churn/actions/runs/7001"},
		"an enterprise server":   {with(github, "GITHUB_SERVER_URL", "https://git.acme.example:8443/gh"), "https://git.acme.example:8443/gh/acme/churn/actions/runs/7001/attempts/2"},
		"a repository that ends": {with(github, "GITHUB_REPOSITORY", "acme/../.."), ""},
		"no repository":          {with(github, "GITHUB_REPOSITORY", ""), ""},
		"no run":                 {with(github, "GITHUB_RUN_ID", "7001?x=1"), ""},
		"a password":             {with(github, "GITHUB_SERVER_URL", "https://x:s3cr3t@github.com"), ""},
		"a parameter":            {with(github, "GITHUB_SERVER_URL", "https://github.com?token=s3cr3t"), "https://github.com/acme/churn/actions/runs/7001/attempts/2"},
		"no http":                {with(github, "GITHUB_SERVER_URL", "javascript:alert(1)"), ""},
		"a line break":           {with(github, "GITHUB_SERVER_URL", "https://github.com\n::error::"), ""},

		"Azure":                 {azure, "https://dev.azure.com/acme/Credit%20Risk/_build/results?buildId=42"},
		"the old variable":      {with(azure, "SYSTEM_COLLECTIONURI", "", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "https://acme.visualstudio.com/"), "https://acme.visualstudio.com/Credit%20Risk/_build/results?buildId=42"},
		"a server of their own": {with(azure, "SYSTEM_COLLECTIONURI", "http://tfs:8080/tfs/Default/"), "http://tfs:8080/tfs/Default/Credit%20Risk/_build/results?buildId=42"},
		"a classic release": {
			with(azure, "RELEASE_RELEASEWEBURL", "https://dev.azure.com/acme/f3/_release?releaseId=392&_a=release-summary&token=s3cr3t#x"),
			"https://dev.azure.com/acme/f3/_release?_a=release-summary&releaseId=392",
		},
		"a release without a page": {with(azure, "RELEASE_RELEASEWEBURL", "vstfs:///ReleaseManagement/392"), "https://dev.azure.com/acme/Credit%20Risk/_build/results?buildId=42"},
		"no build":                 {with(azure, "BUILD_BUILDID", ""), ""},
		"no project":               {with(azure, "SYSTEM_TEAMPROJECT", ""), ""},
		"a token in the address":   {with(azure, "SYSTEM_COLLECTIONURI", "https://s3cr3t@dev.azure.com/acme/"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := ci.Run(func(name string) string { return c.env[name] }); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
