package rollout

import (
	"fmt"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
)

// homesBatch is how many clients one step may write. Every write makes all nodes
// compute their peerings anew, and nothing else goes on in the meantime.
const homesBatch = 50

// manyMoves is how many clients on their way are watched closely.
const manyMoves = 10

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
	s.belonging, s.heeds = []belongs{}, s.heedsSettled()
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		if node.Deleting || s.homeless(node) {
			continue
		}
		b := belongs{node: node, home: node.Labels[v1alpha1.HomeLabel], settled: node.Labels[v1alpha1.SettledLabel]}
		if want := s.plan.Homes[node.Name]; s.byHome(want) {
			b.want = want
		} else if s.byHome(b.home) {
			b.want = b.home
		}
		if b.home != b.want || b.settled != b.want {
			s.belonging = append(s.belonging, b)
		}
	}
	return s.belonging
}

// homeless: nothing is written to it now. The home of a reflector that leaves comes
// when its role goes; one of somebody else's stays in the catch-all.
func (s *state) homeless(node *inventory.Node) bool {
	if slices.Contains(s.standing.Reflectors, node.Name) {
		return !s.plan.Has(node.Name)
	}
	return node.ClusterID != ""
}

// byHome tells whether the plan has a group of that name whose clients have homes.
func (s *state) byHome(group string) bool {
	if s.homeGroups == nil {
		s.homeGroups = map[string]bool{}
		for _, planned := range s.plan.Groups {
			s.homeGroups[planned.Name] = planned.ByHome()
		}
	}
	return s.homeGroups[group]
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
		if !s.gives(&b) {
			continue
		}
		// Settled without a home: somebody removed the home, and the node is in no
		// group and not in the catch-all either.
		repair = repair || b.home == "" && (b.settled != "" || s.hadHome(&b))
		batch = append(batch, *s.home(&b, b.want, b.settled != "" || s.free(&b)))
		if len(batch) == homesBatch {
			break
		}
	}
	return s.setHomes(batch, repair, "their groups' reflectors will peer with them")
}

// hadHome: a node that has been there for long had its home when nothing was left to do.
// One that is created anew, again and again under the same name, has not.
func (s *state) hadHome(b *belongs) bool {
	return s.in.Now.Sub(b.node.Created) > contestWindow && s.undone(nodeObject(b.node.Name))
}

// gives: it has no home yet, or could have been settled with it.
func (s *state) gives(b *belongs) bool {
	switch {
	case b.want == "":
		return false
	case b.home == b.want:
		return b.settled != "" || s.free(b)
	}
	return b.home == ""
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

// asItStands is all of ours on a node, unchanged but for the label of a tier that
// somebody has erased: without it the whole role would be.
func (s *state) asItStands(name string) *NodeRole {
	node, tier := s.nodes[name], ""
	if slices.Contains(s.standing.Reflectors, name) {
		tier = s.tier(name)
	}
	role := s.nodeRole(name, tier, node.ClusterID, s.serves(name))
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
		if b.want == "" || b.home != b.want || b.settled != "" {
			continue
		}
		if s.leftNothing() {
			s.reverted(&Step{Object: nodeObject(b.node.Name)}) // it was settled
		}
		if watched == homesBatch || !s.seenUp(b.node, s.servers(b.want)) {
			continue
		}
		watched++
		s.watching = s.watching || s.manyMove()
		if s.settledFor(b.node.Name) {
			batch = append(batch, *s.home(&b, b.want, true))
		}
	}
	if len(batch) == 0 {
		return nil
	}
	step := s.homesStep(batch, false, "the sessions with the reflectors of their groups have been seen up, they leave the catch-all")
	step.Subtractive = true
	return s.add(step)
}

// settledFor tells whether what is seen up has been so for the settle time.
func (s *state) settledFor(name string) bool { return s.elapsed(clockSettle+name, s.settleTime()) }

// manyMove: so many clients are on their way to a group that it is a rollout. Fewer
// are nodes that have joined: they have the catch-all, and can wait for the reports
// that come anyway.
func (s *state) manyMove() bool { return len(s.belongings()) > manyMoves }

// seenUp tells whether all these reflectors, at least one, see their sessions with
// the node up.
func (s *state) seenUp(node *inventory.Node, reflectors []string) bool {
	if len(reflectors) == 0 {
		return false
	}
	if s.spec.Rollout.Gate == v1alpha1.GateDelay {
		return true
	}
	all := true
	for _, name := range reflectors {
		for _, address := range render.Families(s.nodes[name], node) {
			if !s.seen.Up[name][address] {
				s.lookAt(name, s.manyMove())
				all = false
			}
		}
	}
	return all
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
