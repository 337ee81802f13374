package topology_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

const keyOfRack = "example.org/rack"

func manyPaths(s *policy) { s.Limits.PathsPerRoute = 1000 }

func byRack(s *policy) { s.RackLabel = keyOfRack }

// inRacks makes a cluster of racks of the sizes given, which stand in three zones in
// turn. Size 0 stands for ten nodes without the label.
func inRacks(sizes []int, change func(*policy)) *world {
	w := newWorld(0, nil, change)
	for i, size := range sizes {
		count := size
		if size == 0 {
			count = 10
		}
		for range count {
			w.join(fmt.Sprintf("zone-%c", 'a'+i%3))
			if size > 0 {
				w.request.Nodes[len(w.request.Nodes)-1].Labels[keyOfRack] = rackName(i)
			}
		}
	}
	return w
}

func rackName(i int) string { return fmt.Sprintf("rack-%02d", i) }

func TestHierarchyProved(t *testing.T) {
	t.Parallel()
	counts := []int{1, 2, 3, 5, 10, 60, 100, 501, 1000, 2000, 5000}
	if testing.Short() {
		counts = []int{1, 3, 10, 60, 501}
	}
	for _, n := range counts {
		for zones := 1; zones <= 7; zones++ {
			for f := range 3 {
				t.Run(fmt.Sprintf("%d nodes, %d zones, f=%d", n, zones, f), func(t *testing.T) {
					w := newWorld(n, evenly(zones), shaped(v1alpha1.TopologyHierarchy, int32(f), manyPaths, func(s *policy) { s.Scaling.Min = 1 }))
					plan := w.plan()
					w.proveHierarchy(t, &plan, f)
				})
			}
		}
	}
}

// proveHierarchy asks the oracle about a plan from nothing.
func (w *world) proveHierarchy(t *testing.T, plan *topology.Plan, f int) {
	t.Helper()
	each := max(2, f+1)
	if len(w.request.Nodes) >= each {
		noProblems(t, plan)
	}
	net := w.network(plan)
	if v := net.Visibility(nil); !v.Complete {
		t.Fatalf("%d pairs do not see each other, such as %v", v.MissingPairs, v.Sample[0])
	}
	if len(w.request.Nodes) > each {
		survivesSome(t, net, reflectorsOf(plan), f)
	}
	if !net.SurvivesZones(w.zoneOf) {
		t.Error("does not survive the loss of any one zone")
	}
	if degree, limit := net.Degree(), int(w.request.Spec.Limits.SessionsPerReflector); degree > limit {
		t.Errorf("%d sessions a reflector", degree)
	}
	w.tiers(t, plan, each)
	if n := len(render.CatchAll(plan.Groups)); n > render.MaxSelector {
		t.Errorf("the catch-all's selector has %d characters", n)
	}
	client := w.clientOf(plan)
	if plan.Has(client) {
		return
	}
	paths, capped := net.PathsTo(client, bgp.IPv4, nil)
	for node, n := range paths {
		if !plan.Has(node) && (capped || n > each*each*each) {
			t.Errorf("%s holds %d paths to %s, want at most %d", node, n, client, each*each*each)
			break
		}
	}
}

// tiers checks who has which part: the spine shares the base ID and serves the
// catch-all, the reflectors of a rack share an ID of their own and its groups.
func (w *world) tiers(t *testing.T, plan *topology.Plan, each int) {
	t.Helper()
	spine, seen := 0, map[string]bool{}
	units, groupsOf := map[string]int{}, map[string]string{}
	for _, r := range plan.Reflectors {
		if seen[r.Node] {
			t.Errorf("%s has two parts", r.Node)
		}
		seen[r.Node] = true
		groups := strings.Join(r.Serves, " ")
		switch r.Tier {
		case topology.TierCore:
			spine++
			if r.ClusterID != w.request.Spec.ClusterID || !slices.Contains(r.Serves, topology.GroupAll) {
				t.Errorf("%s of the spine has the ID %s and serves %s", r.Node, r.ClusterID, groups)
			}
		case topology.TierRack:
			units[r.ClusterID]++
			if was, ok := groupsOf[r.ClusterID]; ok && was != groups || r.ClusterID == w.request.Spec.ClusterID {
				t.Errorf("%s has the ID %s and serves %s, others with it %s", r.Node, r.ClusterID, groups, was)
			}
			groupsOf[r.ClusterID] = groups
		default:
			t.Errorf("%s is of tier %s", r.Node, r.Tier)
		}
	}
	if spine != min(each, len(w.request.Nodes)) {
		t.Errorf("%d reflectors of the spine, want %d", spine, each)
	}
	for id, n := range units {
		if n != each {
			t.Errorf("%d reflectors with %s, want %d", n, id, each)
		}
	}
}

