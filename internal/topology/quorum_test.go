package topology_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/topology"
)

type policy = v1alpha1.RouteReflectorAutoscalerSpec

// shaped asks for a topology that survives f reflectors; the limits decide how many
// there are.
func shaped(kind v1alpha1.Topology, f int32, more ...func(*policy)) func(*policy) {
	return func(s *policy) {
		ratio := int32(10000)
		s.Topology, s.Limits.ReflectorFailures, s.Scaling.NodesPerReflector = kind, &f, &ratio
		for _, change := range more {
			change(s)
		}
	}
}

// survivesSome tries the loss of so many reflectors: all choices where these are
// few, else consecutive ones and every fifth.
func survivesSome(t *testing.T, net *bgp.Network, reflectors []string, f int) {
	t.Helper()
	if f < 2 || len(reflectors) <= 16 {
		if !net.SurvivesReflectors(f) {
			t.Errorf("does not survive the loss of any %d reflectors", f)
		}
		return
	}
	for i := range reflectors {
		for _, step := range []int{1, 5} {
			lost := map[string]bool{}
			for j := range f {
				lost[reflectors[(i+j*step)%len(reflectors)]] = true
			}
			if v := net.Visibility(func(node string) bool { return lost[node] }); !v.Complete {
				t.Errorf("without %v %v is missing", slices.Sorted(maps.Keys(lost)), v.Sample[0])
				return
			}
		}
	}
}

// problems of a plan, by reason.
func problems(plan *topology.Plan) []string {
	var out []string
	for _, p := range plan.Problems {
		out = append(out, p.Reason)
	}
	return out
}

func TestQuorumProved(t *testing.T) {
	t.Parallel()
	counts := []int{15, 60, 501, 1000, 1500, 2500, 5000}
	if testing.Short() {
		counts = []int{15, 60, 501, 1000}
	}
	for _, n := range counts {
		for zones := 1; zones <= 7; zones++ {
			for f := range 3 {
				t.Run(fmt.Sprintf("%d nodes, %d zones, f=%d", n, zones, f), func(t *testing.T) {
					w := newWorld(n, evenly(zones), shaped(v1alpha1.TopologyQuorum, int32(f)))
					plan := w.plan()
					w.proveQuorum(t, &plan, f)
				})
			}
		}
	}
}

// proveQuorum asks the oracle about a plan from nothing.
func (w *world) proveQuorum(t *testing.T, plan *topology.Plan, f int) {
	t.Helper()
	if len(plan.Reflectors) == 0 {
		if !slices.Contains(problems(plan), topology.ReasonLimitExceeded) {
			t.Errorf("no plan, and no reason: %v", plan.Problems)
		}
		return
	}
	net := w.network(plan)
	if v := net.Visibility(nil); !v.Complete {
		t.Fatalf("%d pairs do not see each other, such as %v", v.MissingPairs, v.Sample[0])
	}
	survivesSome(t, net, reflectorsOf(plan), f)
	// With few groups not all blocks have clients, and the bad ones may be among these.
	uncovered, few := slices.Contains(problems(plan), topology.ReasonZoneLoss), len(w.request.Nodes) < 60
	if covered := net.SurvivesZones(w.zoneOf); covered == uncovered && !few || !covered && !uncovered {
		t.Errorf("survives any zone: %v; problems: %v", covered, plan.Problems)
	}
	if degree, limit := net.Degree(), int(w.request.Spec.Limits.SessionsPerReflector); degree > limit {
		t.Errorf("%d sessions a reflector", degree)
	}
	clients, homes := w.loads(plan)
	block := 0
	for _, by := range homes {
		block = max(block, len(by))
	}
	most, sum := 0, 0
	for _, n := range clients {
		most, sum = max(most, n), sum+n
	}
	if float64(most*len(clients)) > 1.25*float64(sum) && len(homes) > 10*len(clients) {
		t.Errorf("the busiest reflector has %d clients, the mean is %.1f", most, float64(sum)/float64(len(clients)))
	}
	for i, a := range plan.Groups {
		if a.Name == "" || !a.ByHome() {
			t.Errorf("group %d is %v", i, a)
		}
	}
	if paths, capped := net.PathsTo(w.clientOf(plan), bgp.IPv4, nil); !capped {
		for node, n := range paths {
			if !plan.Has(node) && (n > block || n < f+1) {
				t.Errorf("%s holds %d paths, want %d to %d", node, n, f+1, block)
				break
			}
		}
	} else {
		t.Error("the paths to one node cannot be counted")
	}
}

