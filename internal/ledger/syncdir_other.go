//go:build !unix

package ledger

// syncDir does nothing where folders cannot be synchronised on their own.
func syncDir(string) error { return nil }
