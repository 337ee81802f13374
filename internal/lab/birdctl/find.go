package birdctl

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrNone says that there is no BIRD on this machine yet.
var ErrNone = errors.New("no BIRD 1.6 in the tool cache: run make bird, or set BIRD to the path of such a daemon")

// Find returns the path of a BIRD 1.6 for IPv4, and its version: $BIRD, or what
// tools/bird has put into the cache. The one for IPv6 is beside it, as bird6. The
// error wraps ErrNone where there is none.
func Find() (path, version string, err error) {
	path = os.Getenv("BIRD")
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", "", fmt.Errorf("%w: %w", ErrNone, err)
		}
		found, err := filepath.Glob(filepath.Join(cache, "tapetum", "bird", "1.6.*", "bird"))
		if err != nil || len(found) == 0 {
			return "", "", ErrNone
		}
		path = found[len(found)-1]
	}
	out, err := exec.Command(path, "--version").CombinedOutput() //nolint:gosec // named by the user
	if err != nil {
		return "", "", fmt.Errorf("%s --version: %w", path, err)
	}
	said, is := bytes.CutPrefix(bytes.TrimSpace(out), []byte("BIRD version "))
	if !is || !bytes.HasPrefix(said, []byte("1.6.")) {
		return "", "", fmt.Errorf("%s is %s, want BIRD version 1.6", path, bytes.TrimSpace(out))
	}
	return path, string(said), nil
}
