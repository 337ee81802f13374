package topology

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"net/netip"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

const clusterAS = 64512

// cluster makes n ready nodes, dealt out over the zones in turn.
func cluster(n, zones int) []inventory.Node {
	var out []inventory.Node
	for i := range n {
		out = append(out, inventory.Node{
			Name: fmt.Sprintf("node-%04d", i), UID: fmt.Sprint(i), OS: "linux",
			Ready: true, ReadySince: noon.Add(-time.Hour), Created: noon.Add(-time.Duration(n-i) * time.Hour),
			IPv4:   netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}),
			Labels: map[string]string{"topology.kubernetes.io/zone": fmt.Sprintf("zone-%c", 'a'+i%zones)},
		})
	}
	return out
}

func request(nodes []inventory.Node, change ...func(*Request)) Request {
	r := Request{Nodes: nodes, ClusterAS: clusterAS, Now: noon}
	for _, f := range change {
		f(&r)
	}
	r.Spec = r.Spec.WithDefaults()
	return r
}

func standing(names ...string) func(*Request) {
	return func(r *Request) {
		r.Standing = names
		for i := range r.Nodes {
			if slices.Contains(names, r.Nodes[i].Name) {
				r.Nodes[i].ClusterID = "224.0.0.1"
			}
		}
	}
}

func spec(f func(*v1alpha1.RouteReflectorAutoscalerSpec)) func(*Request) {
	return func(r *Request) { f(&r.Spec) }
}

func names(plan Plan) []string {
	var out []string
	for _, r := range plan.Reflectors {
		out = append(out, r.Node)
	}
	return out
}

func reasons(plan Plan) []string {
	var out []string
	for _, p := range plan.Problems {
		out = append(out, p.Reason)
	}
	return out
}

func TestCount(t *testing.T) {
	ladder := []v1alpha1.LadderStep{{Nodes: 500, Reflectors: 5}, {Nodes: 100, Reflectors: 3}, {Nodes: 2000, Reflectors: 9}}
	ratio := int32(40)
	for _, test := range []struct {
		name    string
		scaling v1alpha1.Scaling
		nodes   int
		want    int
	}{
		{"ratio rounds up", v1alpha1.Scaling{Min: 1, Max: 100, NodesPerReflector: &ratio}, 121, 4},
		{"ratio exact", v1alpha1.Scaling{Min: 1, Max: 100, NodesPerReflector: &ratio}, 120, 3},
		{"default ratio", v1alpha1.Scaling{Min: 1, Max: 100}, 601, 4},
		{"min", v1alpha1.Scaling{Min: 3, Max: 100, NodesPerReflector: &ratio}, 1, 3},
		{"max", v1alpha1.Scaling{Min: 3, Max: 4, NodesPerReflector: &ratio}, 5000, 4},
		{"no nodes", v1alpha1.Scaling{Min: 3, Max: 4, NodesPerReflector: &ratio}, 0, 3},
		{"ladder, below the first step", v1alpha1.Scaling{Min: 1, Max: 100, Ladder: ladder}, 10, 3},
		{"ladder, on a step", v1alpha1.Scaling{Min: 1, Max: 100, Ladder: ladder}, 500, 5},
		{"ladder, between steps", v1alpha1.Scaling{Min: 1, Max: 100, Ladder: ladder}, 1999, 5},
		{"ladder, above the last", v1alpha1.Scaling{Min: 1, Max: 100, Ladder: ladder}, 90000, 9},
		{"ladder, max", v1alpha1.Scaling{Min: 1, Max: 7, Ladder: ladder}, 2000, 7},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Count(test.scaling, test.nodes); got != test.want {
				t.Errorf("Count = %d, want %d", got, test.want)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	single := func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologySingle }
	three := standing("node-0000", "node-0001", "node-0002")
	since := func(name string, ago time.Duration) func(*Request) {
		return func(r *Request) { r.Clocks = map[string]time.Time{name: noon.Add(-ago)} }
	}
	for _, test := range []struct {
		name    string
		request Request
		want    v1alpha1.Topology
		reasons []string
		waits   bool
	}{
		{"small stays on the mesh", request(cluster(100, 3)), v1alpha1.TopologyMesh, nil, false},
		{"large leaves it at once", request(cluster(101, 3)), v1alpha1.TopologySingle, nil, false},
		{"asked for", request(cluster(5, 1), spec(single)), v1alpha1.TopologySingle, nil, false},
		{"between 80 % and the limit: stays", request(cluster(80, 3), three), v1alpha1.TopologySingle, nil, false},
		{"below 80 %: waits", request(cluster(79, 3), three), v1alpha1.TopologySingle, nil, true},
		{"below 80 % for 599 s: waits", request(cluster(79, 3), three, since(ClockMeshReturn, 599*time.Second)), v1alpha1.TopologySingle, nil, true},
		{"below 80 % for 600 s: mesh", request(cluster(79, 3), three, since(ClockMeshReturn, 600*time.Second)), v1alpha1.TopologyMesh, nil, false},
		{"a clock from the future starts again", request(cluster(79, 3), three, since(ClockMeshReturn, -time.Hour)), v1alpha1.TopologySingle, nil, true},
		{"too large for Single", request(cluster(502, 3)), v1alpha1.TopologyQuorum, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := Make(test.request)
			if plan.Topology != test.want {
				t.Errorf("topology %s, want %s", plan.Topology, test.want)
			}
			if diff := cmp.Diff(test.reasons, reasons(plan)); diff != "" {
				t.Error("problems (-want +got):\n", diff)
			}
			if plan.WaitUntil.IsZero() == test.waits {
				t.Errorf("WaitUntil %v, waits: %v", plan.WaitUntil, test.waits)
			}
		})
	}
}