func unequal() []int {
	sizes := []int{1, 2, 3, 1200, 5, 0}
	for i := range 34 {
		sizes = append(sizes, 6+i*i%57)
	}
	return sizes
}

// 40 racks: of one node, of two, of 1,200, nodes without a rack, and others.
func TestHierarchyOfRacks(t *testing.T) {
	t.Parallel()
	w := inRacks(unequal(), shaped(v1alpha1.TopologyHierarchy, 1, byRack, manyPaths))
	plan := w.plan()
	w.proveHierarchy(t, &plan, 1)
	groups := map[string]topology.Group{}
	shards := 0
	for _, group := range plan.Groups {
		groups[group.Name] = group
		if strings.HasPrefix(group.Name, rackName(3)+"-") && group.ByHome() {
			shards++
		}
	}
	if shards != 3 {
		t.Errorf("the rack of 1,200 nodes has %d shards, want 3", shards)
	}
	for i := range unequal() {
		_, own := groups[rackName(i)]
		if want := i > 3 && i != 5; i != 2 && own != want {
			t.Errorf("%s of %d nodes has a group: %v, want %v", rackName(i), unequal()[i], own, want)
		}
	}
	clients, homes := w.loads(&plan)
	for i := range w.request.Nodes {
		node := &w.request.Nodes[i]
		if rack := node.Labels[keyOfRack]; !plan.Has(node.Name) && (rack == "" || rack == rackName(0) || rack == rackName(1)) {
			for _, r := range homes[node.Name] {
				if at := slices.IndexFunc(plan.Reflectors, func(p topology.Reflector) bool { return p.Node == r }); plan.Reflectors[at].Tier != topology.TierCore {
					t.Errorf("%s of rack %q peers with %s, want the spine", node.Name, rack, r)
				}
			}
		}
	}
	for node, n := range clients {
		if n > 498 {
			t.Errorf("%s has %d clients", node, n)
		}
	}
	if want := 36*2 + 3*2 + 2; len(plan.Reflectors) < want-4 || len(plan.Reflectors) > want {
		t.Errorf("%d reflectors", len(plan.Reflectors))
	}
}

// Racks of just as many nodes as they would have reflectors peer with the spine: each
// of their nodes would do so as a reflector too. So the spine is what bounds them.
func TestHierarchyOfRacksOfTwo(t *testing.T) {
	t.Parallel()
	pairs := func(racks int, more ...int) *world {
		sizes := append(slices.Repeat([]int{2}, racks), more...)
		return inRacks(sizes, shaped(v1alpha1.TopologyHierarchy, 1, byRack, manyPaths, func(s *policy) { s.Scaling.Min = 2 }))
	}
	for name, w := range map[string]*world{"alone": pairs(240), "beside larger ones": pairs(60, 40, 40, 3)} {
		plan := w.plan()
		t.Log(name, len(plan.Groups))
		w.proveHierarchy(t, &plan, 1)
	}
	refused := pairs(251).plan()
	want := "topology Hierarchy gives a reflector of the spine 501 sessions (0 reflectors of racks, 500 clients without a rack of at least 3 nodes that can be reflectors, 1 of the spine), limits.sessionsPerReflector allows 500: tell larger racks by spec.rackLabel (those of 500 have at most 2 nodes), or raise the limit"
	if len(refused.Problems) != 1 || refused.Problems[0].Message != want {
		t.Errorf("problems %v, want %q", refused.Problems, want)
	}
	unable := pairs(0, 300, 300)
	for i := range unable.request.Nodes {
		unable.request.Nodes[i].Unschedulable = i > 1 && i < 300
	}
	refused = unable.plan()
	if len(refused.Problems) != 0 {
		t.Errorf("problems %v", refused.Problems)
	}
	unable.request.Spec.Limits.SessionsPerReflector = 299
	refused = unable.plan()
	mend := "let more nodes be reflectors by spec.placement (of the racks of 299 at most 2 can), or raise the limit"
	if len(refused.Problems) != 1 || !strings.HasSuffix(refused.Problems[0].Message, mend) {
		t.Errorf("problems %v, want %q", refused.Problems, mend)
	}
}

