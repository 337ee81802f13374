package topology_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

// TestMultiSizes: the smallest number of reflectors that keeps to 500 sessions.
func TestMultiSizes(t *testing.T) {
	t.Parallel()
	for k, want := range map[int32]map[int]int{
		2: {500: 3, 1000: 5, 2000: 9, 3000: 13, 5000: 21, 10000: 44},
		3: {500: 4, 1000: 7, 2000: 13, 3000: 19, 5000: 32, 10000: 70},
	} {
		for nodes, m := range want {
			plan := newWorld(nodes, evenly(1), homesEach(k)).plan()
			noProblems(t, &plan)
			if got := len(plan.Reflectors); got != m {
				t.Errorf("%d nodes, k=%d: %d reflectors, want %d", nodes, k, got, m)
			}
			if len(plan.Groups) > m {
				t.Errorf("%d nodes, k=%d: %d groups for %d reflectors", nodes, k, len(plan.Groups), m)
			}
		}
	}
}

// multi makes a world of Multi with changes to the policy.
func multi(n int, zoneOf func(int) string, changes ...func(*v1alpha1.RouteReflectorAutoscalerSpec)) *world {
	return newWorld(n, zoneOf, func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		homesEach(2)(s)
		for _, change := range changes {
			change(s)
		}
	})
}

func zonesOf(plan *topology.Plan) string {
	count := map[string]int{}
	for _, r := range plan.Reflectors {
		count[strings.TrimPrefix(r.Zone, "zone-")]++
	}
	var out []string
	for _, zone := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("%s%d", zone, count[zone]))
	}
	return strings.Join(out, " ")
}

// TestMultiBounds: both bounds hold in total whatever the number of zones, what does
// not divide is spread, and what a zone is short of goes to the others.
func TestMultiBounds(t *testing.T) {
	t.Parallel()
	bounds := func(least, most int32) func(*v1alpha1.RouteReflectorAutoscalerSpec) {
		return func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Min, s.Scaling.Max = least, most }
	}
	perReflector := func(n int32) func(*v1alpha1.RouteReflectorAutoscalerSpec) {
		return func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.NodesPerReflector = &n }
	}
	ladder := func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Scaling.NodesPerReflector = nil
		s.Scaling.Ladder = []v1alpha1.LadderStep{{Nodes: 50, Reflectors: 4}, {Nodes: 150, Reflectors: 8}}
	}
	onlyThree := func(w *world) { // able nodes in zone-a
		able := 0
		for i := range w.request.Nodes {
			if w.request.Nodes[i].Labels[keyOfZone] == "zone-a" {
				able++
				w.request.Nodes[i].Unschedulable = able > 3
			}
		}
	}
	for _, test := range []struct {
		name  string
		world *world
		edit  func(*world)
		zones string
	}{
		{"min, seven zones", multi(200, evenly(7), bounds(8, 100)), nil, "a2 b1 c1 d1 e1 f1 g1"},
		{"min below the zones", multi(70, evenly(7), bounds(3, 100)), nil, "a1 b1 c1"},
		{"max, two zones", multi(200, evenly(2), bounds(3, 8), perReflector(10)), nil, "a4 b4"},
		{"max, seven zones", multi(700, evenly(7), bounds(3, 10), perReflector(10)), nil, "a2 b2 c2 d1 e1 f1 g1"},
		{"a reflector for so many nodes", multi(240, evenly(3), perReflector(40)), nil, "a2 b2 c2"},
		{"ladder", multi(160, evenly(4), ladder), nil, "a2 b2 c2 d2"},
		{"a zone's shortage goes to the others", multi(400, evenly(2), perReflector(40), bounds(3, 100)), onlyThree, "a3 b7"},
		{"skewed: no zone has more than half for k=2", multi(1000, skewed(2), perReflector(100)), nil, "a5 b5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.edit != nil {
				test.edit(test.world)
			}
			plan := test.world.plan()
			if got := zonesOf(&plan); got != test.zones {
				t.Errorf("reflectors %s, want %s; %v", got, test.zones, plan.Problems)
			}
		})
	}
}

