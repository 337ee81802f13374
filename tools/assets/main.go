package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"tapetum.dev/tapetum/internal/controlplane/assets"
)

func main() {
	module := flag.String("module", "tools/controlplane", "folder of the Go module that requires both")
	into := flag.String("into", "", "folder to put them in (default: the cache of this user)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := provide(ctx, *module, *into); err != nil {
		fmt.Fprintln(os.Stderr, "assets:", err)
		os.Exit(1) //nolint:gocritic // the signal handler ends with the process
	}
}

// provide makes sure that both binaries are there.
func provide(ctx context.Context, module, into string) error {
	if into == "" {
		if os.Getenv(assets.EnvAssets) != "" {
			dir, err := assets.Find("")
			if err == nil {
				fmt.Printf("control plane: using %s of %s\n", dir, assets.EnvAssets)
			}
			return err
		}
		var err error
		if into, err = assets.CacheDir(); err != nil {
			return err
		}
	}
	if _, err := assets.Find(into); err == nil {
		fmt.Printf("control plane: %s is there\n", into)
		return nil
	}
	parent := filepath.Dir(into)
	if err := os.MkdirAll(parent, 0o750); err != nil {
		return err
	}
	unlock, err := lock(ctx, into+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := assets.Find(into); err == nil {
		fmt.Printf("control plane: %s is there now\n", into)
		return nil
	}
	return build(ctx, module, into)
}

// build builds both into a folder beside the target and renames it, so that the
// target is there whole or not at all. The lock is held.
func build(ctx context.Context, module, into string) error {
	stale, err := filepath.Glob(into + ".build-*")
	if err != nil {
		return err
	}
	for _, dir := range stale { // of a build that was killed
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	temporary, err := os.MkdirTemp(filepath.Dir(into), filepath.Base(into)+".build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temporary) }()

	fmt.Printf("control plane: building kube-apiserver %s and etcd %s from source, once: "+
		"some 5 minutes on two cores, 2 GB of Go modules and build cache\n", assets.KubernetesVersion, assets.EtcdVersion)
	start := time.Now()
	for _, b := range binaries() {
		if err := b.build(ctx, module, temporary); err != nil {
			return fmt.Errorf("building %s: %w", b.name, err)
		}
	}
	// A folder that is there but lacks a binary is in nobody's use.
	if err := os.RemoveAll(into); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(temporary, into); err != nil {
		return err
	}
	fmt.Printf("control plane: %s is ready after %s\n", into, time.Since(start).Round(time.Second))
	return nil
}

// lock waits until no other build is under way on this machine.
func lock(ctx context.Context, path string) (func(), error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // a path of ours
	if err != nil {
		return nil, err
	}
	for said := false; ; said = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !said {
			fmt.Println("control plane: another build is under way, waiting for it")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
