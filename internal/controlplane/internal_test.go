package controlplane

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/internal/controlplane/assets"
)

func TestSweepRemovesOnlyWhatNobodyUses(t *testing.T) {
	parent := t.TempDir()
	add := func(name string, age time.Duration) string {
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "lock")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Now(), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	abandoned := add(scratchPrefix+"abandoned", time.Hour)
	young := add(scratchPrefix+"young", 0)
	stranger := add("something-else", time.Hour)
	used := add(scratchPrefix+"used", time.Hour)
	file, err := lock(used)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()

	sweep(parent)

	for dir, want := range map[string]bool{abandoned: false, young: true, stranger: true, used: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", filepath.Base(dir), err == nil, want)
		}
	}
}

func TestAnotherPortIsTriedWhereOneIsTaken(t *testing.T) {
	var tried []int
	_, err := onFreePort(func(port int) (*process, error) {
		tried = append(tried, port)
		if len(tried) < 3 {
			return nil, errAddressInUse
		}
		return nil, nil
	})
	if err != nil || len(tried) != 3 {
		t.Errorf("tried %v, %v; want success with the third", tried, err)
	}

	tried = nil
	broken := errors.New("broken")
	_, err = onFreePort(func(port int) (*process, error) {
		tried = append(tried, port)
		return nil, broken
	})
	if !errors.Is(err, broken) || len(tried) != 1 {
		t.Errorf("tried %v, %v; want the first error that another port does not help against", tried, err)
	}
}

// The words by which a taken port is recognized are those of the real binaries.
func TestTakenPortIsRecognized(t *testing.T) {
	binaries, err := assets.Find("")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, text, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	taken, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	certificates, err := newPKI(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := &ControlPlane{binaries: binaries, scratch: &scratch{dir: dir}, pki: certificates, apiPort: taken, etcdURL: localURL(taken)}
	if _, err := c.startEtcd(t.Context(), taken); !errors.Is(err, errAddressInUse) {
		t.Errorf("etcd: error %v, want %v", err, errAddressInUse)
	}
	if _, err := c.startAPIServer(t.Context()); !errors.Is(err, errAddressInUse) {
		t.Errorf("kube-apiserver: error %v, want %v", err, errAddressInUse)
	}
}

func TestErrorOfAProcessThatEndsHasItsLog(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "faulty")
	script := "#!/bin/sh\necho no such flag\nexit 2\n"
	if err := os.WriteFile(binary, []byte(script), 0o700); err != nil { //nolint:gosec // must be executable
		t.Fatal(err)
	}
	var log strings.Builder
	p, err := run(t.TempDir(), binary, nil, &log)
	if err != nil {
		t.Fatal(err)
	}
	never := errors.New("not ready")
	err = p.await(t.Context(), func(context.Context) error { return never })
	for _, want := range []string{"faulty ended", "exit status 2", "no such flag"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	if !strings.Contains(log.String(), "no such flag") {
		t.Errorf("the log given has %q", log.String())
	}
}
