package controlplane_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/controlplanetest"
)

// envParent makes the test binary a process that starts a control plane, tells
// about it on stdout, and waits.
const envParent = "TAPETUM_TEST_PARENT"

// family is what such a process tells.
type family struct {
	Pids []int
	Dir  string
}

func TestMain(m *testing.M) {
	if os.Getenv(envParent) == "" {
		os.Exit(m.Run())
	}
	if err := parent(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parent() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(family{c.Pids(), c.Dir()}); err != nil {
		return err
	}
	<-ctx.Done()
	return c.Stop()
}

// startParent runs this binary as such a process.
func startParent(t *testing.T) (*exec.Cmd, family) {
	t.Helper()
	cmd := exec.Command(os.Args[0]) //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), envParent+"=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the process that starts a control plane said nothing: %v", err)
	}
	var f family
	if err := json.Unmarshal(line, &f); err != nil {
		t.Fatal(err)
	}
	return cmd, f
}

// alive says which processes still run with the folder on their command line.
// One that has ended but that nobody has waited for does not count.
func (f family) alive() []int {
	var left []int
	for _, pid := range f.Pids {
		line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err == nil && strings.Contains(string(line), f.Dir) {
			left = append(left, pid)
		}
	}
	return left
}

func onLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("processes are looked up in /proc, and only Linux ends children with their parent")
	}
}

func TestStopLeavesNothing(t *testing.T) {
	onLinux(t)
	for _, test := range []struct {
		name string
		stop func(*controlplane.ControlPlane, context.CancelFunc) error
	}{
		{"Stop", func(c *controlplane.ControlPlane, _ context.CancelFunc) error { return c.Stop() }},
		{"end of the context", func(c *controlplane.ControlPlane, cancel context.CancelFunc) error {
			cancel()
			return c.Stop() // waits until the first stop is through
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			controlplanetest.Require(t, controlplane.Options{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c, err := controlplane.Start(ctx, controlplane.Options{})
			if err != nil {
				t.Fatal(err)
			}
			f := family{c.Pids(), c.Dir()}
			if len(f.alive()) != 2 {
				t.Fatalf("%v of %v run, want both", f.alive(), f.Pids)
			}
			if err := test.stop(c, cancel); err != nil {
				t.Error(err)
			}
			if left := f.alive(); len(left) > 0 {
				t.Errorf("still running: %v", left)
			}
			if _, err := os.Stat(f.Dir); !os.IsNotExist(err) {
				t.Errorf("the temporary folder is still there: %v", err)
			}
			if err := c.StartAPI(); err == nil {
				t.Error("the API of a stopped control plane starts")
			}
		})
	}
}

func TestInterruptedParentStopsItsChildren(t *testing.T) {
	onLinux(t)
	controlplanetest.Require(t, controlplane.Options{})
	cmd, f := startParent(t)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v, want a clean end", err)
	}
	if left := f.alive(); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
	if _, err := os.Stat(f.Dir); !os.IsNotExist(err) {
		t.Errorf("the temporary folder is still there: %v", err)
	}
}

func TestChildrenDieWithAKilledParent(t *testing.T) {
	onLinux(t)
	controlplanetest.Require(t, controlplane.Options{})
	cmd, f := startParent(t)
	t.Cleanup(func() { _ = os.RemoveAll(f.Dir) }) // nobody else is left to do it
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(time.Minute); len(f.alive()) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still running: %v", f.alive())
		}
	}
}

func TestGivenFolderKeepsItsData(t *testing.T) {
	dir := t.TempDir()
	first := controlplanetest.ForTest(t, controlplane.Options{Dir: dir})
	made, err := clients(t, first.Config()).CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := controlplane.Start(t.Context(), controlplane.Options{Dir: dir}); err == nil {
		t.Error("two control planes run in one folder")
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second := controlplanetest.ForTest(t, controlplane.Options{Dir: dir})
	found, err := clients(t, second.Config()).CoreV1().Namespaces().Get(t.Context(), "kept", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if found.UID != made.UID {
		t.Errorf("namespace has UID %s after the restart, had %s", found.UID, made.UID)
	}
}
