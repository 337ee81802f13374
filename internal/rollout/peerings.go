package rollout

import (
	"fmt"
	"slices"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

// peerings makes sure of the BGPPeers by selector, before there is a reflector for
// them: among reflectors, between racks and core, and one a group of clients.
func (s *state) peerings() *verdict {
	var all []rule
	if s.hasTier(topology.TierMulti, topology.TierQuorum) {
		all = append(all, func(s *state) *verdict {
			return s.peering(s.standing.Mesh, render.Reflectors(s.carries(), s.options()), s.hadTier(topology.TierMulti, topology.TierQuorum),
				"route reflectors that are not pinned will peer with each other")
		})
	}
	if s.hasTier(topology.TierRack) {
		all = append(all, func(s *state) *verdict {
			return s.peering(s.standing.Racks, render.Racks(s.options()), s.hadTier(topology.TierRack),
				"route reflectors of racks will peer with those of the core")
		})
	}
	for _, group := range s.plan.Groups {
		want := render.GroupPeer(group, s.options())
		standing := s.standing.Group(want.Name)
		if standing != nil && changesClients(standing, want) {
			continue // a rule of its own, behind the gate
		}
		all = append(all, func(s *state) *verdict {
			return s.peering(standing, want, s.hadRole(s.servers(group.Name)...),
				"the clients of group "+group.Name+" will peer with the route reflectors that serve it")
		})
	}
	return s.anyOf(all)
}

// whoPeers are the rules of who peers with whom, before there is anybody. Somebody may
// have edited more than one BGPPeer: where one cannot be put right before another is,
// that one goes first.
func (s *state) whoPeers() *verdict {
	return s.anyOf([]rule{(*state).tagFilter, (*state).clientsPeer, (*state).carryFilter, (*state).peerings})
}

// anyOf is the first of the rules that has something to say which is proved.
func (s *state) anyOf(rules []rule) *verdict {
	return firstPassed(rules, func(ask rule) *verdict { return ask(s) })
}

// mend puts a BGPPeer right that somebody has edited or deleted. Where the edit has given
// pairs of nodes two BGPPeers, sessions may have to restart when one of these goes: first
// of reflectors alone, which the step names; else also such as ordinary nodes have by two
// BGPPeers. These restart whenever nodes work out their peerings anew, so there is no
// state in which they could be left. What cannot be proved so is left to a person.
func (s *state) mend(step *Step) *verdict {
	v := s.add(step)
	if v.step != nil || v.wait.reason != ReasonNotProved || !step.Repair {
		return v
	}
	costly := *step
	costly.Costs = slices.Clone(s.standing.Reflectors)
	if at := s.add(&costly); at.step != nil {
		return at
	}
	s.seen.DistrustAmbiguous = true
	defer func() { s.seen.DistrustAmbiguous = false }()
	if at := s.add(&costly); at.step != nil {
		costly.Proof += ", but for what it has by sessions for which two BGPPeers say different things"
		return at
	}
	v.wait.message += fmt.Sprintf("; somebody has changed %s while nothing could be done about it, and its sessions restart when it is put right: do that by hand when it may be (tapetum plan -o yaml shows how it should be)", step.Object)
	return v
}

// hadTier: reflectors of the tiers stand, and had the role when they were last seen.
func (s *state) hadTier(any ...string) bool {
	var names []string
	for _, name := range s.standing.Reflectors {
		if last, known := s.lastSeen(name); known && slices.Contains(any, last.Tier) && slices.Contains(any, s.tier(name)) {
			names = append(names, name)
		}
	}
	return s.hadRole(names...)
}

// peering creates a BGPPeer by selector, or puts right what somebody edited of it.
// Options such as a password a person may choose.
func (s *state) peering(standing, want *calico.BGPPeer, had bool, why string) *verdict {
	if standing == nil {
		return s.mend(&Step{Action: CreatePeer, Object: peerObject(want.Name), Peer: want, Repair: had, Why: why})
	}
	if sameClients(standing, want) && standing.Spec.PeerSelector == want.Spec.PeerSelector &&
		standing.Spec.Node == "" && standing.Spec.PeerIP == "" && reversed(standing) {
		return nil
	}
	mended := standing.DeepCopy()
	mended.Spec.NodeSelector, mended.Spec.PeerSelector = want.Spec.NodeSelector, want.Spec.PeerSelector
	mended.Spec.Node, mended.Spec.PeerIP, mended.Spec.ASNumber, mended.Spec.ReversePeering = "", "", 0, ""
	return s.mend(&Step{
		Action: PatchPeer, Object: peerObject(want.Name), Peer: mended, Repair: true,
		Why: "somebody edited who peers with whom",
	})
}

func sameClients(a, b *calico.BGPPeer) bool { return a.Spec.NodeSelector == b.Spec.NodeSelector }

// changesClients: a group of the same name, told by another label than before. Both
// selectors are ours, nobody has edited anything.
func changesClients(standing, want *calico.BGPPeer) bool {
	return !sameClients(standing, want) && standing.Spec.PeerSelector == want.Spec.PeerSelector &&
		render.ReadGroupSelector(standing.Spec.NodeSelector)
}

// regroup changes by which label a group is told, once every client has sessions
// that carry it in the meantime.
func (s *state) regroup() *verdict {
	for _, group := range s.plan.Groups {
		want := render.GroupPeer(group, s.options())
		standing := s.standing.Group(want.Name)
		if standing == nil || sameClients(standing, want) {
			continue
		}
		before := "telling the clients of group " + group.Name + " by another label"
		if s.brake != "" {
			return s.braked(before)
		}
		if v := s.gate(before); v != nil {
			return v
		}
		changed := standing.DeepCopy()
		changed.Spec.NodeSelector = want.Spec.NodeSelector
		return s.add(&Step{
			Action: PatchPeer, Object: peerObject(want.Name), Peer: changed, Subtractive: true,
			Why: "its clients are told by another label",
		})
	}
	return nil
}

// dropPeerings deletes the BGPPeers by selector that nobody needs any more: of
// groups that the plan does not have, and of tiers that neither stand nor are planned.
func (s *state) dropPeerings() *verdict {
	if s.brake != "" {
		return nil
	}
	planned := map[string]bool{}
	for _, group := range s.plan.Groups {
		planned[render.GroupPeer(group, render.Options{}).Name] = true
	}
	for _, peer := range s.standing.Groups {
		if planned[peer.Name] {
			continue
		}
		if group, _ := render.GroupOf(peer); len(s.servers(group)) > 0 {
			before := fmt.Sprintf("deleting %s", peerObject(peer.Name))
			if v := s.gate(before); v != nil {
				return v
			}
		}
		return s.drop(peer, "no client is in this group any more")
	}
	if s.standing.Mesh != nil && !s.hasTier(topology.TierMulti, topology.TierQuorum) {
		return s.drop(s.standing.Mesh, "all route reflectors that are left are pinned to each other, or belong to racks")
	}
	if s.standing.Racks != nil && !s.hasTier(topology.TierRack) {
		return s.drop(s.standing.Racks, "no route reflector of a rack is left")
	}
	return nil
}
