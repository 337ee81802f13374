package main

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// indexFile is the entry point of an OCI layout.
type indexFile struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// writeLayout writes the image as an OCI layout, in the place of what is there.
func (i *image) writeLayout(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil { //nolint:gosec // an image is for everybody
		return err
	}
	for _, b := range []blob{i.layer, i.config, i.manifest} {
		if err := write(filepath.Join(blobs, b.hash()), b.content); err != nil {
			return err
		}
	}
	manifest := i.manifest.descriptor()
	manifest.Platform = &platform{Architecture: i.arch, OS: "linux"}
	manifest.Annotations = map[string]string{"org.opencontainers.image.ref.name": i.tag}
	index, err := json.Marshal(indexFile{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{manifest}})
	if err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "index.json"), index); err != nil {
		return err
	}
	return write(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
}

// archiveEntry is one image in the manifest.json of a docker archive.
type archiveEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// writeArchive writes the image as "docker save" does.
func (i *image) writeArchive(path string) error {
	config, layer := i.config.hash()+".json", i.rootfs.hash()+".tar"
	manifest, err := json.Marshal([]archiveEntry{{Config: config, RepoTags: []string{i.reference()}, Layers: []string{layer}}})
	if err != nil {
		return err
	}
	content, err := archive([]file{
		{name: config, mode: 0o644, content: i.config.content},
		{name: layer, mode: 0o644, content: i.rootfs.content},
		{name: "manifest.json", mode: 0o644, content: manifest},
	})
	if err != nil {
		return err
	}
	return write(path, content)
}

func write(path string, content []byte) error {
	return os.WriteFile(path, content, 0o644) //nolint:gosec // an image is for everybody
}
