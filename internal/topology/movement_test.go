package topology_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// topologies are those whose movement is tested.
var topologies = []v1alpha1.Topology{
	v1alpha1.TopologySingle, v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy,
}

// eachTopology runs a property for every topology.
func eachTopology(t *testing.T, property func(t *rapid.T, w *world)) {
	t.Helper()
	for _, name := range topologies {
		t.Run(string(name), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { property(t, draw(t, name)) })
		})
	}
}

// draw makes a cluster with a plan carried out.
func draw(t *rapid.T, name v1alpha1.Topology) *world {
	zones := rapid.IntRange(1, 5).Draw(t, "zones")
	zoneOf := evenly(zones)
	if rapid.Bool().Draw(t, "skewed") {
		zoneOf = skewed(zones)
	}
	n := rapid.IntRange(8, 150).Draw(t, "nodes")
	w := newWorld(n, zoneOf, func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Topology = name
		homesEach(int32(rapid.IntRange(2, 3).Draw(t, "k")))(s)
		s.Limits.SessionsPerReflector = int32(rapid.SampledFrom([]int{50, 80, 500}).Draw(t, "sessions"))
		s.Scaling.Min = int32(rapid.IntRange(2, 5).Draw(t, "min"))
		s.Scaling.Max = 20
	})
	if rapid.Bool().Draw(t, "one second") {
		w.oneSecond()
	}
	w.settle()
	return w
}

func (w *world) settle() topology.Plan {
	plan := w.plan()
	w.carryOut(&plan)
	return plan
}

// oneSecond lets all nodes be made in the same second.
func (w *world) oneSecond() {
	for i := range w.request.Nodes {
		w.request.Nodes[i].Created = noon.Add(-time.Hour)
	}
}

func (w *world) copy() *world {
	out := *w
	out.zones = maps.Clone(w.zones)
	out.request.Nodes = slices.Clone(w.request.Nodes)
	return &out
}

// connected gives the reflectors of each client, sorted, as a plan would have it.
func (w *world) connected(plan *topology.Plan) map[string][]string {
	_, homes := w.loads(plan)
	for _, by := range homes {
		slices.Sort(by)
	}
	return homes
}

// moved lists the (client, reflector) pairs of before that are not in after, for
// clients that are in both.
func moved(before, after map[string][]string) map[string][]string {
	out := map[string][]string{}
	for client, by := range before {
		now, still := after[client]
		for _, r := range by {
			if still && !slices.Contains(now, r) {
				out[r] = append(out[r], client)
			}
		}
	}
	return out
}

func pairs(of map[string][]string) int {
	n := 0
	for _, list := range of {
		n += len(list)
	}
	return n
}

func reflectorsOf(plan *topology.Plan) []string {
	var out []string
	for _, r := range plan.Reflectors {
		out = append(out, r.Node)
	}
	return out
}

// essence is what a plan does to the cluster, in an order of its own.
func essence(plan *topology.Plan) any {
	reflectors := slices.Clone(plan.Reflectors)
	slices.SortFunc(reflectors, func(a, b topology.Reflector) int { return cmpStrings(a.Node, b.Node) })
	return []any{plan.Topology, reflectors, plan.Groups, plan.Homes, plan.TagFilter}
}

func cmpStrings(a, b string) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

func same(t *rapid.T, what string, want, got *topology.Plan) {
	t.Helper()
	if diff := cmp.Diff(essence(want), essence(got)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func TestPermutationChangesNothing(t *testing.T) {
	t.Parallel()
	eachTopology(t, func(t *rapid.T, w *world) {
		if rapid.Bool().Draw(t, "from nothing") {
			for i := range w.request.Nodes {
				w.request.Nodes[i].Labels = map[string]string{keyOfZone: w.request.Nodes[i].Labels[keyOfZone]}
				w.request.Nodes[i].ClusterID = ""
			}
			w.request.Standing = nil
		}
		want := w.plan()
		other := w.copy()
		other.request.Nodes = rapid.Permutation(w.request.Nodes).Draw(t, "nodes")
		if name := w.request.Spec.Topology; name != v1alpha1.TopologySingle {
			other.request.Standing = rapid.Permutation(w.request.Standing).Draw(t, "standing")
		}
		got := other.plan()
		same(t, "another order changes the plan", &want, &got)
	})
}

func TestEqualCreationTimesChangeNothing(t *testing.T) {
	t.Parallel()
	eachTopology(t, func(t *rapid.T, w *world) {
		want := w.plan()
		w.oneSecond()
		got := w.plan()
		same(t, "equal creation times change the plan", &want, &got)
	})
}

// A plan is a fixed point of its own execution: what it leads to is planned again as it
// is, after any history.
func TestHistoryIsAFixedPoint(t *testing.T) {
	t.Parallel()
	eachTopology(t, func(t *rapid.T, w *world) {
		if rapid.Bool().Draw(t, "at once") {
			w.request.Spec.Scaling.ScaleDownStabilizationSeconds = new(int32)
		}
		for step := range rapid.IntRange(2, 6).Draw(t, "steps") {
			kind := w.event(t)
			w.request.Now = w.request.Now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "minutes")) * time.Minute)
			want := w.settle()
			got := w.plan()
			for w.request.Spec.Topology == v1alpha1.TopologyMulti && len(got.Reflectors) < len(want.Reflectors) {
				// What is left after some are given up may be enough with fewer still, dealt out
				// otherwise than those that stood: a step of its own, as each moves clients.
				want = w.settle()
				got = w.plan()
			}
			same(t, fmt.Sprintf("step %d, %s: a plan that is carried out changes again:\n%s%s", step, kind, w.describe(&want), w.describe(&got)), &want, &got)
			w.request.Clocks = got.Clocks
		}
	})
}

