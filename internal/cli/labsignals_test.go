package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/controlplanetest"
)

// labProcess is set where this binary runs a lab for TestLabEndsInOrder.
const labProcess = "TAPETUM_TEST_LAB"

func TestMain(m *testing.M) {
	if args := os.Getenv(labProcess); args != "" {
		os.Exit(Main(strings.Fields(args)))
	}
	os.Exit(m.Run())
}

// However often it is told to stop, a lab leaves neither its folder nor a process behind.
// The folder's path is relative, and the servers run elsewhere.
func TestLabEndsInOrder(t *testing.T) {
	t.Parallel()
	controlplanetest.Require(t, controlplane.Options{})
	here := t.TempDir()
	out, err := os.Create(filepath.Join(here, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Dir, cmd.Stdout, cmd.Stderr = here, out, out
	cmd.Env = append(os.Environ(), labProcess+"=lab up --nodes 3 --zones 1 --dir lab")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	said := func() string {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for !strings.Contains(said(), "Ctrl-C ends it") {
		select {
		case err := <-ended:
			t.Fatalf("it has ended: %v\n%s", err, said())
		case <-time.After(50 * time.Millisecond):
		}
	}
	if len(processesOf(t, here)) == 0 {
		t.Fatal("no process names the folder: this test would not see what is left")
	}
	for _, signal := range []os.Signal{os.Interrupt, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE} {
		if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // the signals would come as one
	}
	if err := <-ended; err != nil {
		t.Logf("it ended with %v", err)
	}
	// The last signal may have come when all was done and only the exit left.
	if code := cmd.ProcessState.ExitCode(); code > 0 {
		t.Errorf("exit code %d\n%s", code, said())
	}
	if _, err := os.Stat(filepath.Join(here, "lab")); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if left := processesOf(t, here); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
}

// processesOf are the command lines that name a folder.
func processesOf(t *testing.T, dir string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		t.Skip("no /proc to look for processes in")
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && bytes.Contains(line, []byte(dir)) {
			found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
	}
	return found
}
