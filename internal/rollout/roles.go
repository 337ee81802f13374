package rollout

import (
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/topology"
)

// repairRoles puts back what somebody removed of a reflector's tier or cluster ID,
// or changed of them. Groups that it should serve are another rule's.
func (s *state) repairRoles() *verdict {
	for _, name := range s.standing.Reflectors {
		want, stays := s.role(name)
		if !stays || s.lost(name) {
			continue
		}
		node := s.nodes[name]
		tier, id := s.repairedTier(want), s.repairedID(want)
		if node.Labels[v1alpha1.ReflectorLabel] == tier && node.ClusterID == id {
			continue
		}
		step := s.roleStep(name, tier, id, union(s.serves(name), want.Serves))
		step.Costs = []string{name}
		step.Repair = s.hadRole(name)
		step.Why = "somebody removed or changed part of the role"
		return s.add(step)
	}
	return nil
}

// repairedTier is the tier that a reflector should have until changeRoles comes to
// it: the one it has, unless that is none, or somebody has put it there.
func (s *state) repairedTier(want topology.Reflector) string {
	if last, known := s.lastSeen(want.Node); known && last.Tier == want.Tier {
		return want.Tier
	}
	return s.tier(want.Node)
}

// repairLeaving puts back what somebody removed of the role of a reflector that is to
// go: without its label it is a client of the others and pinned to them at once, and no
// step that takes it away could be proved.
func (s *state) repairLeaving() *verdict {
	for _, name := range s.standing.Reflectors {
		node := s.nodes[name]
		if s.lost(name) || node.ClusterID == "" || slices.Contains(tiers, node.Labels[v1alpha1.ReflectorLabel]) {
			continue
		}
		step := s.roleStep(name, s.tier(name), node.ClusterID, s.serves(name))
		step.Costs, step.Repair = []string{name}, s.hadRole(name)
		step.Why = "somebody removed part of the role, which is to go in its turn"
		return s.add(step)
	}
	return nil
}