func TestSameEventTwiceIsOneEvent(t *testing.T) {
	t.Parallel()
	eachTopology(t, func(t *rapid.T, w *world) {
		w.event(t)
		was := w.plan()
		want := w.settle()
		got := w.plan()
		same(t, "a plan that is carried out changes again:\n"+w.describe(&was)+w.describe(&want)+w.describe(&got), &want, &got)
	})
}

// event changes something at random: nodes come or go, or a zone does.
func (w *world) event(t *rapid.T) string {
	kind := rapid.SampledFrom([]string{"join", "leave", "lose", "grow", "drain", "zone"}).Draw(t, "event")
	switch kind {
	case "join":
		w.join(w.anyZone(t))
	case "leave":
		w.leave(rapid.SampledFrom(w.request.Nodes).Draw(t, "node").Name)
	case "lose":
		if len(w.request.Standing) > 0 {
			w.leave(rapid.SampledFrom(w.request.Standing).Draw(t, "reflector"))
		}
	case "grow":
		zone := w.anyZone(t)
		for range rapid.IntRange(2, 40).Draw(t, "more") {
			w.join(zone)
		}
	case "drain":
		for range min(rapid.IntRange(2, 40).Draw(t, "fewer"), len(w.request.Nodes)-8) {
			w.leave(w.request.Nodes[rapid.IntRange(0, len(w.request.Nodes)-1).Draw(t, "at")].Name)
		}
	case "zone":
		w.cordon(w.anyZone(t), rapid.Bool().Draw(t, "cordoned"))
	}
	return kind
}

func (w *world) anyZone(t *rapid.T) string {
	return rapid.SampledFrom(slices.Compact(slices.Sorted(maps.Values(w.zones)))).Draw(t, "zone")
}

func (w *world) cordon(zone string, cordoned bool) {
	for i := range w.request.Nodes {
		if w.request.Nodes[i].Labels[keyOfZone] == zone {
			w.request.Nodes[i].Unschedulable = cordoned
		}
	}
}

// openZones counts the zones that can have new reflectors.
func (w *world) openZones() int {
	open := map[string]bool{}
	for i := range w.request.Nodes {
		if !w.request.Nodes[i].Unschedulable {
			open[w.request.Nodes[i].Labels[keyOfZone]] = true
		}
	}
	return len(open)
}

func (w *world) clients() []inventory.Node {
	return slices.DeleteFunc(slices.Clone(w.request.Nodes), func(n inventory.Node) bool {
		return slices.Contains(w.request.Standing, n.Name)
	})
}

func TestRemovingAClientMovesNobody(t *testing.T) {
	t.Parallel()
	eachTopology(t, func(t *rapid.T, w *world) {
		clients := w.clients()
		if len(clients) == 0 {
			return
		}
		before := w.plan()
		if len(before.Problems) > 0 {
			return // with one client less it may be possible
		}
		was := w.connected(&before)
		w.leave(rapid.SampledFrom(clients).Draw(t, "client").Name)
		after := w.plan()
		if diff := cmp.Diff(reflectorsOf(&before), reflectorsOf(&after)); diff != "" {
			t.Fatalf("the reflectors change (-before +after):\n%s\n%s%s", diff, w.describe(&before), w.describe(&after))
		}
		now := w.connected(&after)
		for client, by := range now {
			if diff := cmp.Diff(was[client], by); diff != "" {
				t.Fatalf("%s moves (-before +after):\n%s\n%s%s", client, diff, w.describe(&before), w.describe(&after))
			}
		}
	})
}

