package topology

import (
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// choose decides between the topologies: the one asked for, or for Auto the
// mesh while the cluster is small. Auto leaves the mesh at once above meshUpTo
// and returns to it below 80 % of that, after the stabilization window, so that a
// cluster which breathes around the number does not change its topology daily.
func choose(request Request, plan *Plan) v1alpha1.Topology {
	switch asked := request.Spec.Topology; asked {
	case v1alpha1.TopologyMesh, v1alpha1.TopologySingle:
		return asked
	case v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy:
		plan.problem(ReasonNotYet, "spec.topology %s is not built yet: %s stays in force; use Auto, Mesh or Single",
			asked, inForce(request))
		return inForce(request)
	}
	limit := int(*request.Spec.MeshUpTo)
	if inForce(request) == v1alpha1.TopologyMesh {
		if plan.Nodes <= limit {
			return v1alpha1.TopologyMesh
		}
		return v1alpha1.TopologySingle
	}
	if plan.Nodes*100 >= limit*80 {
		return v1alpha1.TopologySingle
	}
	if plan.elapsed(request, ClockMeshReturn) {
		return v1alpha1.TopologyMesh
	}
	return v1alpha1.TopologySingle
}

// withoutCandidates: reflectors are wanted and no node can be one. The mesh that
// stands stays; where reflectors stood, they stay as they are, unless the cluster
// is small enough for the mesh to take over.
func withoutCandidates(request Request, plan *Plan) v1alpha1.Topology {
	plan.problem(ReasonTooFewEligible, "no node can be a route reflector: %s", describe(plan.Ineligible))
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
