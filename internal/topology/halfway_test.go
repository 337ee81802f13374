package topology_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// halfway carries out a part of the plan, as a rollout may have when the next pass
// plans again: some new reflectors have their role, some of those that stand serve
// the new groups beside their old ones or have changed their tier, and the first of
// the clients have their homes.
func (w *world) halfway(t *rapid.T, plan *topology.Plan) {
	at := map[string]*inventory.Node{}
	w.request.Nodes = slices.Clone(w.request.Nodes)
	for i := range w.request.Nodes {
		at[w.request.Nodes[i].Name] = &w.request.Nodes[i]
	}
	for _, r := range plan.Reflectors {
		node := at[r.Node]
		done := rapid.SampledFrom([]string{"", "serves", "role"}).Draw(t, r.Node)
		stands := slices.Contains(w.request.Standing, r.Node)
		if done == "" || done == "serves" && !stands {
			continue
		}
		tier := r.Tier
		if done == "serves" {
			tier = node.Labels[v1alpha1.ReflectorLabel]
		} else {
			node.ClusterID = r.ClusterID
		}
		labels := map[string]string{}
		for key, value := range node.Labels {
			labels[key] = value
		}
		for key, value := range render.RoleLabels(tier, r.Serves) {
			labels[key] = value
		}
		node.Labels = labels
		if !stands {
			w.request.Standing = append(w.request.Standing, r.Node)
		}
	}
	w.homesUpTo(plan, rapid.IntRange(0, len(w.request.Nodes)).Draw(t, "homes"))
	w.request.Chosen = reflectorsOf(plan)
	w.request.Previous, w.request.Clocks = plan.Topology, plan.Clocks
}

// carriesOut tells whether the node has the role already.
func (w *world) carriesOut(r topology.Reflector) bool {
	for i := range w.request.Nodes {
		node := &w.request.Nodes[i]
		if node.Name != r.Node {
			continue
		}
		for key, value := range render.RoleLabels(r.Tier, r.Serves) {
			if node.Labels[key] != value {
				return false
			}
		}
		return node.ClusterID == r.ClusterID
	}
	return false
}

// homesUpTo writes the homes of the first nodes.
func (w *world) homesUpTo(plan *topology.Plan, count int) {
	for i := range w.request.Nodes[:count] {
		node := &w.request.Nodes[i]
		home, ok := plan.Homes[node.Name]
		if _, has := node.Labels[v1alpha1.HomeLabel]; !ok || has {
			continue
		}
		labels := map[string]string{}
		for key, value := range node.Labels {
			labels[key] = value
		}
		for key, value := range render.HomeLabels(home, true) {
			labels[key] = value
		}
		node.Labels = labels
	}
}

// A plan that is carried out in part stays what it is, whatever topology it comes
// from: else a rollout would change its mind with every step.
func TestHalfwayThePlanStays(t *testing.T) {
	t.Parallel()
	for _, to := range []v1alpha1.Topology{v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy} {
		for _, from := range []v1alpha1.Topology{
			"", v1alpha1.TopologySingle, v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy,
		} {
			t.Run(string(from+" to "+to), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					zones := rapid.IntRange(1, 4).Draw(t, "zones")
					zoneOf := evenly(zones)
					if rapid.Bool().Draw(t, "skewed") {
						zoneOf = skewed(zones)
					}
					w := newWorld(rapid.IntRange(60, 160).Draw(t, "nodes"), zoneOf, func(s *policy) {
						s.Limits.SessionsPerReflector = int32(rapid.SampledFrom([]int{90, 500}).Draw(t, "sessions"))
						manyPaths(s)
						homesEach(2)(s)
					})
					if from != "" {
						w.request.Spec.Topology = from
						w.settle()
					}
					if from == to {
						for range 3 {
							w.event(t)
						}
					}
					w.request.Spec.Topology = to
					plan := w.plan()
					w.halfway(t, &plan)
					again := w.plan()
					for i := range w.request.Nodes {
						node := &w.request.Nodes[i]
						home, has := node.Labels[v1alpha1.HomeLabel]
						if now, ok := again.Homes[node.Name]; has && ok && now != home {
							t.Fatalf("halfway %s goes from home %s to %s", node.Name, home, now)
						}
					}
					for _, r := range plan.Reflectors {
						if w.carriesOut(r) && !slices.ContainsFunc(again.Reflectors, func(a topology.Reflector) bool { return cmp.Equal(a, r) }) {
							t.Fatalf("%s was %v, and shall now be another\n%s%s", r.Node, r, w.describe(&plan), w.describe(&again))
						}
					}
					if len(again.Reflectors) != len(plan.Reflectors) {
						t.Fatalf("%d reflectors, then %d", len(plan.Reflectors), len(again.Reflectors))
					}
					if from == to {
						return // nodes that have nothing yet may be given another part
					}
					// Who has no home yet may get another shard of the same size.
					plan.Homes, again.Homes = nil, nil
					// And an ID that has become free meanwhile may be given to who has none.
					for _, some := range []*topology.Plan{&plan, &again} {
						for i := range some.Reflectors {
							if some.Reflectors[i].Tier == topology.TierRack {
								some.Reflectors[i].ClusterID = ""
							}
						}
					}
					same(t, "halfway the plan changes", &plan, &again)
				})
			})
		}
	}
}
