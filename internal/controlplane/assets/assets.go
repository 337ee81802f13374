package assets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Versions of the two binaries. tools/controlplane/go.mod requires the same; a
// test compares them.
const (
	KubernetesVersion = "v1.37.2"
	EtcdVersion       = "v3.7.3"
)

// EnvAssets names the environment variable with a folder that holds both
// binaries; it is the one that other projects on Kubernetes use as well.
const EnvAssets = "KUBEBUILDER_ASSETS"

// Names of the binaries in an assets folder.
const (
	Etcd      = "etcd"
	APIServer = "kube-apiserver"
)

// ErrMissing says that the binaries are not on this machine yet.
var ErrMissing = errors.New("kube-apiserver and etcd are not built yet: run \"make controlplane\", or set " + EnvAssets + " to a folder that has both")

// CacheDir returns the folder in which the builder puts the binaries:
// tapetum/controlplane/<versions>-<platform> below $XDG_CACHE_HOME (or what the
// operating system uses for caches). It need not exist.
func CacheDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep the control plane in: %w; set HOME, XDG_CACHE_HOME or %s", err, EnvAssets)
	}
	name := fmt.Sprintf("k8s-%s_etcd-%s-%s-%s", KubernetesVersion, EtcdVersion, runtime.GOOS, runtime.GOARCH)
	return filepath.Join(cache, "tapetum", "controlplane", name), nil
}

// Find returns the folder that holds both binaries: explicit if it is not
// empty, else $KUBEBUILDER_ASSETS if set, else the builder's cache. A folder
// that was named but lacks a binary is an error and not a reason to look
// further: whoever names one wants that one. Nothing in the cache: ErrMissing.
func Find(explicit string) (string, error) {
	if explicit != "" {
		return explicit, check(explicit)
	}
	if dir := os.Getenv(EnvAssets); dir != "" {
		if err := check(dir); err != nil {
			return "", fmt.Errorf("%s: %w", EnvAssets, err)
		}
		return dir, nil
	}
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	if check(dir) != nil {
		return "", ErrMissing
	}
	return dir, nil
}

func check(dir string) error {
	for _, name := range []string{APIServer, Etcd} {
		info, err := os.Stat(filepath.Join(dir, name))
		switch {
		case err != nil:
			return fmt.Errorf("no %s in %s: %w", name, dir, err)
		case info.IsDir() || info.Mode()&0o111 == 0:
			return fmt.Errorf("%s in %s is not an executable file", name, dir)
		}
	}
	return nil
}
