package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// check unpacks the docker archive and runs the image's entry point with an
// argument: with the image as its whole file system, which it cannot write, and
// as the image's user, where the system lets us; else as a plain process, and
// says so.
func check(ctx context.Context, path, argument string) error {
	root, err := os.MkdirTemp("", "tapetum-image-")
	if err != nil {
		return err
	}
	defer func() {
		_ = os.Chmod(root, 0o700) //nolint:gosec // to be removed
		_ = os.RemoveAll(root)
	}()
	config, err := unpack(path, root)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", path, err)
	}
	if err := os.Chmod(root, 0o555); err != nil { //nolint:gosec // the image's user must enter
		return err
	}
	if want := fmt.Sprintf("%d:%d", user, user); config.Config.User != want || len(config.Config.Entrypoint) != 1 {
		return fmt.Errorf("the image runs %q as %q, want one binary as %q", config.Config.Entrypoint, config.Config.User, want)
	}
	how, output, err := start(ctx, root, config.Config.Entrypoint[0], argument)
	if err != nil {
		return fmt.Errorf("the image does not run: %w\n%s", err, output)
	}
	if len(bytes.TrimSpace(output)) == 0 {
		return fmt.Errorf("%q prints nothing", argument)
	}
	fmt.Printf("  it runs    %s\n  prints     %s\n", how, bytes.TrimSpace(output))
	return nil
}

// start runs a binary of the unpacked image, and says how.
func start(ctx context.Context, root, binary, argument string) (string, []byte, error) {
	cmd := exec.CommandContext(ctx, binary, argument) //nolint:gosec // what we just built
	cmd.Env, cmd.Dir, cmd.SysProcAttr = []string{}, "/", contained(root)
	output, err := cmd.CombinedOutput()
	if err == nil {
		return fmt.Sprintf("as user %d, the image as its whole file system, not writable", user), output, nil
	}
	if !errors.Is(err, os.ErrPermission) { // it was let in, and failed
		return "", output, err
	}
	how := fmt.Sprintf("as a plain process, for the system permits no more (%v)", err)
	cmd = exec.CommandContext(ctx, filepath.Join(root, binary), argument) //nolint:gosec // what we just built
	cmd.Env, cmd.Dir = []string{}, root
	output, err = cmd.CombinedOutput()
	return how, output, err
}

// unpack writes the files of the image in a docker archive to a folder.
func unpack(path, root string) (*configFile, error) {
	files, err := readArchive(path)
	if err != nil {
		return nil, err
	}
	var entries []archiveEntry
	if err := json.Unmarshal(files["manifest.json"], &entries); err != nil {
		return nil, fmt.Errorf("manifest.json: %w", err)
	}
	if len(entries) != 1 {
		return nil, fmt.Errorf("%d images, want one", len(entries))
	}
	var config configFile
	if err := json.Unmarshal(files[entries[0].Config], &config); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if len(config.RootFS.DiffIDs) != len(entries[0].Layers) {
		return nil, errors.New("the configuration has another number of layers than the archive")
	}
	for n, name := range entries[0].Layers {
		layer := blob{content: files[name]}
		if layer.digest() != config.RootFS.DiffIDs[n] {
			return nil, fmt.Errorf("layer %s is not the one of the configuration, %s", layer.digest(), config.RootFS.DiffIDs[n])
		}
		if err := extract(layer.content, root); err != nil {
			return nil, err
		}
	}
	return &config, nil
}

func readArchive(path string) (map[string][]byte, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	files := map[string][]byte{}
	return files, eachFile(f, func(header *tar.Header, content io.Reader) error {
		data, err := io.ReadAll(content)
		files[header.Name] = data
		return err
	})
}

func extract(layer []byte, root string) error {
	return eachFile(bytes.NewReader(layer), func(header *tar.Header, content io.Reader) error {
		if strings.ContainsRune(header.Name, filepath.Separator) || !filepath.IsLocal(header.Name) {
			return fmt.Errorf("%q is not a file of the root folder", header.Name)
		}
		data, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(root, header.Name), data, header.FileInfo().Mode().Perm())
	})
}

func eachFile(from io.Reader, do func(*tar.Header, io.Reader) error) error {
	r := tar.NewReader(from)
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(header, r); err != nil {
			return err
		}
	}
}
