package access

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/disk"
	"github.com/bargeml/barge/internal/sandbox/wire"
)

// resource is a user, group or service principal as SCIM shows it.
type resource map[string]any

func (r resource) text(field string) string {
	for name, v := range r {
		if strings.EqualFold(name, field) {
			text, _ := v.(string)
			return text
		}
	}
	return ""
}

// directory is one collection of SCIM: its name in URLs, its schema, and the field that names a resource.
type directory struct{ name, schema, label string }

var directories = []directory{
	{"Users", "urn:ietf:params:scim:schemas:core:2.0:User", "userName"},
	{"Groups", "urn:ietf:params:scim:schemas:core:2.0:Group", "displayName"},
	{"ServicePrincipals", "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal", "applicationId"},
}

const scimBase = "/api/2.0/preview/scim/v2/"

func (s *Service) scimRoutes(m *wire.Mux) {
	m.JSON("GET "+scimBase+"Me", func(*http.Request) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.state.Resources["Users"][0], nil
	})
	for _, d := range directories {
		one := scimBase + d.name + "/{id}"
		for pattern, answer := range map[string]func(directory, *http.Request) (int, any, error){
			"GET " + scimBase + d.name:  s.scimList,
			"POST " + scimBase + d.name: s.scimCreate,
			"GET " + one:                s.scimGet,
			"PUT " + one:                s.scimPut,
			"PATCH " + one:              s.scimPatch,
			"DELETE " + one:             s.scimDelete,
		} {
			m.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.mu.Lock()
				status, body, err := answer(d, r)
				s.mu.Unlock()
				writeSCIM(w, status, body, err)
			}))
		}
	}
}

// scimError is an answer in SCIM's own shape of errors.
type scimError struct {
	status int
	detail string
}

func (e *scimError) Error() string { return e.detail }

func writeSCIM(w http.ResponseWriter, status int, body any, err error) {
	if e, ok := err.(*scimError); ok { //nolint:errorlint // made in this file, never wrapped
		status, body, err = e.status, map[string]any{
			"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"},
			"detail":  e.detail,
			"status":  strconv.Itoa(e.status),
		}, nil
	}
	switch {
	case err != nil:
		wire.Fail(w, err)
	case status == http.StatusNoContent:
		w.WriteHeader(status)
	default:
		wire.Write(w, status, body)
	}
}

var filterPattern = regexp.MustCompile(`(?i)^\s*([\w.]+)\s+(eq|sw|co)\s+["']?([^"']*)["']?\s*$`)

// matches evaluates the one comparison that clients send; SCIM's own language is larger.
func matches(filter string, r resource) (bool, error) {
	if filter == "" {
		return true, nil
	}
	m := filterPattern.FindStringSubmatch(filter)
	if m == nil {
		return false, &scimError{http.StatusBadRequest, fmt.Sprintf("Given filter operator is not supported: %s", filter)}
	}
	have, want := strings.ToLower(r.text(m[1])), strings.ToLower(m[3])
	switch strings.ToLower(m[2]) {
	case "sw":
		return strings.HasPrefix(have, want), nil
	case "co":
		return strings.Contains(have, want), nil
	}
	return have == want, nil
}

func (s *Service) scimList(d directory, r *http.Request) (int, any, error) {
	q := r.URL.Query()
	start, err := wire.Number("startIndex", q.Get("startIndex"), 1)
	if err != nil {
		return 0, nil, err
	}
	count, err := wire.Number("count", q.Get("count"), 100)
	if err != nil {
		return 0, nil, err
	}
	var found []resource
	for _, res := range s.state.Resources[d.name] {
		ok, err := matches(q.Get("filter"), res)
		if err != nil {
			return 0, nil, err
		}
		if ok {
			found = append(found, res)
		}
	}
	start = max(start, 1)
	page := found[min(int(start-1), len(found)):]
	page = page[:min(len(page), int(max(count, 0)))]
	body := map[string]any{
		"schemas":      []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": len(found), "startIndex": start, "itemsPerPage": len(page),
	}
	if len(page) > 0 {
		body["Resources"] = page
	}
	return http.StatusOK, body, nil
}

func (s *Service) scimFind(d directory, id string) (int, error) {
	at := slices.IndexFunc(s.state.Resources[d.name], func(r resource) bool { return r.text("id") == id })
	if at < 0 {
		return 0, &scimError{http.StatusNotFound, fmt.Sprintf("%s with id %s not found.", strings.TrimSuffix(d.name, "s"), id)}
	}
	return at, nil
}