// TestMultiGroups: the zone label tells the groups where it will do, homes where it
// will not, and neither is needed where all reflectors serve all.
func TestMultiGroups(t *testing.T) {
	t.Parallel()
	k3 := func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.ReflectorsPerClient = 3 }
	for _, test := range []struct {
		name   string
		world  *world
		groups int
		homes  bool
	}{
		{"as many reflectors as homes", multi(300, evenly(3), k3), 0, false},
		{"even zones", multi(900, evenly(3)), 3, false},
		{"uneven zones", multi(900, skewed(3)), 5, true},
		{"zones larger than a reflector", multi(2000, evenly(3)), 9, true},
		{"nodes without a zone", multi(900, func(i int) string {
			if i == 7 || i == 8 {
				return ""
			}
			return evenly(3)(i)
		}), 10, true},
		{"more zones than a selector holds", multi(600, func(i int) string {
			return fmt.Sprintf("zone-%s-%02d", strings.Repeat("x", 30), i%30)
		}), 30, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := test.world.plan()
			noProblems(t, &plan)
			if got := len(plan.Groups); got != test.groups {
				t.Errorf("%d groups %v, want %d", got, plan.Groups, test.groups)
			}
			clients := len(test.world.request.Nodes) - len(plan.Reflectors)
			if want := map[bool]int{true: clients}[test.homes]; len(plan.Homes) != want {
				t.Errorf("%d homes, want %d", len(plan.Homes), want)
			}
			if selector := render.CatchAll(plan.Groups); len(selector) > render.MaxSelector {
				t.Errorf("the catch-all's selector has %d characters", len(selector))
			}
		})
	}
}

// TestZoneGroupsStay: once the zone label tells the groups, neither zones that grow
// apart nor a node without the label give all clients a home.
func TestZoneGroupsStay(t *testing.T) {
	t.Parallel()
	w := multi(900, evenly(3))
	before := w.settle()
	for range 60 {
		w.join("zone-a")
	}
	w.join("")
	after := w.plan()
	noProblems(t, &after)
	if diff := cmp.Diff(before.Groups, after.Groups); diff != "" || len(after.Homes) > 0 {
		t.Errorf("groups (-before +after):\n%s, %d homes", diff, len(after.Homes))
	}
	if diff := cmp.Diff(before.Reflectors, after.Reflectors); diff != "" {
		t.Errorf("reflectors (-before +after):\n%s", diff)
	}
}

// TestReplacement: a lost reflector's groups and zone go to one other node, which
// takes the free cluster ID; no client is written.
func TestReplacement(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]*world{
		"groups by zone": multi(900, evenly(3)), "shards": multi(2000, evenly(3)), "skewed": multi(1300, skewed(4)),
	} {
		t.Run(name, func(t *testing.T) {
			before := w.settle()
			for _, lost := range before.Reflectors {
				other := w.copy()
				other.leave(lost.Node)
				after := other.plan()
				noProblems(t, &after)
				var fresh []topology.Reflector
				for _, r := range after.Reflectors {
					if !before.Has(r.Node) {
						fresh = append(fresh, r)
					}
				}
				want := []topology.Reflector{lost}
				if diff := cmp.Diff(want, fresh, cmpopts.IgnoreFields(topology.Reflector{}, "Node")); diff != "" {
					t.Fatalf("%s is lost, instead of it (-want +got):\n%s", lost.Node, diff)
				}
				for node, home := range after.Homes {
					if before.Homes[node] != home {
						t.Fatalf("%s goes from home %q to %q", node, before.Homes[node], home)
					}
				}
			}
		})
	}
}

// TestMultiScaleDown: fewer reflectors after the window, the newest first, and never
// the last of the busiest zone.
func TestMultiScaleDown(t *testing.T) {
	t.Parallel()
	w := multi(400, evenly(2), func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Min = 8 })
	before := w.settle()
	w.request.Spec.Scaling.Min = 3
	waiting := w.plan()
	if diff := cmp.Diff(before.Reflectors, waiting.Reflectors, byNode); diff != "" {
		t.Errorf("before the window (-want +got):\n%s", diff)
	}
	if want := noon.Add(600 * time.Second); !waiting.WaitUntil.Equal(want) {
		t.Errorf("waits until %v, want %v", waiting.WaitUntil, want)
	}
	w.request.Clocks, w.request.Now = waiting.Clocks, noon.Add(600*time.Second)
	after := w.plan()
	noProblems(t, &after)
	// The nodes are as old as their numbers are low.
	if diff := cmp.Diff([]string{"node-00000", "node-00001", "node-00002", "node-00003"}, reflectorsOf(&after)); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
	for _, gone := range []string{"node-00004", "node-00007"} {
		if after.Leaving[gone] != "fewer route reflectors are enough" {
			t.Errorf("%s leaves because %q", gone, after.Leaving[gone])
		}
	}

	// The only reflector of the busiest zone is the newest.
	w = multi(400, skewed(2), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Scaling.Min = 4
		s.Placement.Pinned = []string{"node-00008", "node-00009", "node-00018", "node-00398"}
	})
	w.request.Nodes[398].Labels[keyOfZone], w.zones["node-00398"] = "zone-a", "zone-a"
	w.settle()
	w.request.Spec.Placement.Pinned = nil
	w.request.Spec.Scaling.Min = 2
	w.request.Spec.Scaling.ScaleDownStabilizationSeconds = new(int32)
	after = w.plan()
	if !after.Has("node-00398") || len(after.Reflectors) > 3 {
		t.Errorf("reflectors %v, leaving %v", reflectorsOf(&after), after.Leaving)
	}
}

