// Package secrets is a twin's secret scopes. Unlike on the real service every caller may read values back; they lie
// in one file per scope, readable by the owner of the sandbox alone.
package secrets

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bargeml/barge/internal/sandbox/disk"
	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Limits of the service: names, bytes of a value, secrets in a scope, scopes in a workspace.
const (
	maxValue  = 128 << 10
	maxKeys   = 1000
	maxScopes = 1000
)

var validName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// Service holds the scopes of one twin. It is safe for concurrent use.
type Service struct {
	dir, user string
	now       func() time.Time

	mu     sync.Mutex
	scopes map[string]*scope
}

type scope struct {
	Name    string            `json:"name"`
	Secrets map[string]secret `json:"secrets"`
	ACLs    map[string]string `json:"acls"`
}

type secret struct {
	Value   []byte `json:"value"`
	Updated int64  `json:"last_updated_timestamp"`
}

// New opens the scopes kept under dir. user becomes the manager of the scopes that are created.
func New(dir, user string, now func() time.Time) (*Service, error) {
	s := &Service{dir: filepath.Join(dir, "secrets"), user: user, now: now, scopes: map[string]*scope{}}
	files, err := filepath.Glob(filepath.Join(s.dir, "scope-*.json"))
	if err != nil {
		return nil, fmt.Errorf("looking for secret scopes: %w", err)
	}
	for _, name := range files {
		sc := &scope{}
		if err := disk.Load(name, sc); err != nil {
			return nil, err
		}
		s.scopes[sc.Name] = sc
	}
	return s, nil
}

// Close does nothing: there is nothing to stop.
func (s *Service) Close() error { return nil }

// Get returns a secret's value, or 404 RESOURCE_DOES_NOT_EXIST.
func (s *Service) Get(scopeName, key string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sc := s.scopes[scopeName]; sc != nil {
		if found, ok := sc.Secrets[key]; ok {
			return string(found.Value), nil
		}
	}
	return "", wire.NotFound("Secret does not exist with scope: %s and key: %s", scopeName, key)
}

