// Package identity has the credentials that barge signs in with, and the secrets that references name. Nothing of it
// starts, reads or dials before a token or a secret is asked for; what is then learnt is told to the redactor first.
package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/transport"
)

// Databricks is the scope of a token for any Azure Databricks workspace.
const Databricks = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"

// Options of Identities. The zero value works.
type Options struct {
	Dir       string              // relative paths of "file:" start here
	Getenv    func(string) string // nil: os.Getenv
	Transport http.RoundTripper   // nil: transport.New(transport.Options{})
	Redactor  *transport.Redactor // told of every secret and token; nil: nobody
	Now       func() time.Time
}

// Identities makes credentials and resolves references. Safe for concurrent use.
type Identities struct {
	o     Options
	chain func() (azcore.TokenCredential, error) // azidentity's own, for what has no auth block
}

// New makes Identities; nothing else happens.
func New(o Options) *Identities {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Transport == nil {
		o.Transport = transport.New(transport.Options{})
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	i := &Identities{o: o}
	i.chain = sync.OnceValues(i.defaultChain)
	return i
}

// Credential gives tokens for one scope under one identity. Safe for concurrent use.
type Credential struct {
	ids   *Identities
	what  string // for messages: "kind azure-cli"
	scope string
	azure func() (azcore.TokenCredential, error) // nil: fixed is the token
	fixed environments.SecretRef

	mu      sync.Mutex
	token   string
	expires time.Time
}

// For makes the credential that auth describes (nil: azidentity's chain), for Databricks. It reports settings that
// are missing or unknown; whether they are right is seen at the first token.
func (i *Identities) For(auth *environments.Auth) (*Credential, error) {
	if auth == nil {
		return &Credential{ids: i, what: "azidentity's chain", scope: Databricks, azure: i.chain}, nil
	}
	k, ok := kinds[auth.Kind]
	if !ok {
		return nil, fmt.Errorf("auth %q: no such kind; there are %s", auth.Kind, strings.Join(Kinds(), ", "))
	}
	for name := range auth.Settings {
		if !slices.Contains(k.settings, name) {
			return nil, fmt.Errorf("auth %q: it has no setting %q", auth.Kind, name)
		}
	}
	c := &Credential{ids: i, what: fmt.Sprintf("auth %q", auth.Kind), scope: Databricks}
	if k.make == nil {
		if c.fixed = auth.Token; c.fixed == "" {
			return nil, fmt.Errorf("auth %q: token is missing", auth.Kind)
		}
		return c, nil
	}
	copied := *auth
	c.azure = sync.OnceValues(func() (azcore.TokenCredential, error) { return k.make(i, copied) })
	return c, nil
}

// Kinds are the kinds of auth, sorted.
func Kinds() []string {
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// early is how long before its end a token is renewed.
const early = 5 * time.Minute

// Token gives a token, the same one until shortly before its end. Expiry is zero when the token tells none.
func (c *Credential) Token(ctx context.Context) (token string, expiry time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && (c.expires.IsZero() || c.ids.o.Now().Add(early).Before(c.expires)) {
		return c.token, c.expires, nil
	}
	if c.azure == nil {
		if c.token, err = c.ids.Secret(ctx, c.fixed); err != nil {
			return "", time.Time{}, fmt.Errorf("%s: %w", c.what, err)
		}
		return c.token, time.Time{}, nil
	}
	got, err := c.acquire(ctx)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("%s: %w", c.what, err)
	}
	c.ids.o.Redactor.Add(got.Token)
	c.token, c.expires = got.Token, got.ExpiresOn
	return c.token, c.expires, nil
}

func (c *Credential) acquire(ctx context.Context) (azcore.AccessToken, error) {
	cred, err := c.azure()
	if err != nil {
		return azcore.AccessToken{}, err
	}
	t, err := cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{c.scope}})
	if err != nil {
		return t, c.ids.plain(err)
	}
	return t, nil
}

// plain makes one line of azidentity's pages, and keeps what they wrap.
func (i *Identities) plain(err error) error {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		if line != "" && strings.Trim(line, "-=") != "" {
			lines = append(lines, line)
		}
	}
	return &oneLine{i.o.Redactor.String(strings.Join(lines, " ")), err}
}

type oneLine struct {
	text string
	err  error
}

func (e *oneLine) Error() string { return e.text }
func (e *oneLine) Unwrap() error { return e.err }

// Secret resolves a reference and tells the redactor of the value. An empty value is an error.
func (i *Identities) Secret(ctx context.Context, ref environments.SecretRef) (string, error) {
	if _, err := environments.ParseSecretRef(string(ref)); err != nil {
		return "", err
	}
	var value string
	var err error
	switch scheme, rest := ref.Split(); scheme {
	case "env":
		if value = i.o.Getenv(rest); value == "" {
			err = fmt.Errorf("environment variable %s is not set%s", rest, mapping(rest))
		}
	case "file":
		value, err = i.file(rest)
	default:
		value, err = i.vault(ctx, rest)
	}
	if err != nil {
		return "", fmt.Errorf("resolving secret %s: %w", ref, err)
	}
	i.o.Redactor.Add(value)
	return value, nil
}

func (i *Identities) file(path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(i.o.Dir, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	value := strings.TrimRight(string(b), "\r\n")
	if value == "" {
		return "", errors.New("the file is empty")
	}
	return value, nil
}

// mapping says how a variable comes to be, where that is known.
func mapping(name string) string {
	if name == "SYSTEM_ACCESSTOKEN" {
		return "; Azure Pipelines hands it only to a step that maps it: env: { SYSTEM_ACCESSTOKEN: $(System.AccessToken) }"
	}
	return ""
}
