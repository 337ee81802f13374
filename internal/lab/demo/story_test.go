package demo_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/cli"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/controlplanetest"
	"tapetum.dev/tapetum/internal/lab"
	"tapetum.dev/tapetum/internal/lab/demo"
)

// TestMain lets the test binary be the controller's process, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "controller" {
		os.Exit(cli.Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// One leg between two topologies with reflectors.
func TestWalkOneLeg(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes minutes")
	}
	o := demo.WalkOptions{From: v1alpha1.TopologySingle, To: v1alpha1.TopologyMulti, NodesPerReflector: 10, ReflectorsPerClient: 2}
	var out strings.Builder
	o.Options = options(t, &out)
	o.Nodes = 30
	report, err := demo.Walk(t.Context(), o)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Legs) != 2 {
		t.Fatalf("%d legs, want mesh to Single to Multi", len(report.Legs))
	}
	for _, l := range report.Legs {
		if !l.Reached || l.LostOrdinarySeconds != 0 || l.Steps < 1 || l.Writes < l.Steps || l.NodeWrites < 1 {
			t.Errorf("%+v: want steps and as many writes, and nothing lost by ordinary nodes", l)
		}
	}
	if l := report.Legs[1]; l.ClusterIDs != l.ReflectorsAfter || l.ClusterIDs < 3 || l.MaxPaths > 4 {
		t.Errorf("%+v: want three reflectors or more with IDs of their own, and 4 paths a route", l)
	}
}

// The whole story in a small cluster: the controller as a process of its own,
// with no other rights than those in deploy/.
func TestStory(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes minutes")
	}
	var out strings.Builder
	report, err := demo.Run(t.Context(), options(t, &out))
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, e := range report.Events {
		got = append(got, e.ReflectorsAfter)
		if e.LostOrdinarySeconds != 0 || e.Writes < 1 || e.Steps < 1 || e.Writes < e.Steps {
			t.Errorf("%+v: want steps and as many writes, and nothing lost by ordinary nodes", e)
		}
	}
	want := []int{3, 5, 5, 5, 3, 0}
	if len(got) != len(want) {
		t.Fatalf("events ended with %v reflectors, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("events ended with %v reflectors, want %v", got, want)
		}
	}
}

// options of a small demo in a folder of its own.
func options(t *testing.T, out *strings.Builder) demo.Options {
	t.Helper()
	controlplanetest.Require(t, controlplane.Options{})
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "demo-test-")
	if err != nil {
		t.Fatal(err)
	}
	release, err := lab.Claim(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	})
	return demo.Options{
		Nodes: 24, Zones: 3, Seed: 1, Group: calico.GroupV3, Plain: true,
		Timeout: 5 * time.Minute, Dir: dir, Executable: executable, Out: out,
	}
}
