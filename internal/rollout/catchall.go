package rollout

import (
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

// clientsPeer makes sure of the BGPPeer between the clients of the catch-all and
// the reflectors that serve them. It exists before any node has the role: until
// then it matches nothing. Who is in the catch-all changes by rules of its own.
func (s *state) clientsPeer() *verdict {
	if len(s.plan.Reflectors) == 0 {
		return nil
	}
	want := render.ClientsOf(render.CatchAll(s.plan.Groups), s.options())
	standing := s.standing.Clients
	if standing == nil {
		if s.hadRole(s.standing.Reflectors...) {
			// Whom it took in is not known: nobody may be left without.
			return s.mend(&Step{
				Action: CreatePeer, Object: peerObject(want.Name), Peer: s.catchAllMissing(want), Repair: true,
				Why: "somebody deleted the peering of the clients that are in no group",
			})
		}
		if s.firstCatchesAll() {
			want.Spec.NodeSelector = render.EveryClient
		}
		return s.add(&Step{
			Action: CreatePeer, Object: peerObject(want.Name), Peer: want,
			Why: "every node without the role and in no group will peer with the route reflectors that serve all; it matches nothing yet",
		})
	}
	if _, ours := render.ReadCatchAll(standing.Spec.NodeSelector); ours && standing.Spec.PeerSelector == want.Spec.PeerSelector &&
		standing.Spec.Node == "" && standing.Spec.PeerIP == "" && reversed(standing) {
		return nil
	}
	mended := standing.DeepCopy()
	mended.Spec = s.catchAllMissing(want).Spec
	return s.mend(&Step{
		Action: PatchPeer, Object: peerObject(want.Name), Peer: mended, Repair: true,
		Why: "somebody edited whom the clients peer with",
	})
}

// firstCatchesAll: the way to a spine begins as that to Single, with every client a
// client of it, so that the reflectors of the spine have their own routes before
// there are racks between. Not where they could not carry so many sessions.
func (s *state) firstCatchesAll() bool {
	return s.hasTier(topology.TierRack) && len(s.standing.Reflectors) == 0 && s.count() <= int(s.spec.Limits.SessionsPerReflector)
}

// catchesAll: every client is in the catch-all.
func (s *state) catchesAll() bool {
	return s.standing.Clients != nil && s.standing.Clients.Spec.NodeSelector == render.EveryClient
}

// catchAllMissing is the catch-all to put back: the plan's where that is enough for
// every pair of nodes, else that of every client.
func (s *state) catchAllMissing(want *calico.BGPPeer) *calico.BGPPeer {
	if s.inTransition() {
		return render.ClientsOf(render.EveryClient, render.OptionsOf(want))
	}
	return want
}

// inTransition: some reflector is not yet, or not any more, what the plan says.
func (s *state) inTransition() bool {
	for _, want := range s.plan.Reflectors {
		node := s.nodes[want.Node]
		if node == nil || s.tier(want.Node) != want.Tier || !within(want.Serves, s.serves(want.Node)) {
			return true
		}
	}
	return len(s.plan.Leaving) > 0
}

// widen takes more clients into the catch-all, where the plan's takes in some that
// the standing one does not. It adds sessions and takes none.
func (s *state) widen() *verdict {
	standing := s.standing.Clients
	if standing == nil || len(s.plan.Reflectors) == 0 {
		return nil
	}
	wide := render.Widened(standing.Spec.NodeSelector, s.plan.Groups)
	if wide == standing.Spec.NodeSelector {
		return nil
	}
	widened := standing.DeepCopy()
	widened.Spec.NodeSelector = wide
	return s.add(&Step{
		Action: PatchPeer, Object: peerObject(widened.Name), Peer: widened, Repair: s.undone(peerObject(widened.Name)),
		Why: "clients that will be in no group any more are taken into the catch-all before they leave theirs", WaitsFor: "their sessions",
	})
}

// narrow leaves those clients out of the catch-all that are in groups, once the
// sessions of their groups are seen up.
func (s *state) narrow() *verdict {
	standing := s.standing.Clients
	if standing == nil || len(s.plan.Reflectors) == 0 {
		return nil
	}
	want := render.CatchAll(s.plan.Groups)
	if standing.Spec.NodeSelector == want {
		return nil
	}
	const before = "leaving the clients of groups out of the catch-all"
	if s.brake != "" {
		return s.braked(before)
	}
	if v := s.gate(before); v != nil {
		return v
	}
	narrowed := standing.DeepCopy()
	narrowed.Spec.NodeSelector = want
	return s.add(&Step{
		Action: PatchPeer, Object: peerObject(narrowed.Name), Peer: narrowed, Subtractive: true,
		Why: "the sessions of every group have been seen up: its clients need no others",
	})
}

// heedsSettled: the settled label takes sessions away from a client.
func (s *state) heedsSettled() bool {
	if s.standing.Clients == nil || len(s.servers(topology.GroupAll)) == 0 {
		return false
	}
	set, ours := render.ReadCatchAll(s.standing.Clients.Spec.NodeSelector)
	return !ours || set.HeedsSettled()
}
