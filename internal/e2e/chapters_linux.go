package e2e

import (
	"fmt"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// deaths are reflectors that fail in every way, alone and while something else does,
// and what else nobody plans.
func (r *run) deaths() []scenario {
	before, after := r.there(), r.back()
	before.name += ", before the faults"
	after.name += ", after the faults"
	return []scenario{
		before,
		{
			name: "BIRD of a reflector stands still", fault: true, replaced: true, act: onVictim(wedgeBird), want: r.others(few),
			atLeast: untilForgotten, after: freeBird,
		},
		{
			name: "link of a reflector cut for good", fault: true, replaced: true, act: onVictim(unplug), want: r.others(few),
			atLeast: untilForgotten, after: plugIn,
		},
		{
			name: "power of a reflector cut" + killed, fault: true, replaced: true, act: both(onVictim(powerOff), crash), want: r.others(few),
			atLeast: untilForgotten, after: powerOn,
		},
		{
			name: "drain with eviction, then the node goes down", replaced: true, act: onVictim(drain), want: r.without(few),
			after: bootDrained,
		},
		{name: "role keys of a reflector erased", fault: true, act: onVictim(eraseRole), want: r.with(few)},
		{name: growth + ", API server away for 60 s in the middle", act: scale(more), want: reflectors(more), onStep: atStep(halfWay, stopAPI)},
		{name: shrinking + ", API server away for 60 s in the middle", act: scale(few), want: reflectors(few), onStep: atStep(halfWay, stopAPI)},
		{name: fmt.Sprintf("%d random changes of roles, seed %d", shuffles, r.options.Seed), act: shuffle, want: r.pinned(few)},
		after,
	}
}

// mostReflectors leaves ordinary nodes: the best design of a Quorum would take
// fifteen.
const mostReflectors = 9

// manyNodes is what every topology needs of a policy in a cluster that is small for
// it: more reflectors than it would have by itself, and clients that have not all.
func manyNodes(s *v1alpha1.RouteReflectorAutoscalerSpec) {
	s.Scaling.Min, s.Scaling.Max, s.ReflectorsPerClient = more, mostReflectors, 2
}

// topologies goes through those that are for larger clusters, and lets Auto choose.
func (r *run) topologies() []scenario {
	var all []scenario
	leg := func(from, to v1alpha1.Topology) {
		all = append(all, scenario{
			name: fmt.Sprintf("%s to %s", from, to), want: arrived(to),
			act: edit(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { manyNodes(s); s.Topology = to }),
		})
	}
	stops := []v1alpha1.Topology{
		v1alpha1.TopologyMesh, v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy, v1alpha1.TopologySingle,
		v1alpha1.TopologyHierarchy, v1alpha1.TopologyQuorum, v1alpha1.TopologyMulti, v1alpha1.TopologyMesh,
	}
	for i, to := range stops[1:] {
		leg(stops[i], to)
		if i < 3 { // each for the first time
			all = append(all, scenario{
				name: fmt.Sprintf("replace a reflector of %s", to), act: onVictim(exclude(true)), want: r.moved(to), after: exclude(false),
			})
		}
	}
	all = append(all, r.auto()...)
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
