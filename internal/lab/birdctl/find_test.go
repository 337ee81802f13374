package birdctl

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	script := func(says string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "bird")
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho "+says+"\n"), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
		return path
	}
	good := script("BIRD version 1.6.8")
	t.Setenv("BIRD", good)
	if path, version, err := Find(); path != good || version != "1.6.8" || err != nil {
		t.Errorf("found %q %q, %v", path, version, err)
	}
	t.Setenv("BIRD", script("BIRD version 2.0.12"))
	if _, _, err := Find(); err == nil || !strings.Contains(err.Error(), "want BIRD version 1.6") {
		t.Errorf("of version 2: %v", err)
	}
	t.Setenv("BIRD", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir()) // where the former is not looked at
	if _, _, err := Find(); !errors.Is(err, ErrNone) {
		t.Errorf("in an empty cache: %v, want ErrNone", err)
	}
}
