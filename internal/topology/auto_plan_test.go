package topology

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// TestAutoPlans: what Auto weighs as possible its planners can carry out, so that it
// does not have to fall back.
func TestAutoPlans(t *testing.T) {
	for _, support := range []TagFilterSupport{withFilter, withoutFilter} {
		for _, zones := range []int{1, 2, 3, 5} {
			for _, nodes := range []int{1, 99, 101, 501, 502, 700, 1300, 2600, 5000} {
				name := fmt.Sprintf("filter=%v/zones=%d/nodes=%d", support.Cluster, zones, nodes)
				t.Run(name, func(t *testing.T) {
					r := request(cluster(nodes, zones), func(r *Request) { r.TagFilter = support })
					options, err := Weigh(r)
					if err != nil {
						t.Fatal(err)
					}
					want := toMesh
					switch best := ranked(options); {
					case nodes > 100 && len(best) == 0:
						if plan := Make(r); plan.Topology != toMesh || len(plan.Problems) != 1 {
							t.Errorf("nothing fits: %s, problems %v", plan.Topology, plan.Problems)
						}
						return
					case nodes > 100:
						want = best[0].Topology
					}
					plan := Make(r)
					if plan.Topology != want || len(plan.Problems) > 0 {
						t.Errorf("%s, want %s, problems %v", plan.Topology, want, plan.Problems)
					}
					if most := plan.mostSessions(r); most > 500 {
						t.Errorf("%d sessions", most)
					}
				})
			}
		}
	}
}

// TestAutoTakesTheNext: a topology that cannot be planned after all is passed over,
// at once where it has been outgrown or does not stand, else after the window.
func TestAutoTakesTheNext(t *testing.T) {
	for _, test := range []struct {
		name     string
		previous v1alpha1.Topology
		reason   string
		clocks   map[string]time.Time
		want     v1alpha1.Topology
		refused  string
	}{
		{"none stands", toMesh, ReasonOneZone, nil, toHierarchy, "Multi cannot be planned: told so"},
		{"outgrown", toMulti, ReasonLimitExceeded, nil, toHierarchy, "Multi cannot be planned: told so"},
		{"in force: waits", toMulti, ReasonOneZone, nil, toMulti, ""},
		{"in force for the window", toMulti, ReasonOneZone, map[string]time.Time{ClockTopology: noon.Add(-time.Hour)}, toHierarchy, "Multi cannot be planned: told so"},
		{"only told of", toMulti, ReasonTooFewEligible, nil, toMulti, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := Plan{Clocks: map[string]time.Time{}}
			r := Request{Spec: *policy(), Previous: test.previous, Clocks: test.clocks, Now: noon}
			refused := plan.attempt(r, []v1alpha1.Topology{toMulti, toHierarchy}, func(try *Plan, topology v1alpha1.Topology) {
				try.Topology = topology
				if topology == toMulti {
					try.problem(test.reason, "told so")
				}
			})
			if plan.Topology != test.want || refused != test.refused {
				t.Errorf("%s (%s), want %s (%s)", plan.Topology, refused, test.want, test.refused)
			}
		})
	}
	// Where none can be planned it is the first, with what is wrong with it.
	plan := Plan{Clocks: map[string]time.Time{}}
	plan.attempt(Request{Spec: *policy(), Now: noon}, []v1alpha1.Topology{toMulti, toHierarchy}, func(try *Plan, topology v1alpha1.Topology) {
		try.Topology = topology
		try.problem(ReasonLimitExceeded, "%s is wrong", topology)
	})
	if plan.Topology != toMulti || len(plan.Problems) != 1 || plan.Problems[0].Message != "Multi is wrong" {
		t.Errorf("%s %v, want Multi and its own problem", plan.Topology, plan.Problems)
	}
}

// TestAutoIsStable: a plan of Auto that has been carried out is not changed by the
// next pass, whatever the order of the nodes.
func TestAutoIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := request(cluster(rapid.IntRange(90, 400).Draw(t, "nodes"), rapid.IntRange(1, 4).Draw(t, "zones")), func(r *Request) {
			r.Spec.Limits.SessionsPerReflector = int32(rapid.SampledFrom([]int{60, 120, 500}).Draw(t, "sessions"))
			r.TagFilter = TagFilterSupport{Cluster: rapid.Bool().Draw(t, "filter")}
			r.Load = map[string]int{}
		})
		plan := Make(r)
		next := done(r, plan)
		slices.Reverse(next.Nodes)
		again := Make(next)
		if again.Topology != plan.Topology {
			t.Fatalf("%s, then %s (%s)", plan.Topology, again.Topology, again.Why)
		}
		if _, waits := again.Clocks[ClockTopology]; waits {
			t.Fatalf("%s waits for another: %s", again.Topology, again.Why)
		}
	})
}

// done is the request of the pass after the plan has been carried out.
func done(r Request, plan Plan) Request {
	next := r
	next.Previous, next.Clocks, next.Standing = plan.Topology, plan.Clocks, nil
	next.Nodes = slices.Clone(r.Nodes)
	byName := map[string]*inventory.Node{}
	for i := range next.Nodes {
		node := &next.Nodes[i]
		labels := map[string]string{}
		for key, value := range node.Labels {
			labels[key] = value
		}
		if home, ok := plan.Homes[node.Name]; ok {
			labels[v1alpha1.HomeLabel], labels[v1alpha1.SettledLabel] = home, home
		}
		node.Labels = labels
		byName[node.Name] = node
	}
	for _, reflector := range plan.Reflectors {
		node := byName[reflector.Node]
		node.ClusterID = reflector.ClusterID
		node.Labels[v1alpha1.ReflectorLabel] = reflector.Tier
		for _, group := range reflector.Serves {
			node.Labels[v1alpha1.ServesLabelPrefix+group] = "true"
		}
		next.Standing = append(next.Standing, reflector.Node)
	}
	return next
}

func BenchmarkAuto(b *testing.B) {
	for _, nodes := range []int{1000, 5000, 20_000} {
		r := request(cluster(nodes, 3), func(r *Request) { r.TagFilter, r.Load = withFilter, map[string]int{} })
		next := done(r, Make(r))
		b.Run(fmt.Sprintf("no change/%d", nodes), func(b *testing.B) {
			for b.Loop() {
				Make(next)
			}
		})
		c := evenly(nodes, 3)
		b.Run(fmt.Sprintf("border/%d", nodes), func(b *testing.B) {
			for b.Loop() {
				border(&r.Spec, &c, withFilter, toMulti)
			}
		})
	}
}
