package ci_test

import (
	"testing"

	"github.com/bargeml/barge/internal/ci"
)

func TestAnnotation(t *testing.T) {
	t.Parallel()
	github := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/home/runner/work/churn"}
	azure := map[string]string{"TF_BUILD": "True", "BUILD_SOURCESDIRECTORY": "/agent/1/s"}
	wrong := ci.Annotation{File: "/home/runner/work/churn/ml/barge.hcl", Line: 3, Column: 5, EndLine: 3, EndCol: 9, Text: "50% of \"x\",\nand more"}
	warning, long, nowhere, outside, odd := wrong, wrong, wrong, wrong, wrong
	warning.Warning = true
	long.EndLine = 7
	nowhere.File = ""
	outside.File = "/elsewhere/barge.hcl"
	odd.File = "/home/runner/work/churn/a,b:c%/x];y.barge.hcl"
	for name, c := range map[string]struct {
		env  map[string]string
		a    ci.Annotation
		want string
	}{
		"a person":         {nil, wrong, ""},
		"GitHub":           {github, wrong, `::error file=ml/barge.hcl,line=3,endLine=3,col=5,endColumn=9::50%25 of "x",%0Aand more`},
		"several lines":    {github, long, `::error file=ml/barge.hcl,line=3,endLine=7::50%25 of "x",%0Aand more`},
		"a warning":        {github, warning, `::warning file=ml/barge.hcl,line=3,endLine=3,col=5,endColumn=9::50%25 of "x",%0Aand more`},
		"no place":         {github, nowhere, `::error::50%25 of "x",%0Aand more`},
		"another folder":   {github, outside, `::error file=/elsewhere/barge.hcl,line=3,endLine=3,col=5,endColumn=9::50%25 of "x",%0Aand more`},
		"an odd name":      {github, odd, `::error file=a%2Cb%3Ac%25/x];y.barge.hcl,line=3,endLine=3,col=5,endColumn=9::50%25 of "x",%0Aand more`},
		"Azure":            {azure, wrong, `##vso[task.logissue type=error;sourcepath=/home/runner/work/churn/ml/barge.hcl;linenumber=3;columnnumber=5]50%AZP25 of "x",%0Aand more`},
		"Azure, no place":  {azure, nowhere, `##vso[task.logissue type=error]50%AZP25 of "x",%0Aand more`},
		"Azure, a warning": {azure, warning, `##vso[task.logissue type=warning;sourcepath=/home/runner/work/churn/ml/barge.hcl;linenumber=3;columnnumber=5]50%AZP25 of "x",%0Aand more`},
		"Azure, odd name": {
			map[string]string{"TF_BUILD": "True", "BUILD_SOURCESDIRECTORY": "/home/runner/work/churn"},
			odd,
			`##vso[task.logissue type=error;sourcepath=a,b:c%AZP25/x%5D%3By.barge.hcl;linenumber=3;columnnumber=5]50%AZP25 of "x",%0Aand more`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.a.Command(func(name string) string { return c.env[name] }); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
