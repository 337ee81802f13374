package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// ErrNoBird says that there is no BIRD on this machine yet.
var ErrNoBird = errors.New("no BIRD 1.6 in the tool cache: run make bird, or set BIRD to the path of such a daemon")

// Birds finds the daemons of both families, and their version: $BIRD, with bird6
// beside it, or what tools/bird has put into the cache.
func Birds() (map[birdconf.Family]string, string, error) {
	path := os.Getenv("BIRD")
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", ErrNoBird, err)
		}
		found, err := filepath.Glob(filepath.Join(cache, "tapetum", "bird", "1.6.*", "bird"))
		if err != nil || len(found) == 0 {
			return nil, "", ErrNoBird
		}
		path = found[len(found)-1]
	}
	out, err := exec.Command(path, "--version").CombinedOutput() //nolint:gosec // named by the user
	if err != nil {
		return nil, "", fmt.Errorf("%s --version: %w", path, err)
	}
	version, is := bytes.CutPrefix(bytes.TrimSpace(out), []byte("BIRD version "))
	if !is || !bytes.HasPrefix(version, []byte("1.6.")) {
		return nil, "", fmt.Errorf("%s is %s, want BIRD version 1.6", path, bytes.TrimSpace(out))
	}
	six := filepath.Join(filepath.Dir(path), "bird6")
	if _, err := os.Stat(six); err != nil {
		return nil, "", fmt.Errorf("%w: the one for IPv6 is not beside %s: %w", ErrNoBird, path, err)
	}
	return map[birdconf.Family]string{birdconf.IPv4: path, birdconf.IPv6: six}, string(version), nil
}
