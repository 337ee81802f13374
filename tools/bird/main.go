// Command bird fetches the routing daemon against which internal/bgp is checked:
// Debian's package of BIRD 1.6, the version that Calico's own BIRD is based on.
//
// It needs neither root nor a system-wide install: the package is downloaded with
// apt-get and unpacked with dpkg into the tool cache,
// ${XDG_CACHE_HOME:-$HOME/.cache}/tapetum/bird/<version>, where the tests look for
// it. The path of the daemon is printed; the one for IPv6 is beside it. Daemons that
// are there already are kept.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const wanted = "1.6."

func main() {
	path, err := fetch()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bird:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

func fetch() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder, set XDG_CACHE_HOME: %w", err)
	}
	cache = filepath.Join(cache, "tapetum", "bird")
	// bird6 was not kept once: such a folder is filled up.
	if there, err := filepath.Glob(filepath.Join(cache, wanted+"*", "bird6")); err == nil && len(there) > 0 {
		return filepath.Join(filepath.Dir(there[len(there)-1]), "bird"), nil
	}
	for _, tool := range []string{"apt-get", "dpkg"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("this system has no %s; set BIRD to the path of a BIRD %sx daemon instead", tool, wanted)
		}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	// Inside the cache, so that the last step is a rename.
	work, err := os.MkdirTemp(cache, ".fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work) //nolint:errcheck // a leftover does no harm

	deb, err := download(work)
	if err != nil {
		return "", err
	}
	return install(deb, work, cache)
}

// download leaves the package in the folder. Where the system's package lists are
// missing or old, it reads fresh ones into the folder, which needs no root.
func download(work string) (string, error) {
	first := run(work, "apt-get", "download", "bird")
	if first != nil {
		own := []string{
			"-o", "Dir::State::lists=" + filepath.Join(work, "lists"),
			"-o", "Dir::Cache=" + filepath.Join(work, "cache"),
			"-o", "APT::Sandbox::User=",
		}
		for _, folder := range []string{"lists/partial", "cache/archives/partial"} {
			if err := os.MkdirAll(filepath.Join(work, folder), 0o755); err != nil {
				return "", err
			}
		}
		if err := run(work, "apt-get", append(own, "update")...); err != nil {
			return "", errors.Join(first, err)
		}
		if err := run(work, "apt-get", append(own, "download", "bird")...); err != nil {
			return "", err
		}
	}
	found, err := filepath.Glob(filepath.Join(work, "bird_*.deb"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("apt-get left %d packages named bird_*.deb, expected one", len(found))
	}
	return found[0], nil
}

func install(deb, work, cache string) (string, error) {
	version, err := versionOf(deb)
	if err != nil {
		return "", err
	}
	unpacked, target := filepath.Join(work, "unpacked"), filepath.Join(cache, version)
	if err := run(work, "dpkg", "-x", deb, unpacked); err != nil {
		return "", err
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return "", err
	}
	// The one that is looked for comes last.
	for _, name := range []string{"birdc", "birdc6", "bird", "bird6"} {
		if err := os.Rename(filepath.Join(unpacked, "usr", "sbin", name), filepath.Join(target, name)); err != nil {
			return "", err
		}
	}
	return filepath.Join(target, "bird"), nil
}

// versionOf reads the version from a name like bird_1.6.8-2.1_amd64.deb.
func versionOf(deb string) (string, error) {
	parts := strings.Split(filepath.Base(deb), "_")
	if len(parts) != 3 {
		return "", fmt.Errorf("package %s: no version in its name", filepath.Base(deb))
	}
	version, err := url.PathUnescape(parts[1])
	if err != nil {
		return "", fmt.Errorf("package %s: %w", filepath.Base(deb), err)
	}
	if !strings.HasPrefix(version, wanted) {
		return "", fmt.Errorf("this system's package is bird %s, but Calico's BIRD is based on %sx; set BIRD to the path of such a daemon", version, wanted)
	}
	return version, nil
}

func run(folder, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = folder
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}
