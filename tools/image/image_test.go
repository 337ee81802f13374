package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tapetum.dev/tapetum/deploy"
)

// program is a static binary that tells as whom it runs and what it can do.
func program(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("images run on Linux only")
	}
	dir := t.TempDir()
	source := `package main

import ("fmt"; "os")

func main() {
	entries, _ := os.ReadDir("/")
	fmt.Print(os.Args[1], " ", os.Getuid(), " ", len(entries), " ", os.WriteFile("/x", nil, 0600) != nil)
}
`
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, "main.go")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GO111MODULE=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return out
}

func TestImage(t *testing.T) {
	binary, out := program(t), t.TempDir()
	first, second := filepath.Join(out, "first"), filepath.Join(out, "second")
	for _, dir := range []string{first, second} {
		if err := run(t.Context(), binary, "tapetum", "v1.2.3+dirty", runtime.GOARCH, dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("reproducible", func(t *testing.T) {
		for _, name := range []string{"first/index.json", "first.tar"} {
			a, b := read(t, filepath.Join(out, name)), read(t, filepath.Join(out, strings.Replace(name, "first", "second", 1)))
			if string(a) != string(b) {
				t.Errorf("%s differs between two builds of the same", name)
			}
		}
	})
	t.Run("nothing but the binary", func(t *testing.T) { binaryAlone(t, first+".tar") })
	t.Run("layout", func(t *testing.T) { layoutIsWhole(t, first) })
	t.Run("runs", func(t *testing.T) {
		root := t.TempDir()
		t.Cleanup(func() { _ = os.Chmod(root, 0o700) }) //nolint:gosec // to be removed
		config, err := unpack(first+".tar", root)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(root, 0o555); err != nil { //nolint:gosec // as check does
			t.Fatal(err)
		}
		open(t, root)
		how, output, err := start(t.Context(), root, config.Config.Entrypoint[0], "hello")
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		if !strings.Contains(how, "whole file system") {
			t.Skip("the binary ran, but ", how)
		}
		if got, want := string(output), "hello 65532 1 true"; got != want {
			t.Errorf("argument, user, files in /, and whether writing fails: %q, want %q", got, want)
		}
	})
}

// binaryAlone: no shell, no package manager, no library, nothing that may be written,
// and not root.
func binaryAlone(t *testing.T, path string) {
	t.Helper()
	files, err := readArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	var entries []archiveEntry
	decode(t, files["manifest.json"], &entries)
	if len(entries) != 1 || len(entries[0].Layers) != 1 {
		t.Fatalf("images and layers: %+v", entries)
	}
	layer := tar.NewReader(bytes.NewReader(files[entries[0].Layers[0]]))
	var found []string
	for {
		header, err := layer.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, header.Name)
		if header.Typeflag != tar.TypeReg || header.Mode != 0o555 {
			t.Errorf("%s has type %c and mode %o", header.Name, header.Typeflag, header.Mode)
		}
	}
	if len(found) != 1 || found[0] != "tapetum" {
		t.Errorf("files %v, want the binary alone", found)
	}
	var config configFile
	decode(t, files[entries[0].Config], &config)
	if config.Config.User == "" || strings.HasPrefix(config.Config.User, "0") || len(config.Config.Entrypoint) != 1 {
		t.Errorf("it runs %v as %q", config.Config.Entrypoint, config.Config.User)
	}
}

// TestUserOfTheDeployment: Kubernetes runs the image as the user that it is made for.
func TestUserOfTheDeployment(t *testing.T) {
	manifests, err := deploy.Manifests()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"runAsUser", "runAsGroup"} {
		if want := fmt.Sprintf("%s: %d\n", key, user); !strings.Contains(string(manifests), want) {
			t.Errorf("deployment.yaml does not say %q", want)
		}
	}
}

// open lets other users reach a folder of a test.
func open(t *testing.T, dir string) {
	t.Helper()
	for parent := filepath.Dir(dir); parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
		if err := os.Chmod(parent, 0o755); err != nil { //nolint:gosec // of this test
			t.Fatal(err)
		}
	}
}

// layoutIsWhole follows the references of an OCI layout and checks every digest.
func layoutIsWhole(t *testing.T, dir string) {
	t.Helper()
	blobOf := func(d descriptor) []byte {
		content := read(t, filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(d.Digest, "sha256:")))
		sum := sha256.Sum256(content)
		if "sha256:"+hex.EncodeToString(sum[:]) != d.Digest || int64(len(content)) != d.Size {
			t.Errorf("blob %s is not what its descriptor says", d.Digest)
		}
		return content
	}
	var index indexFile
	decode(t, read(t, filepath.Join(dir, "index.json")), &index)
	if len(index.Manifests) != 1 || index.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "v1.2.3-dirty" {
		t.Fatalf("index: %+v", index)
	}
	var manifest manifestFile
	decode(t, blobOf(index.Manifests[0]), &manifest)
	var config configFile
	decode(t, blobOf(manifest.Config), &config)
	if config.Config.User != "65532:65532" || config.OS != "linux" || config.Architecture != runtime.GOARCH {
		t.Errorf("configuration: %+v", config)
	}
	if len(manifest.Layers) != 1 {
		t.Fatalf("%d layers, want 1", len(manifest.Layers))
	}
	blobOf(manifest.Layers[0])
}

func TestTagOf(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3": "v1.2.3", "v1.2.3+x": "v1.2.3-x", "": "v", "-x": "v-x", strings.Repeat("a", 200): strings.Repeat("a", 128),
	} {
		if got := tagOf(version); got != want {
			t.Errorf("tag of %q is %q, want %q", version, got, want)
		}
	}
}

// TestMachinesBinaryIsRefused: one that was built as for a debugger is not published.
func TestMachinesBinaryIsRefused(t *testing.T) {
	if err := checkReproducible(program(t)); err != nil {
		t.Error(err)
	}
	self, err := os.Executable() // built by "go test", without -trimpath
	if err != nil {
		t.Fatal(err)
	}
	if err := checkReproducible(self); err == nil || !strings.Contains(err.Error(), "-trimpath") {
		t.Errorf("error %v, want one that asks for -trimpath", err)
	}
}

func TestDynamicBinaryIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), path, "tapetum", "v1", "amd64", t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a Linux binary") {
		t.Errorf("a script: error %v", err)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no dynamically linked binary to try")
	}
	if err := checkStatic(shell); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("%s: error %v, want one that says it is dynamic", shell, err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path) //nolint:gosec // of this test
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func decode(t *testing.T, content []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatal(err)
	}
}