func TestSelection(t *testing.T) {
	mark := func(name string, f func(*inventory.Node)) func(*Request) {
		return func(r *Request) {
			for i := range r.Nodes {
				if r.Nodes[i].Name == name {
					f(&r.Nodes[i])
				}
			}
		}
	}
	single := spec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologySingle })
	three := standing("node-0000", "node-0001", "node-0002")
	for _, test := range []struct {
		name    string
		request Request
		want    []string
		leaving []string
	}{
		{"one a zone, the oldest", request(cluster(9, 3), single), []string{"node-0000", "node-0001", "node-0002"}, nil},
		{"no zone labels: one zone", request(cluster(9, 3), single, func(r *Request) {
			for i := range r.Nodes {
				r.Nodes[i].Labels = nil
			}
		}), []string{"node-0000", "node-0001", "node-0002"}, nil},
		{"control-plane nodes first, in their zones", request(cluster(9, 3), single,
			mark("node-0008", func(n *inventory.Node) { n.Labels["node-role.kubernetes.io/control-plane"] = "" })),
			[]string{"node-0008", "node-0000", "node-0001"}, nil},
		{"least load first", request(cluster(9, 3), single, func(r *Request) {
			r.Load = map[string]int{"node-0000": 7, "node-0003": 0, "node-0006": 3, "node-0001": 1, "node-0004": 2}
		}), []string{"node-0003", "node-0001", "node-0002"}, nil},
		{"newest kubelet of the zone first", request(cluster(9, 3), single,
			mark("node-0006", func(n *inventory.Node) { n.KubeletVersion = "v1.10.1" }),
			mark("node-0003", func(n *inventory.Node) { n.KubeletVersion = "v1.9.9" })),
			[]string{"node-0006", "node-0001", "node-0002"}, nil},
		{"what was chosen stays chosen", request(cluster(9, 3), single, func(r *Request) {
			r.Chosen = []string{"node-0006"}
		}), []string{"node-0006", "node-0001", "node-0002"}, nil},
		{"ineligible are passed over", request(cluster(9, 3), single,
			mark("node-0000", func(n *inventory.Node) { n.OS = "windows" }),
			mark("node-0003", func(n *inventory.Node) { n.IPv4 = netip.Addr{} }),
			mark("node-0001", func(n *inventory.Node) { n.ASNumber = 65000 }),
			mark("node-0002", func(n *inventory.Node) { n.ClusterID = "10.0.0.1" })),
			[]string{"node-0004", "node-0005", "node-0006"}, nil},
		{"a lost one is replaced in its zone, the others stay", request(cluster(9, 3), single, three,
			mark("node-0001", func(n *inventory.Node) { n.Ready = false })),
			[]string{"node-0000", "node-0002", "node-0004"}, []string{"node-0001"}},
		{"not ready for a moment is not lost", request(cluster(9, 3), single, three,
			mark("node-0001", func(n *inventory.Node) {
				n.Ready, n.ReadySince, n.Taints = false, noon.Add(-time.Second), []string{"node.kubernetes.io/not-ready"}
			})),
			[]string{"node-0000", "node-0001", "node-0002"}, nil},
		{"a cordoned zone moves to the others", request(cluster(9, 3), single, three, func(r *Request) {
			for i := range r.Nodes {
				r.Nodes[i].Unschedulable = i%3 == 0
			}
		}), []string{"node-0001", "node-0002", "node-0004"}, []string{"node-0000"}},
		{"dedicated cordoned nodes stay", request(cluster(9, 3), single, three, func(r *Request) {
			r.Nodes[0].Unschedulable, r.Nodes[0].Labels["dedicated"] = true, "reflector"
			r.Spec.Placement.AllowCordoned = &metav1.LabelSelector{MatchLabels: map[string]string{"dedicated": "reflector"}}
		}), []string{"node-0000", "node-0001", "node-0002"}, nil},
		{"nobody to replace it: a working one stays on", request(cluster(3, 3), single, three,
			mark("node-0001", func(n *inventory.Node) { n.Unschedulable = true })),
			[]string{"node-0000", "node-0002", "node-0001"}, nil},
		{"all in one zone: the newest moves", request(cluster(9, 3), single, standing("node-0000", "node-0003", "node-0006")),
			[]string{"node-0000", "node-0003", "node-0001"}, []string{"node-0006"}},
		{"require", request(cluster(9, 3), single, func(r *Request) {
			r.Nodes[5].Labels["rr"], r.Nodes[7].Labels["rr"] = "yes", "yes"
			r.Spec.Placement.Require = []metav1.LabelSelector{{MatchLabels: map[string]string{"rr": "yes"}}}
		}), []string{"node-0005", "node-0007"}, nil},
		{"dual stack: only nodes with both", request(cluster(9, 3), single,
			mark("node-0004", func(n *inventory.Node) { n.IPv6 = netip.MustParseAddr("fd00::4") })),
			[]string{"node-0004"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := Make(test.request)
			if diff := cmp.Diff(test.want, names(plan)); diff != "" {
				t.Error("reflectors (-want +got):\n", diff)
			}
			var leaving []string
			for name := range plan.Leaving {
				leaving = append(leaving, name)
			}
			slices.Sort(leaving)
			if diff := cmp.Diff(test.leaving, leaving); diff != "" {
				t.Error("leaving (-want +got):\n", diff)
			}
		})
	}
}

