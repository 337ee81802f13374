package controlplanetest

import (
	"context"
	"errors"
	"os"
	"testing"

	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/assets"
)

// ForTest starts a control plane that lives as long as the test. Where the
// binaries are not there the test is skipped; but where CI=true it fails, or
// nobody would notice that nothing was tested.
func ForTest(t testing.TB, o controlplane.Options) *controlplane.ControlPlane {
	t.Helper()
	Require(t, o)
	// Not the test's context: that ends before the cleanups run, and those may
	// still need the API.
	c, err := controlplane.Start(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Require skips the test where the binaries are not there, or fails it where
// CI=true.
func Require(t testing.TB, o controlplane.Options) {
	t.Helper()
	_, err := assets.Find(o.Assets)
	switch {
	case err == nil:
	case errors.Is(err, assets.ErrMissing) && os.Getenv("CI") != "true":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}
