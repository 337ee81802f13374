package rollout

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

// demote takes the role from the reflectors that the plan does not keep, the
// newest first, once all that stay are seen to carry every client; the first that the
// oracle lets go.
func (s *state) demote() *verdict {
	// One of the core at a time: it may have pins to turn round first.
	core := ""
	return firstProved(s, s.leavingOrder(), func(name string) *verdict {
		if _, stays := s.role(name); stays {
			return nil
		}
		if s.tier(name) == topology.TierCore && !s.lost(name) {
			if core != "" && core != name {
				return nil
			}
			core = name
		}
		if s.lost(name) {
			return s.demoteLost(name)
		}
		return s.demoteLiving(name)
	})
}

func (s *state) demoteLiving(name string) *verdict {
	before := "taking the role from " + name + " (" + s.plan.Leaving[name] + ")"
	if s.brake != "" {
		return s.braked(before)
	}
	if v := s.meshSettled(before); v != nil {
		return v
	}
	if v := s.gate(before); v != nil {
		return v
	}
	if v := s.turnPins(name); v != nil {
		return v
	}
	step := s.clearRole(name)
	if len(s.living()) == 1 {
		if v := s.meshWitnessed(before); v != nil {
			return v
		}
		step.Costs = []string{name}
	}
	if s.demotionCosts(name) {
		step.Costs = []string{name}
	}
	return s.add(step)
}

// demotionCosts: pins spare only those of the core that have one ID, and whose pins
// have the clients' options; and only where there are no others beside the core.
func (s *state) demotionCosts(name string) bool {
	return !s.sharesID(name) || s.standsTier(topology.TierMulti, topology.TierQuorum, topology.TierRack) ||
		slices.ContainsFunc(s.standing.Pins, func(pin render.Pinned) bool {
			return (pin.Senior == name || pin.Junior == name) && s.ownOptions(pin)
		})
}

// demoteLost removes a reflector whose node is not ready. While another reflector
// still sees it Established, its routes are alive or BIRD still keeps them: there
// is no hurry, and only once it is seen by nobody are its pins simply deleted.
func (s *state) demoteLost(name string) *verdict {
	before := "taking the role from " + name + " (" + s.plan.Leaving[name] + ")"
	if s.brake != "" {
		return s.braked(before)
	}
	if len(s.living()) == 0 && s.plan.Topology != v1alpha1.TopologyMesh {
		return waitFor(ReasonTooFewLiving, "%s waits: no other route reflector works", before).needsPerson()
	}
	if v := s.meshSettled(before); v != nil {
		return v
	}
	if s.seenBySomeone(name) {
		if !s.elapsed(clockLost+name, lostButSeen) {
			return waitFor(ReasonSessions, "%s waits: its node is not ready, but its sessions are still established; they end within BGP's hold time of 240 s if it is dead", before)
		}
		return s.demoteLiving(name)
	}
	if s.turns() {
		s.since(clockGone + name) // with its pins go those who see that
	}
	if v := s.patientGate(before); v != nil {
		return v
	}
	for _, pin := range s.standing.Pins {
		if pin.Senior == name || pin.Junior == name {
			return s.drop(pin.Peer, name+" is lost: "+s.plan.Leaving[name])
		}
	}
	step := s.clearRole(name)
	step.Costs = []string{name}
	return s.add(step)
}

// ownOptions: a person has given the clients' BGPPeer other options than the pin
// has, so that its session restarts when it becomes a client's.
func (s *state) ownOptions(pin render.Pinned) bool {
	return s.standing.Clients != nil && !reflect.DeepEqual(render.OptionsOf(pin.Peer), render.OptionsOf(s.standing.Clients))
}

func (s *state) clearRole(name string) *Step {
	reason := s.plan.Leaving[name]
	if reason == "" {
		reason = "the plan does not keep it"
	}
	role := s.nodeRole(name, "", "", nil)
	if group, given := s.plan.Homes[name]; given && s.byHome(group) {
		// All its sessions are new ones: it needs none of the catch-all first.
		role.Labels = render.HomeLabels(group, true)
	}
	return &Step{Action: ClearRole, Object: nodeObject(name), Subtractive: true, Why: reason, Role: role}
}

// turnPins turns round, in place and one at a time, the pins that the leaving
// reflector holds: its role must not go while a pin starts from it, or two
// BGPPeers would cover the same pair. The most senior junior comes first: it then
// holds pins to both ends of the next ones, and those cost nothing.
func (s *state) turnPins(name string) *verdict {
	order := func(node string) int { return slices.Index(s.standing.Reflectors, node) }
	var held []render.Pinned
	for _, pin := range s.standing.Pins {
		if pin.Senior == name && order(pin.Junior) >= 0 {
			held = append(held, pin)
		}
	}
	slices.SortFunc(held, func(a, b render.Pinned) int {
		if a.Junior != b.Junior {
			return order(a.Junior) - order(b.Junior)
		}
		return strings.Compare(a.Peer.Name, b.Peer.Name)
	})
	if len(held) == 0 {
		return nil
	}
	return s.turnPin(held[0], name)
}

// turnPin makes the junior end of a pin its senior end.
func (s *state) turnPin(pin render.Pinned, name string) *verdict {
	turned := s.turned(pin)
	return s.add(&Step{
		Action: PatchPeer, Object: peerObject(turned.Name), Peer: turned, Subtractive: true, Costs: []string{name},
		Why: fmt.Sprintf("%s leaves: its pin to %s is turned round", name, pin.Junior),
	})
}

// turned is the pin in the other direction. A senior end that has lost its address
// of that family cannot be pinned: it counts as lost, or has no such session.
func (s *state) turned(pin render.Pinned) *calico.BGPPeer {
	senior, junior := s.nodes[pin.Junior], s.nodes[pin.Senior]
	address := junior.IPv4
	if pin.Address.Is6() {
		address = junior.IPv6
	}
	turned := pin.Peer.DeepCopy()
	turned.Spec = render.Pin(senior, junior, address, s.clusterAS, render.OptionsOf(pin.Peer)).Spec
	turned.Spec.Filters = pin.Peer.Spec.Filters
	return turned
}
