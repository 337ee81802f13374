package rollout

import (
	"fmt"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// homesBatch is how many clients one step may write. Every write makes all nodes
// compute their peerings anew, and nothing else goes on in the meantime.
const homesBatch = 50

// belongs is what the labels of a node say, and should say, of its group.
type belongs struct {
	node          *inventory.Node
	home, settled string
	// want is the group to belong to by home; "": none.
	want string
}

// belongings are the nodes whose labels are not yet as they should be, by name.
func (s *state) belongings() []belongs {
	if s.belonging != nil {
		return s.belonging
	}
	groups := map[string]bool{}
	for _, group := range s.plan.Groups {
		if group.ByHome() {
			groups[group.Name] = true
		}
	}
	s.belonging, s.heeds = []belongs{}, s.heedsSettled()
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		if node.Deleting || node.ClusterID != "" && !slices.Contains(s.standing.Reflectors, node.Name) {
			continue // a route reflector of somebody else's stays in the catch-all
		}
		b := belongs{node: node, home: node.Labels[v1alpha1.HomeLabel], settled: node.Labels[v1alpha1.SettledLabel]}
		want, given := s.plan.Homes[node.Name]
		switch {
		case given && groups[want]:
			b.want = want
		case groups[b.home]:
			b.want = b.home
		}
		if b.home != b.want || b.settled != b.want {
			s.belonging = append(s.belonging, b)
		}
	}
	return s.belonging
}

// free: no session depends on the settled label of the node.
func (s *state) free(b *belongs) bool {
	return !b.node.HasBGP() || slices.Contains(s.standing.Reflectors, b.node.Name) || !s.heeds
}

// giveHomes writes to which groups clients belong. A home adds the sessions of the
// group. That the node is settled, which takes those of the catch-all away, is
// written with it where nobody has these, and else once the new ones are seen up.
func (s *state) giveHomes() *verdict {
	var batch []NodeRole
	repair := false
	for _, b := range s.belongings() {
		if b.want == "" || b.home != "" && b.home != b.want {
			continue
		}
		if b.home == b.want && (b.settled == "" && !s.free(&b)) {
			continue // settle
		}
		// Settled without a home: somebody removed the home, and the node is in no
		// group and not in the catch-all either.
		undone := b.home == "" && b.settled != ""
		repair = repair || undone
		batch = append(batch, *s.home(&b, b.want, undone || b.settled != "" || s.free(&b)))
		if len(batch) == homesBatch {
			break
		}
	}
	return s.setHomes(batch, repair, "their groups' reflectors will peer with them")
}

// giveHomesFirst is giveHomes where no reflector stands yet: nobody has sessions
// with the catch-all's reflectors then, and nobody need have them.
func (s *state) giveHomesFirst() *verdict {
	if len(s.standing.Reflectors) > 0 {
		return nil
	}
	return s.giveHomes()
}

// home is the labels of a client of a group.
func (s *state) home(b *belongs, group string, settled bool) *NodeRole {
	role := s.asItStands(b.node.Name)
	delete(role.Labels, v1alpha1.HomeLabel)
	delete(role.Labels, v1alpha1.SettledLabel)
	if group == "" {
		return role
	}
	for key, value := range render.HomeLabels(group, settled) {
		role.Labels[key] = value
	}
	return role
}

// asItStands is all of ours on a node, unchanged.
func (s *state) asItStands(name string) *NodeRole {
	node := s.nodes[name]
	role := s.nodeRole(name, node.Labels[v1alpha1.ReflectorLabel], node.ClusterID, s.serves(name))
	role.Annotations = nil
	for _, key := range node.Protected {
		if role.Annotations == nil {
			role.Annotations = map[string]string{}
		}
		role.Annotations[key] = inventory.Protection
	}
	return role
}

func (s *state) setHomes(batch []NodeRole, repair bool, why string) *verdict {
	if len(batch) == 0 {
		return nil
	}
	return s.add(s.homesStep(batch, repair, why))
}

func (s *state) homesStep(batch []NodeRole, repair bool, why string) *Step {
	return &Step{
		Action: SetHomes, Object: nodeObject(batch[0].Node), Homes: batch, Repair: repair,
		Why: fmt.Sprintf("%s to groups of clients: %s", plural(len(batch), "node"), why),
	}
}

// settle takes clients out of the catch-all whose sessions with all reflectors of
// their group are seen up and stay up. Each node for itself: nothing else waits.
func (s *state) settle() *verdict {
	if s.brake != "" {
		return nil
	}
	var batch []NodeRole
	watched := 0
	for _, b := range s.belongings() {
		if b.want == "" || b.home != b.want || b.settled != "" || watched == homesBatch || !s.seenUp(b.node, s.servers(b.want)) {
			continue
		}
		watched++
		if s.settledFor(b.node.Name) {
			batch = append(batch, *s.home(&b, b.want, true))
		}
	}
	if len(batch) == 0 {
		return nil
	}
	step := s.homesStep(batch, s.undone(nodeObject(batch[0].Node)), "the sessions with the reflectors of their groups have been seen up, they leave the catch-all")
	step.Subtractive = true
	return s.add(step)
}

// settledFor tells whether what is seen up has been so for the settle time, and no
// report may be older than the last restart of sessions.
func (s *state) settledFor(name string) bool {
	open := s.elapsed(clockSettle+name, s.settleTime())
	if at, restarted := s.clocks[clockRestart]; restarted {
		s.wakeAt(at.Add(reportsAgree))
		return false
	}
	return open
}

// seenUp tells whether all these reflectors, at least one, see their sessions with
// the node up.
func (s *state) seenUp(node *inventory.Node, reflectors []string) bool {
	if len(reflectors) == 0 {
		return false
	}
	if s.spec.Rollout.Gate == v1alpha1.GateDelay {
		return true
	}
	for _, name := range reflectors {
		for _, address := range render.Families(s.nodes[name], node) {
			if !s.seen.Up[name][address] {
				return false
			}
		}
	}
	return true
}

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

// awaitHomes waits for those whose new sessions are not up yet.
func (s *state) awaitHomes() *verdict {
	var waiting []string
	for _, b := range s.belongings() {
		if b.node.HasBGP() && b.want != "" && !s.seen.Down[b.node.Name] && b.node.Ready {
			waiting = append(waiting, b.node.Name)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	v := waitFor(ReasonSessions, "%s not yet seen in the sessions of their groups: %s", plural(len(waiting), "node"), names(waiting))
	v.wait.timed, v.wait.nodes = true, waiting
	return v
}
