package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
)

// user is the one that runs in the container; no user of that number needs to
// exist. deploy/deployment.yaml has the same.
const user = 65532

func main() {
	binary := flag.String("binary", "", "static binary to put into the image")
	name := flag.String("name", "tapetum", "name of the image")
	version := flag.String("version", "latest", "tag of the image")
	arch := flag.String("arch", runtime.GOARCH, "architecture of the binary, as Go names it")
	out := flag.String("out", "", "folder for the OCI layout; the docker archive is put beside it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *binary, *name, *version, *arch, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1) //nolint:gocritic // the signal handler ends with the process
	}
}

func run(ctx context.Context, binary, name, version, arch, out string) error {
	if binary == "" || out == "" {
		return fmt.Errorf("-binary and -out are needed")
	}
	if err := checkStatic(binary); err != nil {
		return err
	}
	if err := checkReproducible(binary); err != nil {
		return err
	}
	built, err := build(binary, name, version, arch)
	if err != nil {
		return err
	}
	archive := strings.TrimSuffix(out, string(filepath.Separator)) + ".tar"
	if err := built.writeLayout(out); err != nil {
		return err
	}
	if err := built.writeArchive(archive); err != nil {
		return err
	}
	fmt.Printf("image: %s\n  digest     %s\n  OCI layout %s (%d bytes)\n  archive    %s (docker load -i %s)\n",
		built.reference(), built.manifest.digest(), out, len(built.layer.content), archive, archive)
	return check(ctx, archive, "version")
}