// clientOf is the first node that is no reflector, or the first.
func (w *world) clientOf(plan *topology.Plan) string {
	for i := range w.request.Nodes {
		if name := w.request.Nodes[i].Name; !plan.Has(name) {
			return name
		}
	}
	return w.request.Nodes[0].Name
}

// Which design is taken: the smallest that keeps to the limits and can lose any zone,
// else the smallest.
func TestQuorumDesign(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		nodes, zones int
		f            int32
		want         string
		reason       string
	}{
		{60, 1, 0, "7-3", ""},
		{60, 1, 1, "7-4", ""},
		{60, 1, 2, "11-6", ""},
		{60, 3, 1, "15-7", ""},
		{60, 2, 1, "23-12", ""},
		{60, 7, 1, "7-4", ""},
		{1000, 3, 1, "15-7", ""},
		{1000, 1, 1, "11-5", ""},
		{1900, 1, 1, "37-9", ""},
		{2000, 1, 1, "56-11", ""},
		{2500, 1, 1, "79-13", ""},
		{2500, 3, 1, "79-13", topology.ReasonZoneLoss},
		{2600, 1, 1, "", topology.ReasonLimitExceeded},
		{6, 1, 1, "", topology.ReasonTooFewEligible},
		{7, 1, 1, "7-4", ""},
	} {
		w := newWorld(tt.nodes, evenly(tt.zones), shaped(v1alpha1.TopologyQuorum, tt.f))
		plan := w.plan()
		got := ""
		if len(plan.Reflectors) > 0 {
			for _, group := range plan.Reflectors[0].Serves {
				if name, ok := strings.CutPrefix(group, "quorum-"); ok {
					got, _, _ = strings.Cut(name, ".")
				}
			}
		}
		reason := strings.Join(problems(&plan), ",")
		if got != tt.want || reason != tt.reason {
			t.Errorf("%d nodes, %d zones, f=%d: design %q, problems %q; want %q, %q (%v)",
				tt.nodes, tt.zones, tt.f, got, reason, tt.want, tt.reason, plan.Problems)
		}
	}
}

// Where no design fits what stands stays, and the message says what to change.
func TestQuorumRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		nodes  int
		f      int32
		change func(*policy)
		want   string
	}{
		{"too small a maximum", 60, 1, func(s *policy) { s.Scaling.Max = 6 },
			"topology Quorum: no block design that survives 1 failures has 3 to 6 route reflectors (scaling.min, scaling.max); the smallest has 7; what stands stays"},
		{"too few paths", 60, 1, func(s *policy) { s.Limits.PathsPerRoute = 3 },
			"topology Quorum: no block design survives 1 failures with at most 3 paths a route; lower limits.reflectorFailures or raise limits.pathsPerRoute; what stands stays"},
		{"too many nodes", 3000, 1, func(*policy) {},
			"topology Quorum: 3000 nodes need 572 sessions a route reflector with the widest block design in reach (79 reflectors in blocks of 13), limits.sessionsPerReflector allows 500; use Multi or Hierarchy, or raise scaling.max or the limit; what stands stays"},
		{"too few eligible", 6, 1, func(*policy) {},
			"topology Quorum: only 6 nodes can be route reflectors, and the smallest block design that keeps to the limits and has the 3 that spec.scaling asks for has 7; what stands stays"},
	} {
		w := newWorld(tt.nodes, evenly(1), shaped(v1alpha1.TopologySingle, tt.f))
		single := w.settle()
		shaped(v1alpha1.TopologyQuorum, tt.f, tt.change)(&w.request.Spec)
		plan := w.plan()
		if diff := cmp.Diff(slices.Sorted(slices.Values(reflectorsOf(&single))), slices.Sorted(slices.Values(reflectorsOf(&plan)))); diff != "" || plan.Topology != v1alpha1.TopologySingle {
			t.Errorf("%s: %s, reflectors (-before +after):\n%s", tt.name, plan.Topology, diff)
		}
		if len(plan.Problems) == 0 || plan.Problems[0].Message != tt.want {
			t.Errorf("%s: problems %v, want %q", tt.name, plan.Problems, tt.want)
		}
	}
}

