package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/cli"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/controlplanetest"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// asTapetum makes this binary be the tapetum command, so that none need be built:
// the arguments of a test begin with a dash, those of a command do not.
func asTapetum() {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		os.Exit(cli.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
}

// lines tells a test what a run says.
type lines struct{ t *testing.T }

func (l lines) Write(text []byte) (int, error) {
	l.t.Log(strings.TrimSuffix(string(text), "\n"))
	return len(text), nil
}

// TestShort takes a cluster of nine nodes from the mesh to reflectors, replaces one,
// and goes back: no ordinary node may lose a route.
func TestShort(t *testing.T) {
	birds := require(t)
	controlplanetest.Require(t, controlplane.Options{})
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	log.SetLogger(logr.Discard())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := RunOptions{
		Story: StoryShort, Timeout: 10 * time.Minute, Out: lines{t},
		Options: Options{
			Nodes: 9, Zones: 3, Group: calico.GroupV3, Birds: birds, Seed: 1, Lag: DefaultLag, NotReadyAfter: 40 * time.Second,
			Controller: self, Dir: testDir(t),
		},
	}
	report, err := Run(t.Context(), o)
	t.Log("\n" + report.Markdown())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 3 {
		t.Fatalf("%d results, want 3", len(report.Results))
	}
	for i := range report.Results {
		x := &report.Results[i]
		if x.Replaced == 0 || x.RoleChanges == 0 || x.OrdinaryPairs == 0 {
			t.Errorf("%s: %d replacements, %d role changes and %d ordinary pairs: nothing was measured", x.Name, x.Replaced, x.RoleChanges, x.OrdinaryPairs)
		}
	}
	// The first reflector of all has nobody that passes its routes on: a measurement
	// that does not see that sees nothing.
	if report.Results[0].LostChangingPairs == 0 {
		t.Error("the first reflector lost no route, though it left the mesh")
	}
}

// orphanVariable makes a test the one that is killed.
const orphanVariable = "TAPETUM_E2E_ORPHAN"

// TestNothingStays: when the process is killed, its BIRDs are gone too, and with
// them the namespaces.
func TestNothingStays(t *testing.T) {
	require(t)
	if dir := os.Getenv(orphanVariable); dir != "" {
		beKilled(t, dir)
		return
	}
	dir := testDir(t)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestNothingStays$", "-test.v") //nolint:gosec // this test
	cmd.Env = append(os.Environ(), orphanVariable+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	await(t, "BIRDs of the child", func() string {
		data, err := os.ReadFile(filepath.Join(dir, "pids"))
		if err != nil {
			return err.Error()
		}
		for _, text := range strings.Fields(string(data)) {
			pid, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		return ""
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	if len(pids) != 4 {
		t.Fatalf("%d BIRDs ran, want 4: %s", len(pids), &output)
	}
	for _, pid := range pids {
		await(t, "end of BIRD "+strconv.Itoa(pid), func() string {
			// One that has ended but whom nobody has asked how has no command line.
			if line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline"); err == nil && len(line) > 0 {
				return "it is still there: " + string(line)
			}
			return ""
		})
	}
}

// beKilled starts BIRDs, says so, and waits for its end.
func beKilled(t *testing.T, dir string) {
	l, _ := startLAN(t, 4, birdconf.IPv4)
	var pids []string
	for _, m := range l.all() {
		pids = append(pids, strconv.Itoa(m.birds[birdconf.IPv4].process.cmd.Process.Pid))
	}
	if err := os.WriteFile(filepath.Join(dir, "pids.new"), []byte(strings.Join(pids, " ")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "pids.new"), filepath.Join(dir, "pids")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(patience)
}
