package environments

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// Canonical is v as canonical JSON: keys sorted by their bytes, no insignificant space, no HTML escaping, numbers as
// encoding/json writes them, no newline at its end. Strings must be UTF-8. The same value gives the same bytes always.
func Canonical(v any) ([]byte, error) {
	raw, err := compact(v)
	if err != nil {
		return nil, fmt.Errorf("encoding canonical JSON: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("encoding canonical JSON: %w", err)
	}
	return compact(tree)
}

// Digest is the sha256 of the canonical JSON of v, as "sha256:<hex>".
func Digest(v any) (string, error) {
	raw, err := Canonical(v)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(raw)), nil
}

func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