// A client has a path over each reflector of its rack, each of the spine, and each of
// the other's rack, however many racks there are.
func TestHierarchyPaths(t *testing.T) {
	t.Parallel()
	for zones := 1; zones <= 7; zones++ {
		for f := range 3 {
			w := newWorld(20*zones, evenly(zones), shaped(v1alpha1.TopologyHierarchy, int32(f), manyPaths))
			plan := w.plan()
			each := max(2, f+1)
			want := each * each * each
			if zones == 1 {
				want = each
			}
			if paths := w.network(&plan).Paths(); paths.Max != want {
				t.Errorf("%d zones, f=%d: %d paths from %s to %s, want %d", zones, f, paths.Max, paths.Holder, paths.Origin, want)
			}
		}
	}
}

// What cannot be is refused with what to change, and what stands stays.
func TestHierarchyRefused(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]int{4}, 60)
	for _, tt := range []struct {
		name   string
		racks  []int
		change func(*policy)
		want   string
	}{
		{"unknown label", []int{20, 20}, func(s *policy) { s.RackLabel = "example.org/row" },
			"topology Hierarchy: no node has the label example.org/row, which spec.rackLabel says tells the racks; what stands stays"},
		{"too many reflectors", many, byRack,
			"topology Hierarchy needs 122 route reflectors (120 for 60 racks or parts of racks, 2 of the spine), scaling.max allows 100: raise it, or tell larger racks by spec.rackLabel"},
		{"too few reflectors", []int{20}, func(s *policy) { byRack(s); s.Scaling.Min = 6 },
			"topology Hierarchy comes to 4 route reflectors (2 for 1 rack or part of one, 2 of the spine), scaling.min asks for 6: lower it, or tell racks by spec.rackLabel of which more have at least 3 nodes that can be reflectors"},
		{"too many paths", []int{20}, func(s *policy) { byRack(s); s.Limits.PathsPerRoute = 7; s.Scaling.Min = 3 },
			"topology Hierarchy: 2 reflectors a rack and on the spine (limits.reflectorFailures 1 and one more) give a client 8 paths a route, limits.pathsPerRoute allows 7; what stands stays"},
		{"spine too busy", []int{20, 1, 1, 1, 1, 1, 1, 0, 0, 0}, func(s *policy) { byRack(s); s.Limits.SessionsPerReflector = 30 },
			"topology Hierarchy gives a reflector of the spine 38 sessions (2 reflectors of racks, 35 clients without a rack of at least 3 nodes that can be reflectors, 1 of the spine), limits.sessionsPerReflector allows 30: label the nodes of 30 of these with example.org/rack, tell larger racks by spec.rackLabel (those of 5 have at most 2 nodes), or raise the limit"},
	} {
		w := inRacks(tt.racks, shaped(v1alpha1.TopologySingle, 1, func(s *policy) { s.Limits.PathsPerRoute = 1000 }))
		single := w.settle()
		shaped(v1alpha1.TopologyHierarchy, 1, tt.change)(&w.request.Spec)
		plan := w.plan()
		if diff := cmp.Diff(slices.Sorted(slices.Values(reflectorsOf(&single))), slices.Sorted(slices.Values(reflectorsOf(&plan)))); diff != "" {
			t.Errorf("%s: %s, reflectors (-before +after):\n%s", tt.name, plan.Topology, diff)
		}
		if len(plan.Problems) == 0 || plan.Problems[0].Message != tt.want {
			t.Errorf("%s: problems %v, want %q", tt.name, plan.Problems, tt.want)
		}
	}
}

// The most senior reflectors of Single become the spine, in two zones where there are.
func TestHierarchyFromSingle(t *testing.T) {
	t.Parallel()
	w := newWorld(90, evenly(3), shaped(v1alpha1.TopologySingle, 1, func(s *policy) { s.Scaling.Min = 5 }))
	single := w.settle()
	w.request.Standing = reflectorsOf(&single) // in the order of seniority
	shaped(v1alpha1.TopologyHierarchy, 1, func(s *policy) { s.Scaling.Min = 3 })(&w.request.Spec)
	plan := w.settle()
	w.proveHierarchy(t, &plan, 1)
	spine := []string{}
	for _, r := range plan.Reflectors {
		if r.Tier == topology.TierCore {
			spine = append(spine, r.Node)
		}
	}
	if diff := cmp.Diff(reflectorsOf(&single)[:2], spine); diff != "" {
		t.Errorf("the spine (-most senior +got):\n%s", diff)
	}
	for _, name := range reflectorsOf(&single)[2:] {
		if !plan.Has(name) {
			t.Errorf("%s could be a reflector of its zone: %v", name, plan.Leaving[name])
		}
	}
}

