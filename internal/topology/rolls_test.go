package topology_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// roll is an upgrade of all nodes, one after the other, in plans alone: each is carried
// out at once.
type roll struct {
	*world
	t *testing.T
	// replaced: each node is deleted, and a new one of its name comes.
	replaced bool
	// changes of roles: a node gets or loses it, or another tier or cluster ID.
	changes int
	story   []string
}

const oldKubelet, newKubelet = "v1.34.9", "v1.35.1"

func (r *roll) node(name string) *inventory.Node {
	for i := range r.request.Nodes {
		if r.request.Nodes[i].Name == name {
			return &r.request.Nodes[i]
		}
	}
	return nil
}

// roles are the tier and cluster ID of each reflector.
func (r *roll) roles() map[string]string {
	out := map[string]string{}
	for _, name := range r.request.Standing {
		if node := r.node(name); node != nil {
			out[name] = node.Labels[v1alpha1.ReflectorLabel] + " " + node.ClusterID
		}
	}
	return out
}

// step lets time pass, carries out what is planned then, and asserts that it is planned
// again, and that so many reflectors may still fail.
func (r *roll) step(what string, d time.Duration) {
	r.t.Helper()
	r.request.Now = r.request.Now.Add(d)
	before := r.roles()
	plan := r.plan()
	r.carryOut(&plan)
	r.request.Chosen = reflectorsOf(&plan)
	after := r.roles()
	for _, node := range r.request.Nodes {
		if was, is := before[node.Name], after[node.Name]; was != is {
			r.changes++
			r.story = append(r.story, fmt.Sprintf("%s: %s %q -> %q", what, node.Name, was, is))
		}
	}
	again := r.plan()
	if diff := cmp.Diff(essence(&plan), essence(&again)); diff != "" {
		r.t.Fatalf("%s: no fixed point (-first +again):\n%s", what, diff)
	}
	r.safe(what, &plan)
}

// safe asserts that every client has a route to every other after the loss of any reflectors that may fail.
func (r *roll) safe(what string, plan *topology.Plan) {
	r.t.Helper()
	network := r.network(plan)
	if _, paths, _ := network.PathsPerRoute(); paths > int(r.request.Spec.Limits.PathsPerRoute) || network.Degree() > int(r.request.Spec.Limits.SessionsPerReflector) {
		r.t.Fatalf("%s: %d paths, %d sessions", what, paths, network.Degree())
	}
	if !network.SurvivesReflectors(int(*r.request.Spec.Limits.ReflectorFailures)) {
		r.t.Fatalf("%s: the loss of a reflector would cost routes; role changes:\n%s", what, strings.Join(r.story, "\n"))
	}
}

func (r *roll) upgrade(name string) {
	r.t.Helper()
	r.node(name).Unschedulable = true
	r.step("cordon "+name, 0)
	if slices.Contains(r.request.Standing, name) {
		r.t.Fatalf("%s keeps the role while it is drained; role changes:\n%s", name, strings.Join(r.story, "\n"))
	}
	if r.replaced {
		was := *r.node(name)
		r.leave(name)
		r.step("delete "+name, 3*time.Minute)
		r.nodes++
		fresh := inventory.Node{Name: name, UID: fmt.Sprint(r.nodes), OS: "linux", Created: r.request.Now, IPv4: was.IPv4, KubeletVersion: newKubelet, Labels: map[string]string{}}
		if zone := was.Labels[keyOfZone]; zone != "" {
			fresh.Labels[keyOfZone] = zone
		}
		r.request.Nodes = append(r.request.Nodes, fresh)
		slices.SortFunc(r.request.Nodes, func(a, b inventory.Node) int { return strings.Compare(a.Name, b.Name) })
	} else {
		node := r.node(name)
		node.Ready, node.ReadySince = false, r.request.Now
		r.step("reboot "+name, 3*time.Minute)
		node = r.node(name)
		node.KubeletVersion, node.Unschedulable = newKubelet, false
	}
	r.step("boot "+name, time.Minute)
	node := r.node(name)
	node.Ready, node.ReadySince = true, r.request.Now
	r.step("ready "+name, 10*time.Second)
}

var rollOrders = []string{"reflectors first", "reflectors last", "zone by zone", "at random"}

func (r *roll) order(kind string) []string {
	var names []string
	for i := range r.request.Nodes {
		names = append(names, r.request.Nodes[i].Name)
	}
	reflector := func(name string) bool { return slices.Contains(r.request.Standing, name) }
	switch kind {
	case "reflectors first", "reflectors last":
		slices.SortStableFunc(names, func(a, b string) int {
			switch {
			case reflector(a) == reflector(b):
				return 0
			case reflector(a) == (kind == "reflectors first"):
				return -1
			}
			return 1
		})
	case "zone by zone":
		slices.SortStableFunc(names, func(a, b string) int { return strings.Compare(r.zones[a], r.zones[b]) })
	case "at random":
		rand.New(rand.NewPCG(7, uint64(len(names)))).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	}
	return names
}

