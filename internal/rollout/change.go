package rollout

import (
	"fmt"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

// changeRoles moves reflectors that the plan keeps from one tier to another, one at
// a time: all sessions of the one may restart, and the others must carry on. Which
// of them may go first the oracle says; the first in order that it lets pass goes.
func (s *state) changeRoles() *verdict {
	left := s.toChange()
	if len(left) == 0 {
		return nil
	}
	if s.brake != "" {
		return s.braked("the new role of " + left[0].Node)
	}
	if len(left) == len(s.living()) {
		if v := s.halfWay(left); v != nil {
			return v
		}
	}
	// Where that gives clients too many paths, a reflector gets its new groups with
	// its new role.
	if v := firstPassed(left, s.serveMore); v != nil && v.step != nil {
		return v
	}
	refused := firstProved(s, left, func(want topology.Reflector) *verdict { return s.changeRole(want, want.Serves) })
	if refused.step != nil || refused.wait.reason != ReasonNotProved {
		return refused
	}
	if v := s.changeOtherwise(left); v != nil && v.step != nil {
		return v
	}
	return refused
}

// changeOtherwise is tried where no reflector can change to its new role as it is.
func (s *state) changeOtherwise(left []topology.Reflector) *verdict {
	// A reflector leaves the clients of its old role with it; where nobody else can
	// carry them yet, it goes on to serve them.
	both := firstProved(s, left, func(want topology.Reflector) *verdict {
		return s.changeRole(want, union(s.serves(want.Node), want.Serves))
	})
	if both.step != nil {
		return both
	}
	// Reflectors that hold on to one of these may have to go before it.
	if gone := s.demote(); gone != nil && gone.step != nil {
		return gone
	}
	return s.bridge()
}

// toChange are the roles that standing reflectors are to have instead of theirs, in
// the order in which they are tried.
func (s *state) toChange() []topology.Reflector {
	var left []topology.Reflector
	for _, name := range s.standing.Reflectors {
		want, stays := s.role(name)
		if stays && !s.lost(name) && s.changesRole(want) {
			left = append(left, want)
		}
	}
	slices.SortStableFunc(left, func(a, b topology.Reflector) int { return s.order(a) - s.order(b) })
	return left
}

// order of role changes: the core must be there before racks hang on it, and stay
// until none does.
func (s *state) order(want topology.Reflector) int {
	switch {
	case want.Tier == topology.TierCore:
		return 0
	case s.tier(want.Node) == topology.TierRack:
		return 1
	case s.tier(want.Node) == topology.TierCore:
		return 3
	}
	return 2
}

// firstProved is the first step that the oracle lets pass, or the first thing to
// wait for. Where tiers are mixed and none passes, it is asked again with less to
// keep to: the reflectors of one tier may depend on few of another until their turn.
func firstProved[T any](s *state, all []T, try func(T) *verdict) *verdict {
	refused := firstPassed(all, try)
	if refused == nil || refused.step != nil || refused.wait.reason != ReasonNotProved || !s.mixed() {
		return refused
	}
	s.relaxed = true
	defer func() { s.relaxed = false }()
	return firstPassed(all, try)
}

func firstPassed[T any](all []T, try func(T) *verdict) *verdict {
	var refused *verdict
	for _, one := range all {
		v := try(one)
		if v == nil {
			continue
		}
		if v.step != nil || v.wait.reason != ReasonNotProved {
			return v
		}
		if refused == nil {
			refused = v
		}
	}
	return refused
}

// changesRole: another tier, or an ID of its own other than the one it has. A new ID
// that all of a tier share is another rule's.
func (s *state) changesRole(want topology.Reflector) bool {
	return s.tier(want.Node) != want.Tier || !shared(want.Tier) && s.nodes[want.Node].ClusterID != want.ClusterID
}

// shared tiers have one cluster ID for all.
func shared(tier string) bool { return tier == topology.TierCore || tier == topology.TierQuorum }

func (s *state) changeRole(want topology.Reflector, serves []string) *verdict {
	if want.Tier == topology.TierCore {
		if v := s.pinAhead(want.Node, "becomes a reflector of the core"); v != nil {
			return v
		}
	}
	if v := s.gate("the new role of " + want.Node); v != nil {
		return v
	}
	id := s.sharedID(want)
	step := s.roleStep(want.Node, want.Tier, id, serves)
	step.Costs = []string{want.Node}
	step.Why = fmt.Sprintf("its tier becomes %s with cluster ID %s, before %s with %s", want.Tier, id,
		s.tier(want.Node), s.nodes[want.Node].ClusterID)
	return s.add(step)
}

// serve adds the groups that reflectors are to serve, to those they serve already.
// One that changes its tier is left to changeRoles.
func (s *state) serve() *verdict {
	for _, name := range s.standing.Reflectors {
		want, stays := s.role(name)
		if !stays || s.lost(name) || s.changesRole(want) {
			continue
		}
		if v := s.serveMore(want); v != nil {
			return v
		}
	}
	return nil
}

func (s *state) serveMore(want topology.Reflector) *verdict {
	standing := s.serves(want.Node)
	if within(want.Serves, standing) {
		return nil
	}
	step := s.roleStep(want.Node, s.tier(want.Node), s.nodes[want.Node].ClusterID, union(standing, want.Serves))
	step.Repair = s.undone(step.Object)
	step.Why = "more clients will peer with it"
	return s.add(step)
}

// withdrawIdle takes from reflectors the groups that they are not to serve and that
// have no clients: no session ends by it, and groups to come are not served by more
// than the plan says.
func (s *state) withdrawIdle() *verdict {
	var peopled map[string]bool
	for _, name := range s.standing.Reflectors {
		want, stays := s.role(name)
		if !stays || s.lost(name) || s.changesRole(want) || within(s.serves(name), want.Serves) {
			continue
		}
		if peopled == nil {
			peopled = s.peopled()
		}
		standing := s.serves(name)
		kept := slices.DeleteFunc(slices.Clone(standing), func(group string) bool {
			return !peopled[group] && !slices.Contains(want.Serves, group)
		})
		if len(kept) == len(standing) {
			continue
		}
		step := s.roleStep(name, s.tier(name), s.nodes[name].ClusterID, kept)
		step.Subtractive, step.WaitsFor = true, ""
		step.Why = "it leaves groups that have no clients"
		return s.add(step)
	}
	return nil
}

// peopled are the groups that may have clients: all but those whose clients have
// homes, of which no node has one.
func (s *state) peopled() map[string]bool {
	out := map[string]bool{topology.GroupAll: true}
	for _, peer := range s.standing.Groups {
		group, byHome := render.GroupOf(peer)
		out[group] = out[group] || !byHome
	}
	for i := range s.in.Nodes {
		if home, set := s.in.Nodes[i].Labels[v1alpha1.HomeLabel]; set {
			out[home] = true
		}
	}
	return out
}

// withdraw takes from reflectors the groups that they are not to serve any more.
func (s *state) withdraw() *verdict {
	return firstProved(s, s.standing.Reflectors, func(name string) *verdict {
		want, stays := s.role(name)
		if !stays || s.lost(name) || within(s.serves(name), want.Serves) {
			return nil
		}
		before := name + " leaving clients that others serve"
		if s.brake != "" {
			return s.braked(before)
		}
		if v := s.gate(before); v != nil {
			return v
		}
		step := s.roleStep(name, s.tier(name), s.nodes[name].ClusterID, want.Serves)
		step.Subtractive, step.WaitsFor = true, ""
		step.Why = "others have been seen to serve the clients that it leaves"
		return s.add(step)
	})
}

// sharing are the living reflectors whose tier has one ID for all.
func (s *state) sharing() []string {
	return slices.DeleteFunc(s.living(), func(name string) bool { return !shared(s.tier(name)) })
}

// sharedID is the ID for a role: for a tier that shares one, that of those who
// stand, because a new one must share theirs or its own routes would pause.
func (s *state) sharedID(want topology.Reflector) string {
	if !shared(want.Tier) {
		return want.ClusterID
	}
	return s.idInForce(want.ClusterID)
}
