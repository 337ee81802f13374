// Package deploy gives the binary the manifests in this folder.
package deploy

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"

	"sigs.k8s.io/yaml"
)

//go:embed *.yaml crd/*.yaml
var files embed.FS

// Names in the manifests.
const (
	Namespace      = "tapetum-system"
	ServiceAccount = "tapetum"
)

// CRD returns the folder with the definition of RouteReflectorAutoscaler.
func CRD() fs.FS {
	crd, err := fs.Sub(files, "crd")
	if err != nil {
		panic(err) // only for a name that is no path
	}
	return crd
}

// Rights returns the manifests that say what the controller may do, in the order
// in which they must be applied.
func Rights() ([][]byte, error) {
	var all [][]byte
	for _, name := range []string{"namespace.yaml", "rbac.yaml", "admission.yaml", "admission-calico.yaml", "admission-others.yaml"} {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// Manifests returns all objects of the kustomization, as YAML documents, in its
// order. The kustomization may only list files; anything else in it is an error,
// as what is returned would not be what kustomize makes of it.
func Manifests() ([]byte, error) {
	data, err := files.ReadFile("kustomization.yaml")
	if err != nil {
		return nil, err
	}
	var kustomization struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Resources  []string `json:"resources"`
	}
	if err := yaml.UnmarshalStrict(data, &kustomization); err != nil {
		return nil, fmt.Errorf("kustomization.yaml: %w", err)
	}
	var all bytes.Buffer
	for _, name := range kustomization.Resources {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("kustomization.yaml: %w", err)
		}
		all.WriteString("---\n")
		all.Write(bytes.TrimPrefix(data, []byte("---\n")))
	}
	return all.Bytes(), nil
}