func TestScaleDown(t *testing.T) {
	five := []string{"node-0000", "node-0001", "node-0002", "node-0003", "node-0004"}
	one := func(r *Request) { r.Spec.Topology = v1alpha1.TopologySingle }
	waiting := Make(request(cluster(100, 3), one, standing(five...)))
	if diff := cmp.Diff(five, names(waiting)); diff != "" {
		t.Error("before the window (-want +got):\n", diff)
	}
	if want := noon.Add(600 * time.Second); !waiting.WaitUntil.Equal(want) {
		t.Errorf("waits until %v, want %v", waiting.WaitUntil, want)
	}
	done := Make(request(cluster(100, 3), one, standing(five...), func(r *Request) {
		r.Clocks = map[string]time.Time{ClockScaleDown: noon.Add(-600 * time.Second)}
	}))
	if diff := cmp.Diff(five[:3], names(done)); diff != "" {
		t.Error("newest first (-want +got):\n", diff)
	}
	// The three oldest stand in one zone: the one in another zone survives.
	lopsided := []string{"node-0000", "node-0003", "node-0006", "node-0001"}
	spread := Make(request(cluster(100, 3), one, standing(lopsided...), func(r *Request) {
		r.Clocks = map[string]time.Time{ClockScaleDown: noon.Add(-600 * time.Second)}
	}))
	if diff := cmp.Diff([]string{"node-0000", "node-0003", "node-0001"}, names(spread)); diff != "" {
		t.Error("keeps two zones (-want +got):\n", diff)
	}
}