// TestRolls asserts what a whole roll costs: two role changes for each reflector. More only
// where each is needed at any time, and none of those that could take the place of the first that is
// cordoned has been upgraded: whoever does must hand the role on later.
func TestRolls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		topology     v1alpha1.Topology
		nodes, zones int
		k, sessions  int32
		// more role changes, unless the reflectors are last.
		more int
	}{
		"Multi, all serve all":             {v1alpha1.TopologyMulti, 30, 3, 3, 500, 0},
		"Multi, the others have room":      {v1alpha1.TopologyMulti, 30, 3, 2, 500, 0},
		"Multi, a home to spare":           {v1alpha1.TopologyMulti, 90, 3, 3, 40, 0},
		"Multi, no room":                   {v1alpha1.TopologyMulti, 90, 3, 2, 40, 2 * 3},
		"Quorum":                           {v1alpha1.TopologyQuorum, 36, 3, 2, 500, 0},
		"Hierarchy":                        {v1alpha1.TopologyHierarchy, 45, 3, 2, 500, 2},
		"Hierarchy in five":                {v1alpha1.TopologyHierarchy, 45, 5, 2, 500, 2},
		"Hierarchy, no room for the racks": {v1alpha1.TopologyHierarchy, 45, 3, 2, 17, 2 + 2*3},
	} {
		for _, order := range rollOrders {
			for _, replaced := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, replaced %v", name, order, replaced), func(t *testing.T) {
					w := newWorld(c.nodes, evenly(c.zones), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
						s.Topology = c.topology
						homesEach(c.k)(s)
						s.Limits.SessionsPerReflector = c.sessions
					})
					for i := range w.request.Nodes {
						w.request.Nodes[i].KubeletVersion = oldKubelet
					}
					first := w.settle()
					noProblems(t, &first)
					m := len(w.request.Standing)
					r := &roll{world: w, t: t, replaced: replaced}
					for _, name := range r.order(order) {
						r.upgrade(name)
					}
					limit := 2 * m
					if order != "reflectors last" {
						limit += c.more
					}
					t.Logf("%d role changes, %d reflectors", r.changes, m)
					if r.changes > limit || len(w.request.Standing) != m {
						t.Errorf("%d role changes, want at most %d; %d reflectors, were %d:\n%s", r.changes, limit, len(w.request.Standing), m, strings.Join(r.story, "\n"))
					}
				})
			}
		}
	}
}

// TestWaitEnds: the place of a cordoned reflector is filled after the window, and at once when
// another reflector is lost or cordoned.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	second := func(r *roll, name string) string {
		for _, other := range r.request.Standing {
			if r.zones[other] != r.zones[name] {
				return other
			}
		}
		return ""
	}
	for _, kind := range []v1alpha1.Topology{v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy} {
		for what, test := range map[string]func(r *roll, name string){
			"window":   func(r *roll, _ string) { r.step("window", 11*time.Minute) },
			"lost":     func(r *roll, name string) { r.leave(second(r, name)) },
			"cordoned": func(r *roll, name string) { r.node(second(r, name)).Unschedulable = true },
		} {
			t.Run(fmt.Sprintf("%s, %s", kind, what), func(t *testing.T) {
				w := newWorld(60, evenly(3), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
					s.Topology = kind
					homesEach(3)(s)
					if kind == v1alpha1.TopologyMulti {
						s.Limits.SessionsPerReflector = 40
					}
				})
				first := w.settle()
				noProblems(t, &first)
				r := &roll{world: w, t: t}
				m, name := len(w.request.Standing), ""
				for _, reflector := range first.Reflectors {
					if reflector.Tier != topology.TierCore {
						name = reflector.Node
					}
				}
				r.node(name).Unschedulable = true
				r.step("cordon", 0)
				if len(w.request.Standing) != m-1 {
					t.Fatalf("%v stand, want all of %d but %s", w.request.Standing, m, name)
				}
				test(r, name)
				for range 2 { // lost ones are replaced one at a time
					plan := r.plan()
					r.carryOut(&plan)
					r.request.Chosen = reflectorsOf(&plan)
				}
				r.step("later", time.Minute)
				if len(w.request.Standing) != m || slices.Contains(w.request.Standing, name) {
					t.Errorf("%v stand, want %d without %s", w.request.Standing, m, name)
				}
			})
		}
	}
}
