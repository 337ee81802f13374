package demo

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/lab"
	"tapetum.dev/tapetum/internal/lab/fabric"
	"tapetum.dev/tapetum/internal/lab/standin"
)

func TestRule(t *testing.T) {
	r := newRule(120)
	want := rule{nodesPerReflector: 40, meshUpTo: 100, stabilization: 10, settle: 2, ignore: 15, start: 120, grown: 180, shrunk: 75}
	if diff := cmp.Diff(want, r, cmp.AllowUnexported(rule{})); diff != "" {
		t.Fatalf("policy of the story (-want +got):\n%s", diff)
	}
	for _, tc := range []struct{ nodes, want int }{{120, 3}, {121, 4}, {180, 5}, {12, 3}} {
		if got := r.reflectors(tc.nodes); got != tc.want {
			t.Errorf("%d nodes: %d reflectors, want %d", tc.nodes, got, tc.want)
		}
	}
}

// Whatever the number of nodes, the story needs the mesh to be too large at the
// start, growth to ask for more reflectors, and the end to be below 80 % of what
// the mesh takes.
func TestEveryStoryWorksOut(t *testing.T) {
	for nodes := leastNodes; nodes <= 1000; nodes++ {
		r := newRule(nodes)
		if nodes <= int(r.meshUpTo) || r.reflectors(r.grown) <= r.reflectors(r.start) || r.reflectors(r.start) != leastReflectors ||
			r.shrunk*10 >= int(r.meshUpTo)*8 {
			t.Fatalf("%d nodes give no story: %+v", nodes, r)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		nodes, zones int
		want         string
	}{{120, 3, ""}, {leastNodes - 1, 3, "nodes"}, {2000, 3, "nodes"}, {120, 1, "zones"}, {120, 9, "zones"}} {
		o := Options{Nodes: tc.nodes, Zones: tc.zones, Group: calico.GroupV3}
		err := o.check()
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%d nodes in %d zones: %v, want %q", tc.nodes, tc.zones, err, tc.want)
		}
	}
	if _, err := Run(t.Context(), Options{Group: schema.GroupVersion{}}); err == nil {
		t.Error("a demo without nodes began")
	}
}

func TestTitles(t *testing.T) {
	for _, tc := range []struct{ action, object, want string }{
		{"ClearRole", "Node/a", "take the role from a"},
		{"MeshOff", "BGPConfiguration/default", "turn the node-to-node mesh off"},
		{"CreatePeer", "BGPPeer/x", "create BGPPeer x"},
		{"PatchStatus", "CalicoNodeStatus/x", "change CalicoNodeStatus x"},
		{"DeletePeer", "BGPPeer/x", "delete BGPPeer x"},
		{"Unheard", "Of/it", "Unheard Of/it"},
	} {
		e := standin.Entry{Action: tc.action, Object: tc.object}
		if got := title(&e); got != tc.want {
			t.Errorf("%s %s: %q, want %q", tc.action, tc.object, got, tc.want)
		}
	}
}

// The report's fields are read by others.
func TestReport(t *testing.T) {
	r := Report{Events: []Result{{Name: "one", Steps: 3, ReflectorsBefore: 1, ReflectorsAfter: 2}}}
	r.Events[0].account(fabric.Account{
		Ordinary: fabric.Loss{RouteTime: time.Millisecond}, Changing: fabric.Loss{RouteTime: 1500 * time.Millisecond},
	}, lab.Writes{Objects: 4, Status: 7}, 2*time.Second)
	path := filepath.Join(t.TempDir(), "report.json")
	if err := writeReport(path, &r); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string][]map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string][]map[string]any{"events": {{
		"name": "one", "steps": 3.0, "writes": 4.0, "seconds": 2.0, "reflectorsBefore": 1.0, "reflectorsAfter": 2.0,
		// A millisecond is a loss: it must not be rounded away.
		"lostOrdinarySeconds": 0.01, "lostChangingSeconds": 1.5,
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("report (-want +got):\n%s", diff)
	}
	if r.LostOrdinary() == 0 {
		t.Fatal("a loss was rounded away")
	}
}

func TestScreen(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, color: true, width: func() int { return 40 }}
	s.live("one", strings.Repeat("x", 60))
	s.line("above")
	s.live("two")
	want := "\x1b[36mone\x1b[0m\n\x1b[36m" + strings.Repeat("x", 38) + "…\x1b[0m\n" +
		"\x1b[2A\x1b[J" + "above\n" + "\x1b[36mtwo\x1b[0m\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Fatalf("live view (-want +got):\n%s", diff)
	}
	out.Reset()
	s = &screen{out: &out, plain: true}
	s.live("not shown")
	s.wrapped("* ", "  ", bold, strings.Repeat("word ", 30))
	if got := out.String(); strings.Contains(got, "\x1b") || strings.Contains(got, "not shown") || strings.Count(got, "\n  word") != 1 {
		t.Fatalf("plain lines: %q", got)
	}
}

func TestCalm(t *testing.T) {
	for _, tc := range []struct {
		state lab.State
		want  string
	}{
		{lab.State{SessionsUp: 3, SessionsConfigured: 3}, ""},
		{lab.State{SessionsUp: 3, SessionsConfigured: 3, Busy: true}, "changing"},
		{lab.State{SessionsUp: 2, SessionsConfigured: 3}, "2 of 3"},
		{lab.State{SessionsUp: 3, SessionsConfigured: 3, MissingPairs: 1}, "1 pairs"},
		{lab.State{}, "0 of 0"},
	} {
		if got := calm(&tc.state); tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%+v: %q, want %q", tc.state, got, tc.want)
		}
	}
}
