package mlflow

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// clause is one comparison of a filter; all must hold.
type clause struct {
	tag      bool
	key, op  string
	operands []string
}

const (
	quotedText = `'[^']*'|"[^"]*"`
	condition  = `^\s*([A-Za-z_]+)(?:\.(` + "`[^`]+`" + `|"[^"]+"|[\w.\-]+))?\s*(=|!=|>=|<=|>|<|(?i:NOT\s+IN|IN|LIKE|ILIKE)\b)\s*(\([^)]*\)|` + quotedText + `|[^\s'"()]+)\s*(.*)$`
)

var (
	oneCondition = regexp.MustCompile("(?s)" + condition)
	conjunction  = regexp.MustCompile(`(?is)^AND\s+(.+)$`)
	literal      = regexp.MustCompile(quotedText)
)

// parseFilter reads name = 'x' AND tags.key = 'y' and the like, with the attributes that keys allow.
func parseFilter(filter string, keys []string) ([]clause, error) {
	var clauses []clause
	for rest := strings.TrimSpace(filter); rest != ""; {
		m := oneCondition.FindStringSubmatch(rest)
		if m == nil {
			return nil, wire.Invalid("Invalid clause(s) in filter string: %s", rest)
		}
		c := clause{key: m[1], op: strings.Join(strings.Fields(strings.ToUpper(m[3])), " ")}
		if m[2] != "" {
			if kind := strings.ToLower(m[1]); kind == "tags" || kind == "tag" {
				c.tag = true
			}
			c.key = strings.Trim(m[2], "`\"")
		}
		if !c.tag && !slices.Contains(keys, c.key) {
			return nil, wire.Invalid("Invalid attribute key '%s' specified. Valid keys are '{'%s'}'", c.key, strings.Join(keys, "', '"))
		}
		for _, q := range literal.FindAllString(m[4], -1) {
			c.operands = append(c.operands, q[1:len(q)-1])
		}
		if len(c.operands) == 0 {
			if c.key != "version_number" {
				return nil, wire.Invalid("Parameter value is either not quoted or unidentified quote types used for string value %s. Use either single or double quotes.", m[4])
			}
			c.operands = []string{m[4]}
		}
		clauses = append(clauses, c)
		if rest = m[5]; rest != "" {
			and := conjunction.FindStringSubmatch(rest)
			if and == nil {
				return nil, wire.Invalid("Invalid clause(s) in filter string: %s", rest)
			}
			rest = and[1]
		}
	}
	return clauses, nil
}

// holds compares; a tag that is not there compares with nothing.
func (c clause) holds(attribute func(string) string, tags []keyed) bool {
	var have string
	if c.tag {
		i := slices.IndexFunc(tags, func(t keyed) bool { return t.Key == c.key })
		if i < 0 {
			return false
		}
		have = tags[i].Value
	} else {
		have = attribute(c.key)
	}
	want := c.operands[0]
	switch c.op {
	case "=":
		return have == want
	case "!=":
		return have != want
	case "IN":
		return slices.Contains(c.operands, have)
	case "NOT IN":
		return !slices.Contains(c.operands, have)
	case "LIKE", "ILIKE":
		return like(want, c.op == "ILIKE").MatchString(have)
	}
	a, _ := strconv.Atoi(have)
	b, _ := strconv.Atoi(want)
	return map[string]bool{">": a > b, ">=": a >= b, "<": a < b, "<=": a <= b}[c.op]
}

// like turns % and _ into what they stand for.
func like(pattern string, fold bool) *regexp.Regexp {
	flags := "(?s)"
	if fold {
		flags = "(?si)"
	}
	return regexp.MustCompile(flags + "^" + strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(pattern)) + "$")
}