func TestLosingAReflectorMovesItsClientsOnly(t *testing.T) {
	t.Parallel()
	eachTopology(t, func(t *rapid.T, w *world) {
		before := w.plan()
		was := w.connected(&before)
		m := len(before.Reflectors)
		if m == 0 {
			return // refused
		}
		lost := rapid.SampledFrom(reflectorsOf(&before)).Draw(t, "lost")
		if w.request.Spec.Topology == v1alpha1.TopologyQuorum && !slices.ContainsFunc(w.clients(), func(n inventory.Node) bool {
			return w.zoneOf(n.Name) == w.zoneOf(lost)
		}) {
			return // in another zone the points of the design may have to change places
		}
		clients, _ := w.loads(&before)
		if lostHad, most := clients[lost], w.balanceOf(&before).most; w.request.Spec.Topology == v1alpha1.TopologyMulti && lostHad > most {
			t.Fatalf("%s has %d clients, one of %d reflectors is to have at most %d\n%s", lost, lostHad, m, most, w.describe(&before))
		}
		w.leave(lost)
		after := w.plan()
		gone := moved(was, w.connected(&after))
		for r, clients := range gone {
			if r != lost {
				t.Fatalf("%v leave %s, lost was %s\n%s%s", clients, r, lost, w.describe(&before), w.describe(&after))
			}
		}
		for node, home := range before.Homes {
			if now, ok := after.Homes[node]; node != lost && (!ok || now != home) {
				t.Fatalf("%s goes from home %s to %q", node, home, now)
			}
		}
	})
}

// TestLosingOneOfFewClients: where reflectors have one or two clients each, what is left
// of a group stays where it is, too.
func TestLosingOneOfFewClients(t *testing.T) {
	for _, test := range []struct {
		nodes  int
		zoneOf func(int) string
		lost   string
	}{{12, skewed(2), "node-00009"}, {8, evenly(3), "node-00001"}} {
		w := newWorld(test.nodes, test.zoneOf, func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			homesEach(2)(s)
			s.Limits.SessionsPerReflector, s.Scaling.Min, s.Scaling.Max = 50, 5, 20
		})
		before := w.settle()
		was := w.connected(&before)
		if !before.Has(test.lost) {
			t.Fatalf("%s is no reflector\n%s", test.lost, w.describe(&before))
		}
		w.leave(test.lost)
		after := w.plan()
		for r, clients := range moved(was, w.connected(&after)) {
			if r != test.lost {
				t.Errorf("%v leave %s, lost was %s\n%s%s", clients, r, test.lost, w.describe(&before), w.describe(&after))
			}
		}
	}
}

// regrouped: the zone label told the groups, and homes do now.
func regrouped(before, after *topology.Plan) bool {
	return len(before.Groups) > 0 && len(after.Groups) > 0 && !before.Groups[0].ByHome() && after.Groups[0].ByHome()
}

func TestAddingAReflectorMovesItsShareOnly(t *testing.T) {
	t.Parallel()
	eachTopology(t, func(t *rapid.T, w *world) {
		if w.request.Spec.Topology == v1alpha1.TopologyQuorum {
			return // designs come in sizes: the next has other blocks
		}
		before := w.plan()
		was := w.connected(&before)
		w.request.Spec.Scaling.Min = int32(len(before.Reflectors) + 1)
		if int(w.request.Spec.Scaling.Min) > int(w.request.Spec.Scaling.Max) {
			return
		}
		clients, _ := w.loads(&before)
		after := w.plan()
		if regrouped(&before, &after) && slices.Max(slices.Collect(maps.Values(clients)))+len(after.Reflectors)-1 > int(w.request.Spec.Limits.SessionsPerReflector) {
			return // with a session more on each the zones are too large as groups: they are cut into shards
		}
		fresh := map[string]bool{}
		for _, r := range reflectorsOf(&after) {
			if !slices.Contains(w.request.Standing, r) {
				fresh[r] = true
			}
		}
		for _, r := range w.request.Standing {
			if !after.Has(r) {
				t.Fatalf("%s is given up: %s", r, after.Leaving[r])
			}
		}
		now := w.connected(&after)
		taken := 0
		for client, by := range now {
			for _, r := range by {
				if fresh[r] && !slices.Contains(was[client], r) {
					taken++
				}
			}
		}
		away := pairs(moved(was, now))
		if away > taken {
			t.Fatalf("%d homes move, the new reflectors take over %d\n%s%s", away, taken, w.describe(&before), w.describe(&after))
		}
		// What a new one takes over is at most the mean. Where there have been no groups yet it
		// has its part of them as in a plan from nothing.
		b := w.balanceOf(&after)
		share := b.mean
		if len(before.Groups) == 0 {
			share = b.even
		}
		if w.request.Spec.Topology == v1alpha1.TopologyMulti && away > share*len(fresh) {
			t.Fatalf("%d homes move, the share of %d of %d reflectors is %d\n%s%s", away, len(fresh), len(after.Reflectors), share*len(fresh), w.describe(&before), w.describe(&after))
		}
	})
}