func (s *Service) scimGet(d directory, r *http.Request) (int, any, error) {
	at, err := s.scimFind(d, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.state.Resources[d.name][at], nil
}

func readResource(r *http.Request) (resource, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, &scimError{http.StatusBadRequest, "Request is unparsable: " + err.Error()}
	}
	res := resource{}
	if err := json.Unmarshal(b, &res); err != nil {
		return nil, &scimError{http.StatusBadRequest, "Request is unparsable, syntactically incorrect, or violates schema."}
	}
	return res, nil
}

func (s *Service) scimCreate(d directory, r *http.Request) (int, any, error) {
	res, err := readResource(r)
	if err != nil {
		return 0, nil, err
	}
	if d.name == "ServicePrincipals" && res.text(d.label) == "" {
		res[d.label] = newUUID()
	}
	label := res.text(d.label)
	if label == "" {
		return 0, nil, &scimError{http.StatusBadRequest, fmt.Sprintf("Required attribute %s is missing.", d.label)}
	}
	for _, other := range s.state.Resources[d.name] {
		if strings.EqualFold(other.text(d.label), label) {
			return 0, nil, &scimError{http.StatusConflict, fmt.Sprintf("%s with %s %s already exists.", strings.TrimSuffix(d.name, "s"), d.label, label)}
		}
	}
	s.state.LastID++
	s.add(d, res, strconv.FormatInt(s.state.LastID, 10))
	return http.StatusCreated, res, disk.Save(s.file, s.state)
}

func (s *Service) add(d directory, res resource, id string) {
	res["id"], res["schemas"] = id, []string{d.schema}
	if _, said := res["active"]; !said && d.name != "Groups" {
		res["active"] = true
	}
	if res.text("displayName") == "" {
		res["displayName"] = res.text(d.label)
	}
	if d.name == "Groups" {
		res["meta"] = map[string]string{"resourceType": "WorkspaceGroup"}
	}
	s.state.Resources[d.name] = append(s.state.Resources[d.name], res)
}

func (s *Service) scimPut(d directory, r *http.Request) (int, any, error) {
	at, err := s.scimFind(d, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	res, err := readResource(r)
	if err != nil {
		return 0, nil, err
	}
	old := s.state.Resources[d.name][at]
	res["id"], res["schemas"] = old["id"], old["schemas"]
	if res.text(d.label) == "" {
		res[d.label] = old[d.label]
	}
	s.state.Resources[d.name][at] = res
	return http.StatusOK, res, disk.Save(s.file, s.state)
}

func (s *Service) scimDelete(d directory, r *http.Request) (int, any, error) {
	at, err := s.scimFind(d, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	if d.name == "Users" && at == 0 {
		return 0, nil, &scimError{http.StatusForbidden, "A user cannot delete themselves."}
	}
	s.state.Resources[d.name] = slices.Delete(s.state.Resources[d.name], at, at+1)
	return http.StatusNoContent, nil, disk.Save(s.file, s.state)
}

var removeByValue = regexp.MustCompile(`^(\w+)\[value eq "([^"]*)"\]$`)

// scimPatch understands add, replace and remove of a field, and of a list's element by its value.
func (s *Service) scimPatch(d directory, r *http.Request) (int, any, error) {
	at, err := s.scimFind(d, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	ask, err := readResource(r)
	if err != nil {
		return 0, nil, err
	}
	res := maps.Clone(s.state.Resources[d.name][at]) // the old one may be on its way to a client
	operations, _ := ask["Operations"].([]any)
	for _, each := range operations {
		op, _ := each.(map[string]any)
		verb, name := strings.ToLower(resource(op).text("op")), resource(op).text("path")
		if err := res.patch(verb, name, op["value"]); err != nil {
			return 0, nil, err
		}
	}
	s.state.Resources[d.name][at] = res
	return http.StatusOK, res, disk.Save(s.file, s.state)
}

func (r resource) patch(verb, name string, value any) error {
	if fields, ok := value.(map[string]any); ok && name == "" {
		for field, v := range fields {
			if err := r.patch(verb, field, v); err != nil {
				return err
			}
		}
		return nil
	}
	list, _ := r[name].([]any)
	m := removeByValue.FindStringSubmatch(name)
	switch {
	case verb == "remove" && m != nil:
		list, _ = r[m[1]].([]any)
		r[m[1]] = slices.DeleteFunc(slices.Clone(list), func(e any) bool {
			fields, _ := e.(map[string]any)
			return fields["value"] == m[2]
		})
	case verb == "remove" && name != "":
		delete(r, name)
	case verb == "add" && name != "":
		if more, ok := value.([]any); ok {
			value = slices.Concat(list, more)
		}
		r[name] = value
	case verb == "replace" && name != "":
		r[name] = value
	default:
		return &scimError{http.StatusBadRequest, fmt.Sprintf("Unsupported patch operation %q on path %q.", verb, name)}
	}
	return nil
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
