package rollout

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// pinnable are the reflectors of the core between which there are to be pins: the living,
// and where many are suspected also those of which only that says that they are dead. If
// it is wrong they would lose their sessions with those that take their place.
func (s *state) pinnable() []string {
	many := s.manySuspects()
	return slices.DeleteFunc(slices.Clone(s.standing.Reflectors), func(name string) bool {
		doubted := many && s.fails[name] != "" && s.nodes[name].Ready
		return s.tier(name) != topology.TierCore || s.lost(name) && !doubted
	})
}

// pinStanding makes sure that every two working reflectors of the core are pinned to
// each other, the more senior one to the more junior.
func (s *state) pinStanding() *verdict {
	cores := s.pinnable()
	for i, senior := range cores {
		for _, junior := range cores[i+1:] {
			if v := s.pin(senior, junior, s.hadRole(senior, junior),
				fmt.Sprintf("route reflectors %s and %s have no session with each other", senior, junior)); v != nil {
				return v
			}
		}
	}
	return nil
}

// pin creates the next missing pin between two nodes, one an address family, and
// mends one that does not make the session.
func (s *state) pin(senior, junior string, repair bool, why string) *verdict {
	a, b := s.nodes[senior], s.nodes[junior]
	for _, address := range render.Families(a, b) {
		if standing := s.pinned(a, b, address); standing != nil {
			if mended := s.mended(standing); mended != nil {
				return s.add(&Step{
					Action: PatchPeer, Object: peerObject(mended.Name), Peer: mended, Repair: repair,
					Why: "the pin between " + senior + " and " + junior + " makes no session: somebody edited it, or the AS number changed",
				})
			}
			continue
		}
		peer := render.Pin(a, b, address, s.clusterAS, s.pinOptions(senior, junior))
		peer.Spec.Filters = render.FilterNames(s.carries())
		if stray := s.stray(peer.Name); stray != nil {
			mended := stray.DeepCopy()
			mended.Spec = peer.Spec
			return s.add(&Step{
				Action: PatchPeer, Object: peerObject(peer.Name), Peer: mended, Repair: repair, Costs: s.costOfMending(senior, junior),
				Why: "somebody edited the pin between " + senior + " and " + junior + ", or an address changed",
			})
		}
		step := &Step{Action: CreatePeer, Object: peerObject(peer.Name), Peer: peer, Repair: repair, Why: why}
		v := s.add(step)
		if costs := s.costOfMending(senior, junior); v.step == nil && costs != nil {
			// A selector has joined them until now, and the session is up.
			step.Costs = costs
			return s.add(step)
		}
		return v
	}
	return nil
}

// pinOptions are those of the session that two reflectors may have already: in the
// middle of a change of options, the new ones where both are renewed.
func (s *state) pinOptions(a, b string) render.Options {
	if len(s.standing.Renewed) > 0 && s.renewed(a) && s.renewed(b) {
		return render.OptionsOf(s.standing.Renewed[0])
	}
	return s.options()
}

// costOfMending: two reflectors whose pin was edited may have to restart what they
// have instead. A node that is about to become one must not.
func (s *state) costOfMending(senior, junior string) []string {
	if slices.Contains(s.standing.Reflectors, senior) && slices.Contains(s.standing.Reflectors, junior) {
		return []string{senior, junior}
	}
	return nil
}

// pinned is the pin between the two nodes over the address family of address, in
// either direction; nil: none.
func (s *state) pinned(a, b *inventory.Node, address netip.Addr) *render.Pinned {
	i := slices.IndexFunc(s.standing.Pins, func(pin render.Pinned) bool {
		between := pin.Senior == a.Name && pin.Junior == b.Name || pin.Senior == b.Name && pin.Junior == a.Name
		return between && pin.Address.Is4() == address.Is4()
	})
	if i < 0 {
		return nil
	}
	return &s.standing.Pins[i]
}

// pinFrom turns round the pins that lead from the junior to the senior: a node
// that was a reflector, went, and joins again under its name finds them so.
func (s *state) pinFrom(senior, junior, why string) *verdict {
	for _, pin := range s.standing.Pins {
		if pin.Senior == junior && pin.Junior == senior {
			turned := s.turned(pin)
			return s.add(&Step{Action: PatchPeer, Object: peerObject(turned.Name), Peer: turned, Why: why})
		}
	}
	return nil
}

// mended is the pin with the fields that it cannot do without put right; nil where
// they are. Others, such as a password or a filter, a person may choose.
func (s *state) mended(pin *render.Pinned) *calico.BGPPeer {
	want := render.Pin(s.nodes[pin.Senior], s.nodes[pin.Junior], pin.Address, s.clusterAS, render.OptionsOf(pin.Peer)).Spec
	mended := pin.Peer.DeepCopy()
	is := &mended.Spec
	if is.ASNumber == want.ASNumber && is.NodeSelector == "" && is.PeerSelector == "" && reversed(mended) {
		return nil
	}
	is.ASNumber, is.NodeSelector, is.PeerSelector, is.ReversePeering = want.ASNumber, "", "", ""
	return mended
}

