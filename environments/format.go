package environments

import (
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format is the source of one file in the canonical spacing. What cannot be parsed is not touched: the diagnostics say
// why. Formatting twice changes nothing more.
func Format(src []byte, filename string) ([]byte, Diagnostics) {
	l := &loader{sources: map[string][]byte{filename: src}}
	if l.parse(hclparse.NewParser(), source{filename, src}); l.diags.HasErrors() {
		return nil, tidy(l.diags)
	}
	return hclwrite.Format(src), nil
}
