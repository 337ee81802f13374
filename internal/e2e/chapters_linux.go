package e2e

import (
	"fmt"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// deaths are reflectors that fail in every way, alone and together with the controller.
func (r *run) deaths() []scenario {
	death := func(name string, act, after act) scenario {
		return scenario{name: name, replaced: true, act: act, want: r.others(few), atLeast: untilForgotten, after: after}
	}
	inTheMiddle := death("power of a reflector cut"+killed, onVictim(powerOff), powerOn)
	inTheMiddle.onStep, inTheMiddle.killedHalfWay = onPromoted(crash), true
	return slices.Concat([]scenario{r.thereFor("the deaths")}, []scenario{
		death("BIRD of a reflector stands still", onVictim(wedgeBird), freeBird),
		death("link of a reflector cut for good", onVictim(unplug), plugIn),
		death("power of a reflector cut"+killedToo, atOnce(onVictim(powerOff), crash), powerOn),
		inTheMiddle,
	}, []scenario{r.backAfter("the deaths")})
}

// mishaps are what else nobody plans.
func (r *run) mishaps() []scenario {
	return []scenario{
		r.thereFor("the mishaps"),
		{
			name: "drain with eviction, then the node goes down", replaced: true, act: onVictim(drain), want: r.without(few),
			after: bootDrained,
		},
		{name: "role keys of a reflector erased", act: onVictim(eraseRole), want: r.with(few)},
		{name: growth + ", API server away for 60 s in the middle", act: scale(more), want: reflectors(more), onStep: atStep(halfWay, stopAPI)},
		{name: shrinking + ", API server away for 60 s in the middle", act: scale(few), want: reflectors(few), onStep: atStep(halfWay, stopAPI)},
		{name: fmt.Sprintf("%d random changes of roles, seed %d", shuffles, r.options.Seed), act: shuffle, want: r.pinned(few)},
		r.backAfter("the mishaps"),
	}
}

// thereFor and backAfter frame a story of which they are not the point.
func (r *run) thereFor(what string) scenario {
	s := r.there()
	s.name += ", before " + what
	return s
}

func (r *run) backAfter(what string) scenario {
	s := r.back()
	s.name += ", after " + what
	return s
}

// What a roll of all nodes may cost in role changes, for each reflector
// (docs/policy.md): away and back, or away to another node. Where each reflector is
// needed, some move once more: two changes a zone at most, which are fewer than one for
// each of its reflectors.
const (
	rollCost          = 2
	rollCostElsewhere = 3
)

// rolls take every node in turn.
func (r *run) rolls(suffix string, want func(*view) string, cost int) []scenario {
	return []scenario{
		{name: "calico-node restarted on all nodes" + suffix, act: rollAgents, want: want, roleChanges: perReflector(0)},
		{
			name: "all nodes upgraded" + suffix, act: both(stabilize(usualStabilization), rollNodes), want: want,
			roleChanges: perReflector(cost), after: stabilize(briefStabilization),
		},
	}
}

// perReflector allows so many role changes for each reflector.
func perReflector(n int) func(*view) int {
	return func(before *view) int { return n * len(before.reflectors) }
}

// mostReflectors leaves ordinary nodes: the best design of a Quorum would take
// fifteen.
const mostReflectors = 9

// manyNodes is what every topology needs of a policy in a cluster that is small for
// it: more reflectors than it would have by itself, and clients that have not all.
func manyNodes(s *v1alpha1.RouteReflectorAutoscalerSpec) {
	s.Scaling.Min, s.Scaling.Max, s.ReflectorsPerClient = more, mostReflectors, 2
}

// leg goes from one topology to another.
func (r *run) leg(from, to v1alpha1.Topology) scenario {
	return scenario{
		name: fmt.Sprintf("%s to %s", from, to), want: arrived(to),
		act: edit(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { manyNodes(s); s.Topology = to }),
	}
}

// topologies goes through those that are for larger clusters, and lets Auto choose.
func (r *run) topologies() []scenario {
	var all []scenario
	stops := []v1alpha1.Topology{
		v1alpha1.TopologyMesh, v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy, v1alpha1.TopologySingle,
		v1alpha1.TopologyHierarchy, v1alpha1.TopologyQuorum, v1alpha1.TopologyMulti, v1alpha1.TopologyMesh,
	}
	for i, to := range stops[1:] {
		all = append(all, r.leg(stops[i], to))
		if i < 3 { // each for the first time
			all = append(all, scenario{
				name: fmt.Sprintf("replace a reflector of %s", to), act: onVictim(exclude(true)), want: r.moved(to), after: exclude(false),
			})
		}
	}
	return r.sized(append(all, r.auto()...))
}

// upgrades rolls over all nodes in each of the topologies for larger clusters.
func (r *run) upgrades() []scenario {
	var all []scenario
	from := v1alpha1.TopologyMesh
	for _, to := range []v1alpha1.Topology{v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy} {
		there := r.leg(from, to)
		there.name += ", before a roll"
		all = append(append(all, there), r.rolls(" in "+string(to), arrived(to), rollCostElsewhere)...)
		from = to
	}
	return r.sized(all)
}

// sized says of how many nodes the cluster is.
func (r *run) sized(all []scenario) []scenario {
	for i := range all {
		all[i].name += fmt.Sprintf(", %d nodes", r.options.Nodes)
	}
	return all
}

// auto lets the policy alone choose: what it says of nodes and sessions crosses the
// borders that a cluster crosses by growing.
func (r *run) auto() []scenario {
	limit := func(meshUpTo, sessions int32) act {
		return edit(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Topology, s.MeshUpTo, s.Limits.SessionsPerReflector = v1alpha1.TopologyAuto, &meshUpTo, sessions
		})
	}
	nodes := int32(r.options.Nodes) //nolint:gosec // at most maxNodes
	return []scenario{
		{name: "Auto: the mesh is outgrown", act: limit(nodes-1, nodes), want: arrived(v1alpha1.TopologySingle)},
		{name: "Auto: Single is outgrown", act: limit(nodes-1, nodes-2), want: r.leaves(v1alpha1.TopologySingle)},
		{name: "Auto: the mesh is enough", act: limit(2*nodes, nodes), want: arrived(v1alpha1.TopologyMesh)},
	}
}

// moved wants a topology to be in force without the victim.
func (r *run) moved(t v1alpha1.Topology) func(*view) string {
	return func(v *view) string {
		if text := r.others(1)(v); text != "" {
			return text
		}
		if v.has(r.victim) {
			return r.victim + " still has the role"
		}
		return arrived(t)(v)
	}
}

// leaves wants any topology with reflectors but one.
func (r *run) leaves(t v1alpha1.Topology) func(*view) string {
	return func(v *view) string {
		if v.policy == nil || v.policy.Status.Plan == nil {
			return "there is no plan"
		}
		to := v.policy.Status.Plan.Topology
		if to == t || to == v1alpha1.TopologyMesh {
			return "the plan is still " + string(to)
		}
		return arrived(to)(v)
	}
}