func TestWithoutCandidates(t *testing.T) {
	cordon := func(r *Request) {
		for i := range r.Nodes {
			r.Nodes[i].Ready = false
		}
	}
	plan := Make(request(cluster(500, 3), cordon))
	if plan.Topology != v1alpha1.TopologyMesh {
		t.Errorf("the mesh that stands must stay, got %s", plan.Topology)
	}
	plan = Make(request(cluster(500, 3), standing("node-0000", "node-0001"), cordon))
	if diff := cmp.Diff([]string{"node-0000", "node-0001"}, names(plan)); diff != "" || len(plan.Leaving) > 0 {
		t.Errorf("what stands must stay (-want +got): %s, leaving %v", diff, plan.Leaving)
	}
	if !strings.Contains(plan.Problems[0].Message, "498 nodes: is not ready") {
		t.Errorf("the problem does not say why: %v", plan.Problems)
	}
}

func TestInvalidPlacementChangesNothing(t *testing.T) {
	plan := Make(request(cluster(500, 3), standing("node-0000"), func(r *Request) {
		r.Spec.Placement.Exclude = []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{{
			Key: "zone", Operator: "Near",
		}}}}
	}))
	if diff := cmp.Diff([]string{"node-0000"}, names(plan)); diff != "" {
		t.Error("(-want +got):\n", diff)
	}
	if len(plan.Problems) != 1 || !strings.Contains(plan.Problems[0].Message, "spec.placement.exclude[0]") {
		t.Errorf("problems %v do not name the field", plan.Problems)
	}
}

// TestPlanProperties: whatever the cluster, the order of its nodes does not
// matter, a plan that is carried out is kept, and the bounds hold.
func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := cluster(rapid.IntRange(0, 40).Draw(t, "nodes"), rapid.IntRange(1, 4).Draw(t, "zones"))
		for i := range nodes {
			nodes[i].Ready = rapid.IntRange(0, 9).Draw(t, "ready") > 0
			nodes[i].Unschedulable = rapid.IntRange(0, 9).Draw(t, "cordoned") == 0
		}
		ratio := int32(rapid.IntRange(1, 20).Draw(t, "ratio"))
		r := request(nodes, func(r *Request) {
			r.Spec.Topology = v1alpha1.TopologySingle
			r.Spec.Scaling = v1alpha1.Scaling{Min: int32(rapid.IntRange(1, 4).Draw(t, "min")), Max: 6, NodesPerReflector: &ratio}
			r.Load = map[string]int{}
		})
		plan := Make(r)

		shuffled := r
		shuffled.Nodes = slices.Clone(nodes)
		for i := len(nodes) - 1; i > 0; i-- {
			j := rapid.IntRange(0, i).Draw(t, "swap")
			shuffled.Nodes[i], shuffled.Nodes[j] = shuffled.Nodes[j], shuffled.Nodes[i]
		}
		if diff := cmp.Diff(names(plan), names(Make(shuffled))); diff != "" {
			t.Fatalf("the order of nodes changes the plan:\n%s", diff)
		}
		if len(plan.Reflectors) > 6 {
			t.Fatalf("%d reflectors, max 6", len(plan.Reflectors))
		}
		done := r
		done.Nodes = slices.Clone(nodes)
		standing(names(plan)...)(&done)
		again := Make(done)
		if len(plan.Reflectors) > 0 {
			if diff := cmp.Diff(names(plan), names(again)); diff != "" {
				t.Fatalf("a plan that is carried out changes again:\n%s", diff)
			}
		}
	})
}

func TestCompareNatural(t *testing.T) {
	sorted := []string{"", "v1.9.0", "v1.10.0", "v1.10.0-rc.1", "v1.10.1", "v2", "w"}
	for i := range sorted {
		for j := range sorted {
			want := i - j
			if got := CompareNatural(sorted[i], sorted[j]); (got < 0) != (want < 0) || (got > 0) != (want > 0) {
				t.Errorf("CompareNatural(%q, %q) = %d", sorted[i], sorted[j], got)
			}
		}
	}
}