// A zone goes and comes back: its points go to other zones meanwhile and return, no
// client changes its home, and in the end every zone can be lost again.
func TestQuorumZoneLostAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(90, evenly(3), shaped(v1alpha1.TopologyQuorum, 1))
	first := w.settle()
	w.cordon("zone-b", true)
	second := w.settle()
	if diff := cmp.Diff(first.Homes, second.Homes); diff != "" {
		for node, home := range second.Homes {
			if was, ok := first.Homes[node]; ok && was != home {
				t.Errorf("%s goes from %s to %s", node, was, home)
			}
		}
	}
	net := w.network(&second)
	if !net.Visibility(nil).Complete || !net.SurvivesReflectors(1) {
		t.Error("without a zone the others are not complete")
	}
	if !slices.Contains(problems(&second), topology.ReasonZoneLoss) {
		t.Errorf("problems %v, want one of zones", second.Problems)
	}
	w.cordon("zone-b", false)
	third := w.settle()
	noProblems(t, &third)
	if !w.network(&third).SurvivesZones(w.zoneOf) {
		t.Error("does not survive the loss of a zone after its return")
	}
	kept := 0
	for _, r := range third.Reflectors {
		if second.Has(r.Node) {
			kept++
		}
	}
	if kept < 10 {
		t.Errorf("only %d of 15 reflectors stay when the zone comes back", kept)
	}
	again := w.plan()
	if diff := cmp.Diff(essence(&third), essence(&again)); diff != "" {
		t.Errorf("it changes again:\n%s", diff)
	}
}

// Five of fifteen reflectors are gone at once: each is replaced at its point, and
// nobody else's groups change.
func TestQuorumManyLost(t *testing.T) {
	t.Parallel()
	w := newWorld(120, evenly(3), shaped(v1alpha1.TopologyQuorum, 1))
	before := w.settle()
	lost := map[string]string{}
	for i, r := range before.Reflectors {
		if i%3 == 0 {
			lost[strings.Join(r.Serves, " ")] = r.Zone
			w.leave(r.Node)
		}
	}
	after := w.plan()
	for _, r := range after.Reflectors {
		key := strings.Join(r.Serves, " ")
		if i := slices.IndexFunc(before.Reflectors, func(b topology.Reflector) bool { return b.Node == r.Node }); i >= 0 {
			if diff := cmp.Diff(before.Reflectors[i], r); diff != "" {
				t.Errorf("%s changes:\n%s", r.Node, diff)
			}
			continue
		}
		if zone, ok := lost[key]; !ok || zone != r.Zone {
			t.Errorf("%s in %s takes the place of nobody, or of one in %q", r.Node, r.Zone, zone)
		}
		delete(lost, key)
	}
	if len(lost) > 0 {
		t.Errorf("not replaced: %v", lost)
	}
}

// A cluster that grows out of its design gets the next, and goes back only well
// below the border, after the window.
func TestQuorumGrowsAndShrinks(t *testing.T) {
	t.Parallel()
	w := newWorld(80, evenly(1), shaped(v1alpha1.TopologyQuorum, 1, func(s *policy) { s.Limits.SessionsPerReflector = 60 }))
	want := func(what string, points int) topology.Plan {
		t.Helper()
		plan := w.settle()
		if len(plan.Reflectors) != points {
			t.Errorf("%s: %d reflectors, want %d (%v)", what, len(plan.Reflectors), points, plan.Problems)
		}
		return plan
	}
	small := want("80 nodes", 7)
	for i := range 20 {
		w.join(evenly(1)(i))
	}
	grown := want("100 nodes", 11)
	for node, home := range small.Homes {
		if now, ok := grown.Homes[node]; ok && now != home {
			t.Errorf("%s goes from home %s to %s", node, home, now)
		}
	}
	drop := func(n int) {
		for _, node := range w.clients()[:n] {
			w.leave(node.Name)
		}
	}
	drop(10)
	want("90 nodes: the smaller design would just do", 11)
	drop(20)
	plan := want("70 nodes", 11)
	if plan.WaitUntil.IsZero() {
		t.Error("no window runs")
	}
	w.request.Now = plan.WaitUntil
	want("70 nodes, after the window", 7)
	delete(w.request.Clocks, topology.ClockScaleDown)
	want("70 nodes, later", 7)
}
