package rollout

import (
	"fmt"
	"slices"

	"tapetum.dev/tapetum/internal/topology"
)

// promotions are the reflectors of the plan that do not stand yet. Those of racks
// come last, and only once there is a core to carry their own routes on.
func (s *state) promotions() []topology.Reflector {
	var first, racks []topology.Reflector
	for _, want := range s.plan.Reflectors {
		switch {
		case slices.Contains(s.standing.Reflectors, want.Node):
		case want.Tier == topology.TierRack:
			racks = append(racks, want)
		default:
			first = append(first, want)
		}
	}
	if len(first) == 0 && len(s.cores()) == 0 {
		return nil // a reflector that stands will become one of the core
	}
	return append(first, racks...)
}

// promote gives the role to the next node of the plan. One of the core is pinned to
// every other of the core before it gets it: where there are no reflectors but
// those, none of its sessions restarts.
func (s *state) promote() *verdict {
	left := s.promotions()
	if len(left) == 0 {
		return nil
	}
	want := left[0]
	if s.brakesPromotion(want) {
		return s.braked("the promotion of " + want.Node)
	}
	if want.Tier == topology.TierCore {
		if v := s.pinAhead(want.Node, "becomes a route reflector"); v != nil {
			return v
		}
	}
	step := s.roleStep(want.Node, want.Tier, s.sharedID(want), want.Serves)
	step.Repair = s.hadRole(want.Node)
	costs := s.promotionCosts(want)
	step.Why = s.whyPromoted(want, costs)
	if costs {
		step.Costs = []string{want.Node}
	}
	return s.add(step)
}

// promotionCosts: pins spare a node of the core where all reflectors are of the core,
// and all clients theirs.
func (s *state) promotionCosts(want topology.Reflector) bool {
	cores := len(s.cores())
	return want.Tier != topology.TierCore || cores == 0 || cores < len(s.living()) ||
		s.hasTier(topology.TierRack) && !s.catchesAll()
}

// pinAhead pins a node to the reflectors of the core before it becomes one of them.
// One that shares their cluster ID already and is joined to them by selector is
// pinned afterwards: two BGPPeers would give the one session different options.
func (s *state) pinAhead(name, becomes string) *verdict {
	at := slices.Index(s.standing.Reflectors, name)
	for _, other := range s.pinnable() {
		if other == name || s.joinedBySelector(other, name) {
			continue
		}
		if at >= 0 {
			// Pins tell who is senior: that must not change with the role.
			senior, junior := other, name
			if at < slices.Index(s.standing.Reflectors, other) {
				senior, junior = name, other
			}
			if v := s.pin(senior, junior, false, fmt.Sprintf("%s %s: their session goes on by it", name, becomes)); v != nil {
				return v
			}
			continue
		}
		why := fmt.Sprintf("%s %s: %s must keep treating it as its client", name, becomes, other)
		if v := s.pin(other, name, false, why); v != nil {
			return v
		}
		if v := s.pinFrom(other, name, why); v != nil {
			return v
		}
	}
	return nil
}

// joinedBySelector: both stand, share a cluster ID, and one of them is in the peering
// of reflectors by selector. A pin would speak of the same session.
func (s *state) joinedBySelector(a, b string) bool {
	meshed := func(name string) bool {
		tier := s.tier(name)
		return tier == topology.TierMulti || tier == topology.TierQuorum
	}
	stand := slices.Contains(s.standing.Reflectors, a) && slices.Contains(s.standing.Reflectors, b)
	return stand && (meshed(a) || meshed(b)) && s.nodes[a].ClusterID == s.nodes[b].ClusterID
}

func (s *state) whyPromoted(want topology.Reflector, costs bool) string {
	zone := ""
	if want.Zone != "" {
		zone = " in zone " + want.Zone
	}
	number := len(s.living()) + 1
	switch {
	case number == 1:
		return fmt.Sprintf("first route reflector%s; its own routes pause while its sessions change", zone)
	case costs:
		return fmt.Sprintf("route reflector %d of %d%s, tier %s; its own routes pause while its sessions change",
			number, max(number, len(s.plan.Reflectors)), zone, want.Tier)
	}
	return fmt.Sprintf("route reflector %d of %d%s; pinned, so its sessions with the others go on",
		number, max(number, len(s.plan.Reflectors)), zone)
}