// reversed: the peering is made on both sides. Calico may fill in its default.
func reversed(peer *calico.BGPPeer) bool {
	return peer.Spec.ReversePeering == "" || peer.Spec.ReversePeering == "Auto"
}

// stray is a BGPPeer of ours that has the name and fits nothing.
func (s *state) stray(name string) *calico.BGPPeer {
	for _, peer := range s.standing.Stray {
		if peer.Name == name {
			return peer
		}
	}
	return nil
}

// dropStalePins deletes pins of nodes that neither are nor will be reflectors,
// and BGPPeers of ours that fit nothing any more. They do no harm, so that under
// the brake they stay.
func (s *state) dropStalePins() *verdict {
	if s.brake != "" {
		return nil
	}
	for _, peer := range s.standing.Stray {
		if v := s.drop(peer, "a node that it names is gone, or it was edited"); v != nil {
			return v
		}
	}
	for _, pin := range s.standing.Pins {
		if v := s.dropStalePin(pin); v != nil {
			return v
		}
	}
	return nil
}

// dropStalePin deletes a pin whose ends are not both of the core, or about to be.
func (s *state) dropStalePin(pin render.Pinned) *verdict {
	for _, name := range []string{pin.Senior, pin.Junior} {
		want, stays := s.role(name)
		standing := slices.Contains(s.standing.Reflectors, name)
		switch {
		case !standing && !stays:
			return s.drop(pin.Peer, name+" is no route reflector any more", s.costOfDropping(pin, name)...)
		case standing && s.tier(name) == topology.TierCore, stays && want.Tier == topology.TierCore && !s.joinedBySelector(pin.Senior, pin.Junior):
			continue
		}
		why := "other peerings join " + name + " to the core, or nothing does any more"
		if v := s.drop(pin.Peer, why); v.step != nil {
			// Proved without an exception, perhaps only because the session is still
			// coming up; it begins again all the same.
			if v.step.restarts {
				v.step.Costs = []string{name}
			}
			return v
		}
		return s.drop(pin.Peer, why, name) // the one session that both make restarts
	}
	return nil
}

// dropPeers deletes what is left of our BGPPeers once no reflector stands.
func (s *state) dropPeers() *verdict {
	left := s.standing.All()
	if len(s.standing.Reflectors) > 0 || len(left) == 0 {
		return nil
	}
	if s.brake != "" {
		return s.braked("deleting our BGPPeers")
	}
	// The clients' peering last: its options are those of all.
	slices.SortStableFunc(left, func(a, b *calico.BGPPeer) int {
		if (a == s.standing.Clients) == (b == s.standing.Clients) {
			return strings.Compare(a.Name, b.Name)
		}
		if a == s.standing.Clients {
			return 1
		}
		return -1
	})
	return s.drop(left[0], "no route reflector is left")
}

// costOfDropping: where the clients' BGPPeer has other options than a pin, the one
// session that both make restarts. A pin between two nodes that have both lost the role
// hands its session over to the mesh.
func (s *state) costOfDropping(pin render.Pinned, name string) []string {
	if !slices.Contains(s.standing.Reflectors, pin.Senior) && !slices.Contains(s.standing.Reflectors, pin.Junior) {
		return []string{pin.Senior, pin.Junior}
	}
	if s.ownOptions(pin) {
		return []string{name}
	}
	return nil
}

func (s *state) drop(peer *calico.BGPPeer, why string, costs ...string) *verdict {
	step := &Step{Action: DeletePeer, Object: peerObject(peer.Name), Peer: peer, Why: why, Subtractive: true, Costs: costs}
	if v := s.prove(step); v != nil {
		return v
	}
	return take(step)
}

// add proves and takes a step that adds something.
func (s *state) add(step *Step) *verdict {
	if v := s.prove(step); v != nil {
		return v
	}
	return take(step)
}

// hadRole tells whether the last status counted all of these as reflectors: then
// what is missing of them was there, and somebody removed it.
func (s *state) hadRole(all ...string) bool {
	had := map[string]bool{}
	for _, reflector := range s.in.Autoscaler.Status.Reflectors {
		if reflector.State == "Ready" || reflector.State == "Connecting" {
			had[reflector.Name] = true
		}
	}
	for _, name := range all {
		if !had[name] {
			return false
		}
	}
	return len(all) > 0
}

func peerObject(name string) string { return "BGPPeer/" + name }
func nodeObject(name string) string { return "Node/" + name }
func (s *state) autoscalerObject() string {
	return "RouteReflectorAutoscaler/" + s.in.Autoscaler.Name
}
