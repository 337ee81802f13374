package controlplane

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed crds
var crds embed.FS

// EnvCalicoCRDs names the environment variable with a folder that has Calico's
// own definitions, in crd-v1 and crd-v3.
const EnvCalicoCRDs = "TAPETUM_CALICO_CRDS"

// defaultCalicoCRDs is where they are looked for without it, from the root of
// the repository.
const defaultCalicoCRDs = "../shared/calico"

// CRDSet is a set of Calico's resources in one API group.
type CRDSet struct {
	Name  string // for the names of subtests: "own" or "calico"
	Files fs.FS
}

// folders of an API group: ours in crds/, Calico's in EnvCalicoCRDs.
var folders = map[string]struct{ own, real string }{
	"crd.projectcalico.org": {own: "crds/v1", real: "crd-v1"},
	"projectcalico.org":     {own: "crds/v3", real: "crd-v3"},
}

// OwnCalicoCRDs returns this repository's small definitions of Calico's
// resources in an API group, crd.projectcalico.org (v1) or projectcalico.org
// (v3). They have the fields and validations that Tapetum meets. Those in v1
// have no status subresource, as in Calico up to v3.32.
func OwnCalicoCRDs(group string) (CRDSet, error) {
	folder, known := folders[group]
	if !known {
		return CRDSet{}, fmt.Errorf("%q is not an API group of Calico", group)
	}
	files, err := fs.Sub(crds, folder.own)
	return CRDSet{Name: "own", Files: files}, err
}

// CalicoCRDs returns the sets on which integration tests run for an API group:
// this repository's own and, where it is on this machine, Calico's. A folder
// named by EnvCalicoCRDs must be there.
func CalicoCRDs(group string) ([]CRDSet, error) {
	own, err := OwnCalicoCRDs(group)
	if err != nil {
		return nil, err
	}
	sets := []CRDSet{own}
	parent := os.Getenv(EnvCalicoCRDs)
	if parent == "" {
		root, err := repositoryRoot()
		if err != nil {
			return sets, nil //nolint:nilerr // run from elsewhere: there is only ours
		}
		parent = filepath.Join(root, defaultCalicoCRDs)
		if _, err := os.Stat(parent); err != nil {
			return sets, nil //nolint:nilerr // they are not part of this repository
		}
	}
	dir := filepath.Join(parent, folders[group].real)
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("%s: %w", EnvCalicoCRDs, err)
	}
	return append(sets, CRDSet{Name: "calico", Files: os.DirFS(dir)}), nil
}

// repositoryRoot is the nearest folder above this one with a go.mod.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fs.ErrNotExist
		}
		dir = parent
	}
}

// InstallCRDs applies the CustomResourceDefinitions in the YAML files of the
// file systems and waits until their resources are served.
func (c *ControlPlane) InstallCRDs(ctx context.Context, files ...fs.FS) error {
	for _, f := range files {
		objects, err := ReadObjects(f)
		if err != nil {
			return err
		}
		if err := Apply(ctx, c.config, objects); err != nil {
			return err
		}
	}
	return nil
}
