package ci

import "strings"

// Tag is the tag that the pipeline runs for, and the commit that it says is under it; "" outside a pipeline, and where
// it runs for something else.
func Tag(getenv func(string) string) (tag, commit string) {
	var ref string
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		ref, commit = getenv("GITHUB_REF"), getenv("GITHUB_SHA")
	case strings.EqualFold(getenv("TF_BUILD"), "true"):
		ref, commit = getenv("BUILD_SOURCEBRANCH"), getenv("BUILD_SOURCEVERSION")
	}
	tag, ok := strings.CutPrefix(ref, "refs/tags/")
	if !ok || tag == "" {
		return "", ""
	}
	return tag, commit
}