var byNode = cmpopts.SortSlices(func(a, b topology.Reflector) bool { return a.Node < b.Node })

// TestFromSingle: the reflectors of Single stay, with cluster IDs of their own.
func TestFromSingle(t *testing.T) {
	t.Parallel()
	w := newWorld(900, evenly(3), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Topology, s.ReflectorsPerClient, s.Limits.SessionsPerReflector = v1alpha1.TopologySingle, 2, 1000
	})
	single := w.settle()
	w.request.Spec.Topology = v1alpha1.TopologyMulti
	w.request.Spec.Limits.SessionsPerReflector = 500
	plan := w.plan()
	noProblems(t, &plan)
	for _, r := range single.Reflectors {
		if !plan.Has(r.Node) {
			t.Errorf("%s is given up: %s", r.Node, plan.Leaving[r.Node])
		}
	}
	catchAll := 0
	for i, r := range plan.Reflectors {
		if want := fmt.Sprintf("224.0.0.%d", i+2); r.ClusterID != want || r.Tier != topology.TierMulti {
			t.Errorf("%s has the ID %s in tier %s, want %s", r.Node, r.ClusterID, r.Tier, want)
		}
		if slices.Contains(r.Serves, topology.GroupAll) {
			catchAll++
		}
	}
	if catchAll != 2 {
		t.Errorf("%d reflectors serve all, want 2", catchAll)
	}
	w.prove(t, &plan, 2)
}

// TestPinned: pinned nodes come first, stay, and take the place of others.
func TestPinned(t *testing.T) {
	t.Parallel()
	for _, name := range []v1alpha1.Topology{v1alpha1.TopologySingle, v1alpha1.TopologyMulti} {
		t.Run(string(name), func(t *testing.T) {
			w := multi(100, evenly(3), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
				s.Topology, s.ReflectorsPerClient = name, 3
				s.Placement.Pinned = []string{"node-00050", "node-00030"}
			})
			plan := w.settle()
			noProblems(t, &plan)
			if !plan.Has("node-00050") || !plan.Has("node-00030") || len(plan.Reflectors) != 3 {
				t.Errorf("reflectors %v", reflectorsOf(&plan))
			}
			w.request.Spec.Placement.Pinned = []string{"node-00050", "node-00099"}
			plan = w.settle()
			if !plan.Has("node-00050") || !plan.Has("node-00099") || len(plan.Reflectors) != 3 || len(plan.Leaving) != 1 {
				t.Errorf("reflectors %v, leaving %v", reflectorsOf(&plan), plan.Leaving)
			}
			// It stays when there are too many.
			w.request.Spec.Scaling.Max, w.request.Spec.Scaling.Min, w.request.Spec.ReflectorsPerClient = 2, 2, 2
			w.request.Spec.Scaling.ScaleDownStabilizationSeconds = new(int32)
			plan = w.settle()
			if !plan.Has("node-00050") || !plan.Has("node-00099") || len(plan.Reflectors) != 2 {
				t.Errorf("reflectors %v, leaving %v", reflectorsOf(&plan), plan.Leaving)
			}
			// One that cannot be a reflector is named, with the reason.
			w.request.Nodes[99].Unschedulable = true
			plan = w.plan()
			if plan.Has("node-00099") || len(plan.Problems) != 1 || !strings.Contains(plan.Problems[0].Message, "node-00099, which is cordoned") {
				t.Errorf("reflectors %v, problems %v", reflectorsOf(&plan), plan.Problems)
			}
		})
	}
}

