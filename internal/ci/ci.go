// Package ci knows the pipelines that barge runs in: GitHub Actions and Azure Pipelines.
package ci

import (
	"net/url"
	"regexp"
	"strings"
)

// Run is the page of the pipeline's run that this process is part of, as its environment variables tell it; "" outside a
// pipeline, and where they tell no http(s) address. What it returns is safe to show to everybody: no user, no password,
// and no parameter but the number of the run.
func Run(getenv func(string) string) string {
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return github(getenv)
	case strings.EqualFold(getenv("TF_BUILD"), "true"):
		return azure(getenv)
	}
	return ""
}

var (
	number     = regexp.MustCompile(`^[0-9]+$`)
	repository = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)
)

func github(getenv func(string) string) string {
	u := address(getenv("GITHUB_SERVER_URL"))
	repo, run, attempt := getenv("GITHUB_REPOSITORY"), getenv("GITHUB_RUN_ID"), getenv("GITHUB_RUN_ATTEMPT")
	if u == nil || !repository.MatchString(repo) || !number.MatchString(run) {
		return ""
	}
	u = u.JoinPath(repo, "actions", "runs", run)
	if number.MatchString(attempt) {
		u = u.JoinPath("attempts", attempt)
	}
	return only(u)
}

// azure prefers the page of a classic release: there BUILD_BUILDID is the build that made its artifact.
func azure(getenv func(string) string) string {
	if u := address(getenv("RELEASE_RELEASEWEBURL")); u != nil {
		return only(u, "releaseId", "_a")
	}
	collection := getenv("SYSTEM_COLLECTIONURI")
	if collection == "" {
		collection = getenv("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI")
	}
	u, project, build := address(collection), getenv("SYSTEM_TEAMPROJECT"), getenv("BUILD_BUILDID")
	if u == nil || project == "" || !number.MatchString(build) {
		return ""
	}
	u = u.JoinPath(url.PathEscape(project), "_build", "results")
	u.RawQuery = url.Values{"buildId": {build}}.Encode()
	return u.String()
}

// address reads an http(s) URL; nil when it is none, or carries a user or a password.
func address(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return nil
	}
	u.Fragment, u.RawFragment = "", ""
	return u
}

// only keeps those parameters of a URL.
func only(u *url.URL, names ...string) string {
	given, kept := u.Query(), url.Values{}
	for _, name := range names {
		if given.Has(name) {
			kept.Set(name, given.Get(name))
		}
	}
	u.RawQuery = kept.Encode()
	return u.String()
}