// A rack whose reflectors are all lost and cannot be replaced peers with the spine
// until they can.
func TestHierarchyRackWithoutReflectors(t *testing.T) {
	t.Parallel()
	w := inRacks([]int{20, 20, 20}, shaped(v1alpha1.TopologyHierarchy, 1, byRack))
	before := w.settle()
	blocked := func(on bool) {
		for i := range w.request.Nodes {
			node := &w.request.Nodes[i]
			at := slices.IndexFunc(before.Reflectors, func(r topology.Reflector) bool { return r.Node == node.Name })
			if node.Labels[keyOfRack] != rackName(1) || at >= 0 && before.Reflectors[at].Tier == topology.TierCore {
				continue
			}
			node.Unschedulable = on
			if at >= 0 {
				node.Ready = !on
			}
		}
	}
	blocked(true)
	during := w.plan()
	for _, r := range during.Reflectors {
		serves := slices.Contains(r.Serves, rackName(1))
		if (r.Tier == topology.TierCore) != serves {
			t.Errorf("%s of tier %s serves the rack without reflectors: %v", r.Node, r.Tier, serves)
		}
	}
	if diff := cmp.Diff(before.Groups, during.Groups); diff != "" {
		t.Errorf("the groups change:\n%s", diff)
	}
	if !w.network(&during).Visibility(nil).Complete {
		t.Error("not complete")
	}
	blocked(false)
	after := w.plan()
	if diff := cmp.Diff(essence(&before), essence(&after)); diff != "" {
		t.Errorf("afterwards it is not as it was:\n%s", diff)
	}
}

// A rack that reaches over zones has its reflectors in two of them.
func TestHierarchyRackOverZones(t *testing.T) {
	t.Parallel()
	w := newWorld(60, evenly(3), shaped(v1alpha1.TopologyHierarchy, 1, byRack))
	for i := range w.request.Nodes {
		w.request.Nodes[i].Labels[keyOfRack] = rackName(i / 20)
	}
	plan := w.plan()
	w.proveHierarchy(t, &plan, 1)
	for i := range w.request.Nodes {
		node := &w.request.Nodes[i]
		node.Unschedulable = node.Labels[keyOfZone] != "zone-a" && node.Labels[keyOfRack] == rackName(1)
	}
	plan = w.plan()
	if !slices.Contains(problems(&plan), topology.ReasonZoneLoss) {
		t.Errorf("problems %v, want one of zones", plan.Problems)
	}
}

// Shards do not depend on the topology: going from Multi to Hierarchy and back moves
// no client, however many shards share a zone's reflectors.
func TestHierarchyTakesOverShards(t *testing.T) {
	t.Parallel()
	// Zone a is too large for Multi to tell its clients by zone.
	w := newWorld(600, skewed(3), homesEach(2))
	multi := w.settle()
	if len(multi.Homes) == 0 {
		t.Fatal("Multi has no homes")
	}
	shaped(v1alpha1.TopologyHierarchy, 1)(&w.request.Spec)
	plan := w.settle()
	w.proveHierarchy(t, &plan, 1)
	for node, home := range multi.Homes {
		if now, ok := plan.Homes[node]; ok && now != home {
			t.Errorf("%s goes from home %s to %s", node, home, now)
		}
	}
	served := map[string]bool{}
	for _, r := range plan.Reflectors {
		for _, group := range r.Serves {
			served[group] = true
		}
	}
	for node, home := range multi.Homes {
		if !plan.Has(node) && !served[home] {
			t.Errorf("nobody serves the home %s of %s", home, node)
		}
	}
}

// A hierarchy that stands is kept up beyond its limits, with new racks on the spine
// and lost reflectors replaced.
func TestHierarchyBeyondItsLimits(t *testing.T) {
	t.Parallel()
	w := inRacks([]int{20, 20, 20}, shaped(v1alpha1.TopologyHierarchy, 1, byRack, func(s *policy) { s.Scaling.Max = 8 }))
	before := w.settle()
	noProblems(t, &before)
	for range 20 {
		w.join("zone-a")
		w.request.Nodes[len(w.request.Nodes)-1].Labels[keyOfRack] = rackName(3)
	}
	w.leave(before.Reflectors[5].Node)
	plan := w.settle()
	if !slices.Contains(problems(&plan), topology.ReasonLimitExceeded) || len(plan.Reflectors) != 8 {
		t.Errorf("%d reflectors, problems %v", len(plan.Reflectors), plan.Problems)
	}
	if diff := cmp.Diff(before.Groups, plan.Groups); diff != "" {
		t.Errorf("the groups change:\n%s", diff)
	}
	net := w.network(&plan)
	if !net.Visibility(nil).Complete || !net.SurvivesReflectors(1) {
		t.Error("not complete, or not when a reflector is lost")
	}
}