// TestPromisesThatCannotBeKept are named, with the numbers.
func TestPromisesThatCannotBeKept(t *testing.T) {
	t.Parallel()
	cordonAllBut := func(w *world, zone string, but int) *world {
		for i := range w.request.Nodes {
			if w.request.Nodes[i].Labels[keyOfZone] != zone {
				if but--; but < 0 {
					w.request.Nodes[i].Unschedulable = true
				}
			}
		}
		return w
	}
	for _, test := range []struct {
		name         string
		world        *world
		reason, says string
	}{
		{"sessions", multi(30000, evenly(3)), topology.ReasonLimitExceeded, "limits.sessionsPerReflector allows 500"},
		{"able nodes", multi(1000, evenly(1), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Placement.Require = append(s.Placement.Require, byName("node-00001"), byName("node-00002"))
		}), topology.ReasonTooFewEligible, "2 of 3 route reflectors"},
		{"one node outside the largest zone", cordonAllBut(multi(1000, evenly(2)), "zone-a", 1), topology.ReasonOneZone,
			"two zones: with limits.sessionsPerReflector 500 the nodes that can be one outside the largest zone are too few"},
		{"too few for two zones", multi(1000, evenly(2), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Scaling.Max = 5
		}), topology.ReasonOneZone, "two zones: it takes more than scaling.max 5 of the 1000 nodes that can be one; raise it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for i := range test.world.request.Nodes {
				test.world.request.Nodes[i].Labels["name"] = test.world.request.Nodes[i].Name
			}
			plan := test.world.plan()
			if !slices.ContainsFunc(plan.Problems, func(p topology.Problem) bool {
				return p.Reason == test.reason && strings.Contains(p.Message, test.says)
			}) {
				t.Errorf("problems %v", plan.Problems)
			}
			if len(plan.Reflectors) == 0 {
				t.Error("there are no reflectors")
			}
			net := test.world.network(&plan)
			if v := net.Visibility(nil); !v.Complete {
				t.Errorf("%d pairs do not see each other", v.MissingPairs)
			}
		})
	}
}

// TestAsksForLoad: of enough candidates in every zone, until the nodes are chosen.
func TestAsksForLoad(t *testing.T) {
	t.Parallel()
	w := multi(5000, evenly(1))
	w.request.Load = nil
	plan := w.plan()
	if got := len(plan.AskLoad); got != 25 {
		t.Errorf("asks for %d, want 25", got)
	}
	w.request.Load = map[string]int{}
	for i, name := range plan.AskLoad {
		w.request.Load[name] = 100 - i
	}
	plan = w.plan()
	if len(plan.AskLoad) != 0 || plan.Has("node-00000") || !plan.Has("node-00024") {
		t.Errorf("asks for %v, reflectors %v", plan.AskLoad, reflectorsOf(&plan))
	}
	w.request.Load, w.request.Chosen = nil, reflectorsOf(&plan)
	again := w.settle()
	if diff := cmp.Diff(reflectorsOf(&plan), reflectorsOf(&again), cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
		t.Errorf("what was chosen changes (-want +got):\n%s", diff)
	}
	if plan = w.plan(); len(plan.AskLoad) != 0 {
		t.Errorf("asks for %d though nothing is to be chosen", len(plan.AskLoad))
	}
}

// TestMultiBeyondTheLimit: where no number of reflectors keeps to the limit of sessions
// there are as many as come nearest to it, with groups as few as ever.
func TestMultiBeyondTheLimit(t *testing.T) {
	t.Parallel()
	w := multi(300, evenly(3), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.ReflectorsPerClient, s.Limits.SessionsPerReflector = 3, 10
	})
	plan := w.settle()
	want := "300 nodes with 3 route reflectors each would need 59 sessions a route reflector with 30 of them, limits.sessionsPerReflector allows 10: raise it or scaling.max (100), or lower reflectorsPerClient"
	if len(plan.Problems) != 1 || plan.Problems[0].Message != want {
		t.Errorf("problems %v, want %q", plan.Problems, want)
	}
	if m := len(plan.Reflectors); m < 30 || m > 32 || len(plan.Groups) > 36 {
		t.Errorf("%d reflectors, %d groups", m, len(plan.Groups))
	}
	if degree := w.network(&plan).Degree(); degree > 59 {
		t.Errorf("%d sessions a reflector", degree)
	}
	again := w.plan()
	if diff := cmp.Diff(essence(&plan), essence(&again)); diff != "" {
		t.Errorf("it changes again:\n%s", diff)
	}
}