func (s *space) searchModels(in params) (any, error) {
	limit, err := in.number("max_results", 100)
	if err != nil {
		return nil, err
	}
	if limit > 1000 {
		return nil, wire.Invalid("Invalid value for request parameter max_results. It must be at most 1000, but got value %d", limit)
	}
	clauses, err := parseFilter(text(in, "filter"), []string{"name"})
	if err != nil {
		return nil, err
	}
	var found []*lightModel
	for _, m := range s.models {
		if !slices.ContainsFunc(clauses, func(c clause) bool { return !c.holds(func(string) string { return m.Name }, m.Tags) }) {
			m.Latest = m.latest(stages)
			found = append(found, m)
		}
	}
	order, err := orders(in.list("order_by"), "{'timestamp', 'name'}", map[string]func(a, b *lightModel) int{
		"name":                   func(a, b *lightModel) int { return cmp.Compare(a.Name, b.Name) },
		"timestamp":              func(a, b *lightModel) int { return cmp.Compare(a.Updated, b.Updated) },
		"last_updated_timestamp": func(a, b *lightModel) int { return cmp.Compare(a.Updated, b.Updated) },
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, append(order, func(a, b *lightModel) int { return cmp.Compare(a.Name, b.Name) }).compare)
	return page(found, "registered_models", text(in, "page_token"), limit)
}

func (s *space) searchVersions(in params) (any, error) {
	limit, err := in.number("max_results", 10000)
	if err != nil {
		return nil, err
	}
	if limit < 1 {
		return nil, wire.Invalid("Invalid value for max_results. It must be a positive integer, but got %d", limit)
	}
	if limit > 200000 {
		return nil, wire.Invalid("Invalid value for request parameter max_results. It must be at most 200000, but got value %d", limit)
	}
	clauses, err := parseFilter(text(in, "filter"), []string{"name", "run_id", "version_number", "source_path"})
	if err != nil {
		return nil, err
	}
	var found []*lightVersion
	for _, m := range s.models {
		for _, v := range m.versions {
			attribute := func(key string) string {
				return map[string]string{"name": v.Name, "run_id": v.RunID, "version_number": v.Version, "source_path": v.Source}[key]
			}
			if !slices.ContainsFunc(clauses, func(c clause) bool { return !c.holds(attribute, v.Tags) }) {
				found = append(found, v)
			}
		}
	}
	byNumber := func(a, b *lightVersion) int { return cmp.Compare(number(a.Version), number(b.Version)) }
	byUpdate := func(a, b *lightVersion) int { return cmp.Compare(a.Updated, b.Updated) }
	byName := func(a, b *lightVersion) int { return cmp.Compare(a.Name, b.Name) }
	keys := in.list("order_by")
	order, err := orders(keys, "{'name', 'version_number', 'creation_timestamp', 'last_updated_timestamp'}", map[string]func(a, b *lightVersion) int{
		"name": byName, "version_number": byNumber, "last_updated_timestamp": byUpdate,
		"creation_timestamp": func(a, b *lightVersion) int { return cmp.Compare(a.Created, b.Created) },
	})
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		order = append(order, reverse(byUpdate))
	}
	slices.SortFunc(found, append(order, byName, reverse(byNumber)).compare)
	return page(found, "model_versions", text(in, "page_token"), limit)
}

func number(version string) int {
	n, _ := strconv.Atoi(version)
	return n
}

// ordering compares by the first of its members that tells two apart.
type ordering[T any] []func(a, b T) int

func (o ordering[T]) compare(a, b T) int {
	for _, by := range o {
		if c := by(a, b); c != 0 {
			return c
		}
	}
	return 0
}

func reverse[T any](by func(a, b T) int) func(a, b T) int {
	return func(a, b T) int { return by(b, a) }
}

// orders reads a list such as "version_number DESC".
func orders[T any](list []string, valid string, known map[string]func(a, b T) int) (ordering[T], error) {
	var order ordering[T]
	for _, text := range list {
		key, direction, _ := strings.Cut(strings.TrimSpace(text), " ")
		by := known[key]
		if by == nil {
			return nil, wire.Invalid("Invalid attribute key '%s' specified. Valid keys are '%s'", key, valid)
		}
		if equalFold(strings.TrimSpace(direction), "DESC") {
			by = reverse(by)
		}
		order = append(order, by)
	}
	return order, nil
}

// page cuts what was found; a token says how many came before.
func page[T any](found []T, key, token string, limit int) (any, error) {
	var at struct {
		Offset int `json:"offset"`
	}
	if token != "" {
		b, err := base64.StdEncoding.DecodeString(token)
		if err != nil || json.Unmarshal(b, &at) != nil {
			return nil, wire.Invalid("Invalid page token, could not base64-decode")
		}
	}
	found = found[min(max(at.Offset, 0), len(found)):]
	out := map[string]any{}
	if len(found) > limit {
		found = found[:limit]
		out["next_page_token"] = base64.StdEncoding.EncodeToString([]byte(`{"offset": ` + strconv.Itoa(at.Offset+limit) + `}`))
	}
	if len(found) > 0 {
		out[key] = found
	}
	return out, nil
}
