//go:build !unix

package mlflow

import (
	"context"
	"errors"
)

// StartGroup is for Unix; elsewhere the sandbox runs inside WSL.
func StartGroup(context.Context, Command) (Child, error) {
	return nil, errors.New("the sandbox needs Linux or macOS; on Windows run it inside WSL")
}
