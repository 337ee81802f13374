package rollout

import (
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/topology"
)

// lastStand are the reflectors that go last on the way back to the mesh: as many as
// may fail and one more, those of the core first, then the most senior.
func (s *state) lastStand() []string {
	living := s.living()
	slices.SortStableFunc(living, func(a, b string) int {
		x, y := s.tier(a) == topology.TierCore, s.tier(b) == topology.TierCore
		switch {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return living[:min(len(living), int(*s.spec.Limits.ReflectorFailures)+1)]
}

// serveLast makes the reflectors that go last serve every group, so that the others
// can go: reflectors are not in the mesh, and their own routes to and from the
// clients of a group go through those that serve it.
func (s *state) serveLast() *verdict {
	var groups []string
	for _, name := range s.standing.Reflectors {
		groups = union(groups, s.serves(name))
	}
	for _, name := range s.lastStand() {
		standing := s.serves(name)
		if within(groups, standing) {
			continue
		}
		step := s.roleStep(name, s.tier(name), s.nodes[name].ClusterID, union(standing, groups))
		step.Why = "it is one of the last to go: the clients of all groups peer with it until then"
		return s.add(step)
	}
	return nil
}

// leavingOrder are the standing reflectors in the order in which they would go: the
// newest first, and before the mesh takes over those last that serve every group.
func (s *state) leavingOrder() []string {
	order := slices.Clone(s.standing.Reflectors)
	slices.Reverse(order)
	if s.plan.Topology != v1alpha1.TopologyMesh {
		return order
	}
	last := s.lastStand()
	slices.SortStableFunc(order, func(a, b string) int {
		x, y := slices.Index(last, a), slices.Index(last, b)
		switch {
		case x < 0 && y < 0:
			return 0
		case x < 0:
			return -1
		case y < 0:
			return 1
		}
		return y - x
	})
	return order
}
