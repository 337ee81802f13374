// Package deploy gives the binary the manifests in this folder.
package deploy

import (
	"embed"
	"io/fs"
)

//go:embed crd/*.yaml namespace.yaml rbac.yaml admission.yaml
var files embed.FS

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
	for _, name := range []string{"namespace.yaml", "rbac.yaml", "admission.yaml"} {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}
