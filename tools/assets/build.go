package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"tapetum.dev/tapetum/internal/controlplane/assets"
)

// binary is one program to build.
type binary struct {
	name, pkg string
	ldflags   string
	version   string // what --version must print
}

func binaries() []binary {
	return []binary{
		{
			name: assets.Etcd, pkg: "go.etcd.io/etcd/server/v3", ldflags: "-s -w",
			version: "etcd Version: " + strings.TrimPrefix(assets.EtcdVersion, "v"),
		},
		{
			name: assets.APIServer, pkg: "k8s.io/kubernetes/cmd/kube-apiserver", ldflags: kubernetesLDFlags(),
			version: "Kubernetes " + assets.KubernetesVersion,
		},
	}
}

// kubernetesLDFlags tells Kubernetes its own version: it decides by it which
// APIs and features it serves, and does not start without one.
func kubernetesLDFlags() string {
	const pkg = "k8s.io/component-base/version."
	parts := strings.SplitN(strings.TrimPrefix(assets.KubernetesVersion, "v"), ".", 3)
	flags := []string{"-s", "-w"}
	for _, set := range [][2]string{
		{"gitVersion", assets.KubernetesVersion}, {"gitMajor", parts[0]}, {"gitMinor", parts[1]}, {"gitTreeState", "clean"},
	} {
		flags = append(flags, "-X", pkg+set[0]+"="+set[1])
	}
	return strings.Join(flags, " ")
}

func (b binary) build(ctx context.Context, module, into string) error {
	show := newProgress(os.Stdout, b.name)
	defer show.stop()

	var packages bytes.Buffer
	if err := goCommand(ctx, module, &packages, show, "list", "-deps", b.pkg); err != nil {
		return err
	}
	show.expect(bytes.Count(packages.Bytes(), []byte("\n")))

	into, err := filepath.Abs(filepath.Join(into, b.name))
	if err != nil {
		return err
	}
	if err := goCommand(ctx, module, io.Discard, show,
		"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", b.ldflags, "-o", into, b.pkg); err != nil {
		return err
	}
	return b.check(ctx, into)
}

// check runs what was built.
func (b binary) check(ctx context.Context, path string) error {
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput() //nolint:gosec // what we just built
	if err != nil {
		return fmt.Errorf("%s --version: %w\n%s", b.name, err, out)
	}
	if !strings.Contains(string(out), b.version) {
		return fmt.Errorf("%s --version prints %q, want %q: do the versions in internal/controlplane/assets differ from tools/controlplane/go.mod?",
			b.name, bytes.TrimSpace(out), b.version)
	}
	return nil
}

// goCommand runs the go command in a module; what it says on the way goes to
// the progress, what it says beyond that into the error.
func goCommand(ctx context.Context, module string, stdout io.Writer, show *progress, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // fixed arguments
	cmd.Dir = module
	// No C compiler needed, and no workspace that a user may have around us.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = stdout, show
	err := cmd.Run()
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, show.rest())
	}
	return nil
}
