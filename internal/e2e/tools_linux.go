package e2e

import (
	"fmt"
	"os"
	"path/filepath"

	"tapetum.dev/tapetum/internal/lab/birdconf"
	"tapetum.dev/tapetum/internal/lab/birdctl"
)

// Birds finds the daemons of both families, and their version. The error wraps
// birdctl.ErrNone where there are none.
func Birds() (map[birdconf.Family]string, string, error) {
	path, version, err := birdctl.Find()
	if err != nil {
		return nil, "", err
	}
	six := filepath.Join(filepath.Dir(path), "bird6")
	if _, err := os.Stat(six); err != nil {
		return nil, "", fmt.Errorf("%w: the one for IPv6 is not beside %s: %w", birdctl.ErrNone, path, err)
	}
	return map[birdconf.Family]string{birdconf.IPv4: path, birdconf.IPv6: six}, version, nil
}
