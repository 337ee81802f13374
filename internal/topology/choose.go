package topology

import (
	"maps"
	"slices"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// choose lists the topologies to try, the one wanted first: the one asked for alone,
// or what Auto would take, and what it would take if that cannot be planned.
//
// Auto takes the mesh while the cluster is small. It leaves it at once above meshUpTo
// and returns to it below 80 % of that, after the stabilization window, so that a
// cluster which breathes around the number does not change its topology daily. The
// borders between the others are kept in the same way, see decide.
func choose(request Request, c *counts, plan *Plan) []v1alpha1.Topology {
	if asked := request.Spec.Topology; asked != v1alpha1.TopologyAuto {
		return []v1alpha1.Topology{asked}
	}
	current := auto(request)
	limit := int(*request.Spec.MeshUpTo)
	switch {
	case plan.Nodes <= limit && (current == v1alpha1.TopologyMesh || len(request.Standing) == 0):
		return []v1alpha1.Topology{v1alpha1.TopologyMesh}
	case current == v1alpha1.TopologyMesh:
	case plan.Nodes*100 < limit*80 && plan.elapsed(request, ClockMeshReturn):
		return []v1alpha1.Topology{v1alpha1.TopologyMesh}
	}
	move := decide(&request.Spec, c, request.TagFilter, current)
	order := []v1alpha1.Topology{move.to}
	if move.wish != "" {
		if plan.elapsed(request, ClockTopology) {
			order = []v1alpha1.Topology{move.wish, move.to}
		} else {
			// Its time has not come: nothing else is tried either.
			return order
		}
	}
	for _, option := range ranked(weigh(&request.Spec, c, request.TagFilter)) {
		if !slices.Contains(order, option.Topology) {
			order = append(order, option.Topology)
		}
	}
	return order
}

// auto is the topology that Auto starts from: what the last plan chose, which may not
// stand yet, else what the reflectors that stand make up.
func auto(request Request) v1alpha1.Topology {
	switch request.Previous {
	case "", v1alpha1.TopologyAuto:
		return inForce(request)
	}
	return request.Previous
}

// attempt plans the topologies in their order until one keeps the promise. Where
// none does it is the first, with its problems. One that is in force and has not been
// outgrown is given the stabilization window first: nodes that are away come back.
// It returns why the plan is not for the first, if so.
func (p *Plan) attempt(request Request, order []v1alpha1.Topology, build func(*Plan, v1alpha1.Topology)) (refused string) {
	before := *p
	for i, topology := range order {
		try := before.fork()
		build(&try, topology)
		broken, outgrown := try.broken()
		if i == 0 || broken == "" {
			*p = try
		}
		patient := len(order) > 1 && i == 0 && topology == auto(request) && !outgrown
		if broken == "" || patient && !p.elapsed(request, ClockTopology) {
			return refused
		}
		if refused == "" {
			refused = string(topology) + " cannot be planned: " + broken
		}
	}
	return ""
}

// fork is the plan again, to be changed apart.
func (p *Plan) fork() Plan {
	out := *p
	out.Leaving, out.Clocks = maps.Clone(p.Leaving), maps.Clone(p.Clocks)
	out.Problems = slices.Clone(p.Problems)
	return out
}

// broken says why the plan breaks the promise, or is none; "" where it keeps it.
// outgrown: because there are more nodes than it can take.
func (p *Plan) broken() (why string, outgrown bool) {
	for _, problem := range p.Problems {
		if breaking[problem.Reason] {
			return problem.Message, problem.Reason == ReasonLimitExceeded
		}
	}
	return "", false
}

// breaking are the reasons of problems with which Auto would rather have another
// topology.
var breaking = map[string]bool{
	ReasonLimitExceeded: true, ReasonNotYet: true, ReasonTagFilterUnavailable: true,
	ReasonOneZone: true, ReasonZoneLoss: true, ReasonUnknownRack: true,
}

// withoutCandidates: reflectors are wanted and no node can be one. The mesh that
// stands stays; where reflectors stood, they stay as they are, unless the cluster
// is small enough for the mesh to take over.
func withoutCandidates(request Request, plan *Plan) v1alpha1.Topology {
	plan.noCandidates()
	if len(request.Standing) == 0 || plan.Nodes <= int(*request.Spec.MeshUpTo) {
		return v1alpha1.TopologyMesh
	}
	return v1alpha1.TopologySingle
}

// elapsed starts or continues a clock and tells whether the stabilization window
// has passed since.
func (p *Plan) elapsed(request Request, clock string) bool {
	since, running := request.Clocks[clock]
	if !running || since.After(request.Now) {
		since = request.Now
	}
	p.Clocks[clock] = since
	end := since.Add(time.Duration(*request.Spec.Scaling.ScaleDownStabilizationSeconds) * time.Second)
	if !end.After(request.Now) {
		return true
	}
	if p.WaitUntil.IsZero() || end.Before(p.WaitUntil) {
		p.WaitUntil = end
	}
	return false
}
