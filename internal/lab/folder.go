package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// marker is a file that tells a lab's folder from others, so that nothing else
// is ever removed.
const marker = "this-is-a-tapetum-lab"

// Claim takes a folder for a lab, making it if need be. What a killed lab has
// left in it goes. release removes the folder.
func Claim(ctx context.Context, dir string) (release func() error, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder of the lab: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the lab: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("folder of the lab: %w", err)
	}
	mark := filepath.Join(dir, marker)
	if len(entries) > 0 {
		if _, err := os.Stat(mark); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("folder of the lab: %s has files that are no lab's: give an empty one with --dir", dir)
		}
		if _, err := Ask(ctx, dir, Request{Command: "status"}); err == nil {
			return nil, fmt.Errorf("a lab runs in %s already: stop it, or give another folder with --dir", dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("folder of the lab: %w", err)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("folder of the lab: %w", err)
		}
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return nil, fmt.Errorf("folder of the lab: %w", err)
	}
	return func() error { return os.RemoveAll(dir) }, nil
}