// balance is how many clients the reflectors of Multi have and may have in a plan from
// nothing: see Sizes in docs/design/topologies.md.
type balance struct {
	// mean of all, rounded up; even is 1.15 times the mean where that is more.
	mean, even int
	// most is less than a whole group above the mean, or above what the reflectors outside a
	// zone have of its clients, each of whom has a home there.
	most int
}

func (w *world) balanceOf(plan *topology.Plan) balance {
	clients, homes := w.loads(plan)
	m, sum := len(plan.Reflectors), 0
	for _, n := range clients {
		sum += n
	}
	group, zone, elsewhere := map[string]int{}, map[string]int{}, map[string]int{}
	for client := range homes {
		zone[w.zoneOf(client)]++
		name, ok := plan.Homes[client]
		if !ok {
			name = w.zoneOf(client)
		}
		group[name]++
	}
	for _, r := range plan.Reflectors {
		for name := range zone {
			if r.Zone != name {
				elsewhere[name]++
			}
		}
	}
	b := balance{mean: (sum + m - 1) / m}
	b.even = max(b.mean, sum*115/(100*m))
	b.most = b.mean
	for name, n := range zone {
		if out := elsewhere[name]; out > 0 && w.request.Spec.ReflectorsPerClient > 1 {
			b.most = max(b.most, (n+out-1)/out)
		}
	}
	if len(plan.Groups) > 0 {
		b.most += slices.Max(slices.Collect(maps.Values(group))) - 1
	}
	return b
}

// The plain formulas cannot hold: a group is served as a whole, and every client has a
// home outside its zone.
func TestWhyLoadsAreNotEven(t *testing.T) {
	t.Parallel()
	t.Run("more than ceil(N·k/m) homes to move", func(t *testing.T) {
		// Three groups with three homes each are nine homes for five reflectors, so one of
		// them has two groups.
		w := multi(75, evenly(3), func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.ReflectorsPerClient, s.Scaling.Min = 3, 5 })
		plan := w.plan()
		noProblems(t, &plan)
		size := map[string]int{}
		clients, homes := w.loads(&plan)
		for client := range homes {
			size[w.zoneOf(client)]++
		}
		formula, two := (75*3+4)/5, 2*slices.Min(slices.Collect(maps.Values(size)))
		if len(plan.Reflectors) != 5 || len(plan.Groups) != 3 || len(plan.Homes) > 0 || two <= formula {
			t.Fatalf("%d reflectors, groups %v, %d homes: two groups have %d clients, the formula says %d", len(plan.Reflectors), plan.Groups, len(plan.Homes), two, formula)
		}
		most, b := slices.Max(slices.Collect(maps.Values(clients))), w.balanceOf(&plan)
		if most < two || most > b.even || most > b.most {
			t.Errorf("the busiest has %d clients, want %d to %d", most, two, b.even)
		}
	})
	t.Run("more than 1.15 of the mean", func(t *testing.T) {
		// 13 clients of one zone have a home in the others, where only two nodes are.
		w := multi(18, func(i int) string { return fmt.Sprintf("zone-%c", 'a'+max(0, i-15)) },
			func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Min = 5 })
		plan := w.plan()
		noProblems(t, &plan)
		clients, homes := w.loads(&plan)
		most, b := slices.Max(slices.Collect(maps.Values(clients))), w.balanceOf(&plan)
		if least := (len(homes) + 1) / 2; len(homes) != 13 || least <= b.even || most < least || most > b.most {
			t.Errorf("the busiest of %d has %d of %d clients, want %d to %d, more than %d\n%s", len(plan.Reflectors), most, len(homes), least, b.most, b.even, w.describe(&plan))
		}
	})
}

// TestHomeIsWrittenOnce walks through events at random: whoever has a home keeps it
// as long as it lives, and what the limits ask for holds all the time.
func TestHomeIsWrittenOnce(t *testing.T) {
	t.Parallel()
	eachTopology(t, func(t *rapid.T, w *world) {
		homes := map[string]string{}
		for step := range rapid.IntRange(1, 12).Draw(t, "steps") {
			kind := fmt.Sprintf("step %d, %s", step, w.event(t))
			plan := w.plan()
			for node, home := range plan.Homes {
				if was, ok := homes[node]; ok && was != home {
					t.Fatalf("%s: %s goes from home %s to %s", kind, node, was, home)
				}
				homes[node] = home
			}
			w.carryOut(&plan)
			w.sound(t, kind, &plan)
		}
	})
}