// Routes registers the secrets API.
func (s *Service) Routes(m *wire.Mux) {
	for pattern, serve := range map[string]func(request) (any, error){
		"POST /api/2.0/secrets/scopes/create": s.createScope,
		"GET /api/2.0/secrets/scopes/list":    s.listScopes,
		"POST /api/2.0/secrets/scopes/delete": s.deleteScope,
		"POST /api/2.0/secrets/put":           s.put,
		"GET /api/2.0/secrets/get":            s.get,
		"POST /api/2.0/secrets/delete":        s.delete,
		"GET /api/2.0/secrets/list":           s.list,
		"POST /api/2.0/secrets/acls/put":      s.putACL,
		"GET /api/2.0/secrets/acls/get":       s.getACL,
		"GET /api/2.0/secrets/acls/list":      s.listACLs,
		"POST /api/2.0/secrets/acls/delete":   s.deleteACL,
	} {
		m.JSON(pattern, func(r *http.Request) (any, error) {
			q := r.URL.Query()
			ask := request{Scope: q.Get("scope"), Key: q.Get("key"), Principal: q.Get("principal")}
			if r.Method == http.MethodPost {
				ask = request{}
				if err := wire.Decode(r, &ask); err != nil {
					return nil, err
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			return serve(ask)
		})
	}
}

// request is every field that a call on secrets may carry.
type request struct {
	Scope          string  `json:"scope"`
	Key            string  `json:"key"`
	Principal      string  `json:"principal"`
	Permission     string  `json:"permission"`
	String         *string `json:"string_value"`
	Bytes          *string `json:"bytes_value"`
	InitialManager string  `json:"initial_manage_principal"`
	Backend        string  `json:"scope_backend_type"`
	Vault          *vault  `json:"backend_azure_keyvault"`
}

type vault struct {
	ResourceID string `json:"resource_id"`
	DNSName    string `json:"dns_name"`
}

func (s *Service) save(sc *scope) error {
	return disk.Save(s.file(sc.Name), sc)
}

func (s *Service) file(name string) string { return filepath.Join(s.dir, "scope-"+name+".json") }

func (s *Service) named(name string) (*scope, error) {
	if name == "" {
		return nil, wire.Missing("scope")
	}
	if sc := s.scopes[name]; sc != nil {
		return sc, nil
	}
	return nil, wire.NotFound("Secret Scope does not exist")
}

func checkName(kind, name string) error {
	if validName.MatchString(name) {
		return nil
	}
	return wire.Invalid("%s name %q is invalid: it must consist of alphanumeric characters, dashes, underscores, and periods, and may not exceed 128 characters", kind, name)
}

func (s *Service) createScope(ask request) (any, error) {
	if ask.Scope == "" {
		return nil, wire.Missing("scope")
	}
	if err := checkName("Scope", ask.Scope); err != nil {
		return nil, err
	}
	switch ask.Backend {
	case "", "DATABRICKS":
	case "AZURE_KEYVAULT":
		return nil, ask.Vault.refuse()
	default:
		return nil, wire.Invalid("Unknown scope backend type: %s", ask.Backend)
	}
	manager := s.user
	switch ask.InitialManager {
	case "":
	case "users":
		manager = "users"
	default:
		return nil, wire.Invalid("initial_manage_principal must be 'users' or not set, got '%s'", ask.InitialManager)
	}
	if s.scopes[ask.Scope] != nil {
		return nil, wire.Errorf(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "Scope %s already exists!", ask.Scope)
	}
	if len(s.scopes) >= maxScopes {
		return nil, wire.Errorf(http.StatusBadRequest, "RESOURCE_LIMIT_EXCEEDED", "The workspace has reached its limit of %d secret scopes", maxScopes)
	}
	sc := &scope{Name: ask.Scope, Secrets: map[string]secret{}, ACLs: map[string]string{manager: "MANAGE"}}
	if err := s.save(sc); err != nil {
		return nil, err
	}
	s.scopes[sc.Name] = sc
	return nil, nil
}

// refuse says why no scope backed by Key Vault can be made: with a personal access token the service never can.
func (v *vault) refuse() error {
	if v == nil {
		v = &vault{}
	}
	var missing []string
	if v.ResourceID == "" {
		missing = append(missing, "backend_azure_keyvault.resource_id")
	}
	if v.DNSName == "" {
		missing = append(missing, "backend_azure_keyvault.dns_name")
	}
	if len(missing) > 0 {
		return wire.Invalid("Missing required fields: %s", strings.Join(missing, ", "))
	}
	return wire.Invalid("Scope with Azure KeyVault must have userAADToken defined!")
}

func (s *Service) listScopes(request) (any, error) {
	var list []map[string]string
	for _, name := range slices.Sorted(maps.Keys(s.scopes)) {
		list = append(list, map[string]string{"name": name, "backend_type": "DATABRICKS"})
	}
	return some("scopes", list), nil
}

// some leaves an empty list out, as the service does.
func some[T any](name string, list []T) any {
	if len(list) == 0 {
		return nil
	}
	return map[string][]T{name: list}
}

func (s *Service) deleteScope(ask request) (any, error) {
	sc, err := s.named(ask.Scope)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(s.file(sc.Name)); err != nil {
		return nil, fmt.Errorf("deleting secret scope %s: %w", sc.Name, err)
	}
	delete(s.scopes, sc.Name)
	return nil, nil
}

func (s *Service) put(ask request) (any, error) {
	sc, err := s.named(ask.Scope)
	if err != nil {
		return nil, err
	}
	if ask.Key == "" {
		return nil, wire.Missing("key")
	}
	if err := checkName("Key", ask.Key); err != nil {
		return nil, err
	}
	value, err := ask.value()
	if err != nil {
		return nil, err
	}
	old, had := sc.Secrets[ask.Key]
	if !had && len(sc.Secrets) >= maxKeys {
		return nil, wire.Errorf(http.StatusBadRequest, "RESOURCE_LIMIT_EXCEEDED", "The scope %s has reached its limit of %d secrets", sc.Name, maxKeys)
	}
	sc.Secrets[ask.Key] = secret{Value: value, Updated: s.now().UnixMilli()}
	if err := s.save(sc); err != nil {
		if delete(sc.Secrets, ask.Key); had {
			sc.Secrets[ask.Key] = old
		}
		return nil, err
	}
	return nil, nil
}

func (ask request) value() ([]byte, error) {
	if (ask.String == nil) == (ask.Bytes == nil) {
		return nil, wire.Invalid("Exactly one of string_value and bytes_value must be given")
	}
	var value []byte
	if ask.String != nil {
		value = []byte(*ask.String)
	} else {
		var err error
		if value, err = base64.StdEncoding.DecodeString(*ask.Bytes); err != nil {
			return nil, wire.Invalid("bytes_value is not valid base64")
		}
	}
	if len(value) > maxValue {
		return nil, wire.Invalid("The secret's value of %d bytes exceeds the maximum of %d bytes", len(value), maxValue)
	}
	return value, nil
}

func (s *Service) get(ask request) (any, error) {
	if ask.Scope == "" {
		return nil, wire.Missing("scope")
	}
	if ask.Key == "" {
		return nil, wire.Missing("key")
	}
	if sc := s.scopes[ask.Scope]; sc != nil {
		if found, ok := sc.Secrets[ask.Key]; ok {
			return map[string]string{"key": ask.Key, "value": base64.StdEncoding.EncodeToString(found.Value)}, nil
		}
	}
	return nil, wire.NotFound("Secret does not exist with scope: %s and key: %s", ask.Scope, ask.Key)
}

func (s *Service) delete(ask request) (any, error) {
	sc, err := s.named(ask.Scope)
	if err != nil {
		return nil, err
	}
	old, ok := sc.Secrets[ask.Key]
	if !ok {
		return nil, wire.NotFound("Secret does not exist with scope: %s and key: %s", ask.Scope, ask.Key)
	}
	delete(sc.Secrets, ask.Key)
	if err := s.save(sc); err != nil {
		sc.Secrets[ask.Key] = old
		return nil, err
	}
	return nil, nil
}

func (s *Service) list(ask request) (any, error) {
	sc, err := s.named(ask.Scope)
	if err != nil {
		return nil, err
	}
	var list []map[string]any
	for _, key := range slices.Sorted(maps.Keys(sc.Secrets)) {
		list = append(list, map[string]any{"key": key, "last_updated_timestamp": sc.Secrets[key].Updated})
	}
	return some("secrets", list), nil
}

func (s *Service) putACL(ask request) (any, error) {
	sc, err := s.named(ask.Scope)
	if err != nil {
		return nil, err
	}
	if ask.Principal == "" {
		return nil, wire.Missing("principal")
	}
	if !slices.Contains([]string{"READ", "WRITE", "MANAGE"}, ask.Permission) {
		return nil, wire.Invalid("Permission must be one of READ, WRITE, MANAGE, got '%s'", ask.Permission)
	}
	sc.ACLs[ask.Principal] = ask.Permission
	return nil, s.save(sc)
}

func (s *Service) acl(ask request) (*scope, string, error) {
	sc, err := s.named(ask.Scope)
	if err != nil {
		return nil, "", err
	}
	if ask.Principal == "" {
		return nil, "", wire.Missing("principal")
	}
	permission, ok := sc.ACLs[ask.Principal]
	if !ok {
		return nil, "", wire.NotFound("Failed to get secret acl for principal %s for scope %s.", ask.Principal, ask.Scope)
	}
	return sc, permission, nil
}

func (s *Service) getACL(ask request) (any, error) {
	_, permission, err := s.acl(ask)
	if err != nil {
		return nil, err
	}
	return map[string]string{"principal": ask.Principal, "permission": permission}, nil
}

func (s *Service) listACLs(ask request) (any, error) {
	sc, err := s.named(ask.Scope)
	if err != nil {
		return nil, err
	}
	var items []map[string]string
	for _, principal := range slices.Sorted(maps.Keys(sc.ACLs)) {
		items = append(items, map[string]string{"principal": principal, "permission": sc.ACLs[principal]})
	}
	return some("items", items), nil
}

func (s *Service) deleteACL(ask request) (any, error) {
	sc, _, err := s.acl(ask)
	if err != nil {
		return nil, err
	}
	delete(sc.ACLs, ask.Principal)
	return nil, s.save(sc)
}
