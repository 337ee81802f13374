package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// blob is one content-addressed document of an image.
type blob struct {
	mediaType string
	content   []byte
}

func (b blob) hash() string {
	sum := sha256.Sum256(b.content)
	return hex.EncodeToString(sum[:])
}

func (b blob) digest() string { return "sha256:" + b.hash() }

func (b blob) descriptor() descriptor {
	return descriptor{MediaType: b.mediaType, Digest: b.digest(), Size: int64(len(b.content))}
}

// image is a built image.
type image struct {
	name, tag string
	arch      string
	layer     blob // compressed
	rootfs    blob // the same layer, not compressed, as docker archives have it
	config    blob
	manifest  blob
}

func (i *image) reference() string { return i.name + ":" + i.tag }

// descriptor, and the types below, follow the OCI image specification 1.1.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Platform    *platform         `json:"platform,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type configFile struct {
	platform
	Config  runConfig `json:"config"`
	RootFS  rootFS    `json:"rootfs"`
	History []history `json:"history"`
}

type runConfig struct {
	User       string            `json:"User"`
	Entrypoint []string          `json:"Entrypoint"`
	WorkingDir string            `json:"WorkingDir"`
	Labels     map[string]string `json:"Labels"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	CreatedBy string `json:"created_by"`
}

type manifestFile struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

const (
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeIndex    = "application/vnd.oci.image.index.v1+json"
)

// entrypoint is the path of the binary in the image.
const entrypoint = "/tapetum"

// build makes the image of one binary.
func build(binary, name, version, arch string) (*image, error) {
	content, err := os.ReadFile(filepath.Clean(binary))
	if err != nil {
		return nil, err
	}
	i := &image{name: name, tag: tagOf(version), arch: arch}
	files, err := layer(content)
	if err != nil {
		return nil, err
	}
	i.rootfs = blob{content: files}
	compressed, err := compress(files)
	if err != nil {
		return nil, err
	}
	i.layer = blob{mediaType: typeLayer, content: compressed}
	if i.config, err = document(typeConfig, configFile{
		platform: platform{Architecture: arch, OS: "linux"},
		Config: runConfig{
			User:       fmt.Sprintf("%d:%d", user, user),
			Entrypoint: []string{entrypoint},
			WorkingDir: "/",
			Labels: map[string]string{
				"org.opencontainers.image.title":    name,
				"org.opencontainers.image.version":  version,
				"org.opencontainers.image.licenses": "Apache-2.0",
			},
		},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{i.rootfs.digest()}},
		History: []history{{CreatedBy: "make image"}},
	}); err != nil {
		return nil, err
	}
	i.manifest, err = document(typeManifest, manifestFile{
		SchemaVersion: 2,
		MediaType:     typeManifest,
		Config:        i.config.descriptor(),
		Layers:        []descriptor{i.layer.descriptor()},
	})
	return i, err
}

// layer is the whole file system: the binary, read-only for everybody. There is
// no time in it, so that the same binary gives the same bytes.
func layer(binary []byte) ([]byte, error) {
	return archive([]file{{name: entrypoint[1:], mode: 0o555, content: binary}})
}

// file is one file of an archive.
type file struct {
	name    string
	mode    int64
	content []byte
}

// archive is a tar file that depends on nothing but the files: no times, no
// owners.
func archive(files []file) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.content)),
			ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func compress(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func document(mediaType string, value any) (blob, error) {
	content, err := json.Marshal(value)
	return blob{mediaType: mediaType, content: content}, err
}

var notInTags = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// tagOf makes a version a valid tag.
func tagOf(version string) string {
	tag := notInTags.ReplaceAllString(version, "-")
	if tag == "" || tag[0] == '.' || tag[0] == '-' {
		tag = "v" + tag
	}
	return tag[:min(len(tag), 128)]
}

// checkStatic refuses a binary that would need files which are not in the image.
func checkStatic(path string) error {
	binary, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%s: not a Linux binary: %w", path, err)
	}
	defer func() { _ = binary.Close() }()
	for _, segment := range binary.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically, and the image has no libraries: build with CGO_ENABLED=0", path)
		}
	}
	libraries, err := binary.ImportedLibraries()
	if err != nil {
		return err
	}
	if len(libraries) > 0 {
		return errors.New(path + " needs libraries " + strconv.Quote(fmt.Sprint(libraries)))
	}
	return nil
}

// checkReproducible refuses a binary that another machine could not build byte for byte
// from the same sources and the modules that go.sum pins.
func checkReproducible(path string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s does not say how it was built: %w", path, err)
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	if settings["-trimpath"] != "true" || settings["CGO_ENABLED"] != "0" {
		return fmt.Errorf("%s depends on the machine that built it: build with -trimpath and CGO_ENABLED=0", path)
	}
	for _, module := range info.Deps {
		if module.Replace != nil {
			return fmt.Errorf("%s has %s in the place of module %s, which go.sum does not pin", path, module.Replace.Path, module.Path)
		}
	}
	return nil
}
