package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapetum.dev/tapetum/internal/controlplane/assets"
)

// A build that fails must leave nothing behind that could be taken for a result,
// and must clear away what a killed one left.
func TestFailedBuildLeavesNothing(t *testing.T) {
	t.Setenv(assets.EnvAssets, "")
	parent := t.TempDir()
	into := filepath.Join(parent, "assets")
	if err := os.Mkdir(into+".build-killed", 0o750); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "go.mod"), []byte("module empty\n\ngo 1.26.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	err := provide(t.Context(), empty, into)
	if err == nil || !strings.Contains(err.Error(), "building etcd") {
		t.Errorf("a module without etcd: error %v, want one that says what could not be built", err)
	}
	found, err := filepath.Glob(filepath.Join(parent, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0] != into+".lock" {
		t.Errorf("left behind: %v, want the lock file only", found)
	}
}

func TestWhatIsThereIsNotBuilt(t *testing.T) {
	t.Setenv(assets.EnvAssets, "")
	into := t.TempDir()
	for _, name := range []string{assets.APIServer, assets.Etcd} {
		if err := os.WriteFile(filepath.Join(into, name), nil, 0o700); err != nil { //nolint:gosec // must be executable
			t.Fatal(err)
		}
	}
	// The folder with the module does not exist: a build would fail.
	missing := filepath.Join(into, "missing")
	if err := provide(t.Context(), missing, into); err != nil {
		t.Error(err)
	}
	t.Setenv(assets.EnvAssets, into)
	if err := provide(t.Context(), missing, ""); err != nil {
		t.Errorf("with %s: %v", assets.EnvAssets, err)
	}
	t.Setenv(assets.EnvAssets, missing)
	if err := provide(t.Context(), missing, ""); err == nil {
		t.Errorf("%s names a folder without binaries, and nobody says so", assets.EnvAssets)
	}
}
