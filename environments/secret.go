package environments

import (
	"errors"
	"regexp"
	"strings"
)

// SecretRef says where a secret is found, never what it is: "env:NAME", "file:PATH" or "keyvault://VAULT/NAME", with
// "/VERSION" after it or not. The empty one is not set.
type SecretRef string

var vaultSecret = regexp.MustCompile(`^[A-Za-z][0-9A-Za-z-]{1,22}[0-9A-Za-z]/[0-9A-Za-z-]{1,127}(/[0-9A-Za-z]+)?$`)

// ParseSecretRef checks text and returns it as a reference. The error does not repeat text, which may be a secret
// put there by mistake.
func ParseSecretRef(text string) (SecretRef, error) {
	ref := SecretRef(text)
	switch scheme, rest := ref.Split(); {
	case scheme == "env" && envName.MatchString(rest), scheme == "file" && rest != "",
		strings.HasPrefix(text, "keyvault://") && vaultSecret.MatchString(rest):
		return ref, nil
	}
	return "", errors.New(`no reference to a secret: write "env:NAME", "file:PATH" or "keyvault://VAULT/NAME"`)
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Split gives the scheme (env, file, keyvault) and what follows it: a name, a path, "VAULT/NAME[/VERSION]".
func (s SecretRef) Split() (scheme, rest string) {
	if rest, ok := strings.CutPrefix(string(s), "keyvault://"); ok {
		return "keyvault", rest
	}
	scheme, rest, _ = strings.Cut(string(s), ":")
	return scheme, rest
}
