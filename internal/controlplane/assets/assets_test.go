package assets

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	full, half := t.TempDir(), t.TempDir()
	for _, path := range []string{
		filepath.Join(full, APIServer), filepath.Join(full, Etcd), filepath.Join(half, Etcd),
	} {
		if err := os.WriteFile(path, nil, 0o755); err != nil { //nolint:gosec // must be executable
			t.Fatal(err)
		}
	}
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)

	for _, test := range []struct {
		name, explicit, env string
		want, wantErr       string
	}{
		{name: "explicit", explicit: full, env: half, want: full},
		{name: "explicit but incomplete", explicit: half, env: full, wantErr: "no kube-apiserver in"},
		{name: "environment", env: full, want: full},
		{name: "environment incomplete", env: half, wantErr: EnvAssets},
		{name: "nothing", wantErr: "make controlplane"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(EnvAssets, test.env)
			got, err := Find(test.explicit)
			switch {
			case test.wantErr == "" && err != nil:
				t.Fatal(err)
			case test.wantErr == "" && got != test.want:
				t.Fatalf("found %q, want %q", got, test.want)
			case test.wantErr != "" && (err == nil || !strings.Contains(err.Error(), test.wantErr)):
				t.Fatalf("error %v, want one with %q", err, test.wantErr)
			}
		})
	}

	t.Run("cache", func(t *testing.T) {
		t.Setenv(EnvAssets, "")
		if _, err := Find(""); !errors.Is(err, ErrMissing) {
			t.Fatalf("empty cache: error %v, want ErrMissing", err)
		}
		dir, err := CacheDir()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(full, dir); err != nil {
			t.Fatal(err)
		}
		if got, err := Find(""); err != nil || got != dir {
			t.Fatalf("found %q, %v; want %q", got, err, dir)
		}
	})
}

// The versions in the name of the cache folder must be those that get built.
func TestVersionsAreThoseOfTheNestedModule(t *testing.T) {
	data, err := os.ReadFile("../../../tools/controlplane/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for module, want := range map[string]string{
		"k8s.io/kubernetes":         KubernetesVersion,
		"go.etcd.io/etcd/server/v3": EtcdVersion,
	} {
		found := regexp.MustCompile(`(?m)^\s+` + regexp.QuoteMeta(module) + ` (v\S+)`).FindStringSubmatch(string(data))
		if found == nil || found[1] != want {
			t.Errorf("tools/controlplane/go.mod requires %s %v, this package says %s", module, found, want)
		}
	}
}
