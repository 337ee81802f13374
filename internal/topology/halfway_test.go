package topology_test

import (
	"slices"
	"strings"
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

// served are the groups that some node serves.
func (w *world) served() map[string]bool {
	out := map[string]bool{}
	for i := range w.request.Nodes {
		for key := range w.request.Nodes[i].Labels {
			if group, ok := strings.CutPrefix(key, v1alpha1.ServesLabelPrefix); ok {
				out[group] = true
			}
		}
	}
	return out
}

// undecided are groups of Quorum that the plan is the first to have and that not all of
// its reflectors serve yet. Who serves the group so far may lie on several blocks, and
// what else has been done since weighs between them: so it may still be given another,
// until more serve it than two blocks share. What it costs is a few more writes: the
// rollout proves every state on the way to whichever block it is.
func (w *world) undecided(plan *topology.Plan, before map[string]bool) map[string]bool {
	out := map[string]bool{}
	for _, r := range plan.Reflectors {
		for _, group := range r.Serves {
			if r.Tier == topology.TierQuorum && !before[group] && !w.carriesOut(r) {
				out[group] = true
			}
		}
	}
	return out
}

// without is the reflector without some of its groups.
func without(r topology.Reflector, groups map[string]bool) topology.Reflector {
	r.Serves = slices.DeleteFunc(slices.Clone(r.Serves), func(group string) bool { return groups[group] })
	return r
}

// zonesOfPoints are the zones of the points that Quorum's reflectors stand at.
func (w *world) zonesOfPoints() map[string]string {
	out := map[string]string{}
	for i := range w.request.Nodes {
		for key := range w.request.Nodes[i].Labels {
			if point, ok := strings.CutPrefix(key, v1alpha1.ServesLabelPrefix+"quorum-"); ok {
				out["quorum-"+point] = w.zones[w.request.Nodes[i].Name]
			}
		}
	}
	return out
}

// rezones tells whether the plan keeps its design and puts several of its points into
// other zones than they were in, as after the loss of a zone. Labels do not tell where
// a point was that nobody stands at any more, nor from which of its two points a
// reflector comes: halfway there may be another way to put the rest of the points, and
// the plan may change to it. This is a limit of a plan that is made anew from what
// stands; the rollout proves every state on either way.
func rezones(plan *topology.Plan, were map[string]string) bool {
	count := 0
	for _, r := range plan.Reflectors {
		for _, group := range r.Serves {
			if zone, stood := were[group]; stood && zone != r.Zone {
				count++
			}
		}
	}
	return count > 1
}

// overLimit tells whether the plan could not keep to the limits, so that the design that
// stands stays: any change of the homes may make another fit, and the plan then goes to
// it. That is wanted, and every state on the way is proved by the rollout.
func overLimit(plan *topology.Plan) bool {
	return slices.Contains(problems(plan), topology.ReasonLimitExceeded)
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
					were := w.zonesOfPoints()
					if from == to {
						for range 3 {
							w.event(t)
						}
					}
					w.request.Spec.Topology = to
					plan := w.plan()
					before := w.served()
					w.halfway(t, &plan)
					var open map[string]bool
					if from == to {
						open = w.undecided(&plan, before)
					}
					again := w.plan()
					for i := range w.request.Nodes {
						node := &w.request.Nodes[i]
						home, has := node.Labels[v1alpha1.HomeLabel]
						if now, ok := again.Homes[node.Name]; has && ok && now != home {
							t.Fatalf("halfway %s goes from home %s to %s", node.Name, home, now)
						}
					}
					if from == to && (overLimit(&plan) || overLimit(&again) && rezones(&plan, were)) {
						return
					}
					if rezones(&plan, were) {
						w.carryOut(&again)
						last := w.plan()
						same(t, "the other plan does not stay either", &again, &last)
						return
					}
					for _, r := range plan.Reflectors {
						if w.carriesOut(r) && !slices.ContainsFunc(again.Reflectors, func(a topology.Reflector) bool {
							return cmp.Equal(without(a, open), without(r, open))
						}) {
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
