package rollout

import (
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/topology"
)

// leaveHomes prepares clients that are to change their group, or to have none: they
// come back into the catch-all first. A label that moves from one group to another
// leaves the node without either for seconds.
func (s *state) leaveHomes() *verdict {
	var batch []NodeRole
	for _, b := range s.belongings() {
		if b.home == "" || b.home == b.want || b.settled == "" || s.free(&b) {
			continue
		}
		batch = append(batch, *s.home(&b, b.home, false))
		if len(batch) == homesBatch {
			break
		}
	}
	return s.setHomes(batch, false, "they peer with the reflectors of the catch-all before they leave their groups")
}

// moveHomes writes the new group of those that leave one, and clears what is left of
// groups that the plan does not have.
func (s *state) moveHomes() *verdict {
	var batch []NodeRole
	for _, b := range s.belongings() {
		if b.home == b.want && b.want != "" || b.home == "" && b.settled == "" || !s.mayMove(&b) {
			continue
		}
		batch = append(batch, *s.home(&b, b.want, s.free(&b)))
		if len(batch) == homesBatch {
			break
		}
	}
	if len(batch) == 0 {
		return nil
	}
	before := "moving clients to other groups"
	if s.brake != "" {
		return s.braked(before)
	}
	if !s.idleHomes(batch) {
		if v := s.gate(before); v != nil {
			return v
		}
	}
	step := s.homesStep(batch, false, "the groups that they were in are given up")
	step.Subtractive = true
	return s.add(step)
}

// mayMove: the catch-all carries the node, or the label tells nothing any more.
func (s *state) mayMove(b *belongs) bool {
	return s.free(b) || b.settled == "" && s.seenUp(b.node, s.servers(topology.GroupAll))
}

// idleHomes: nobody serves the groups in which these nodes still are.
func (s *state) idleHomes(batch []NodeRole) bool {
	return !slices.ContainsFunc(batch, func(role NodeRole) bool {
		return len(s.servers(s.nodes[role.Node].Labels[v1alpha1.HomeLabel])) > 0
	})
}
