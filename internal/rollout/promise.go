package rollout

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/topology"
)

// topologyInForce is what the reflectors that stand make. On the way from one
// topology to another it is the old one as long as any of its tiers stands. At rest it
// is the plan's, unless a refused policy has stopped the way in the middle: the plan
// then keeps what stands, of whatever tiers, under one name.
func (s *state) topologyInForce(steady bool) v1alpha1.Topology {
	of := map[v1alpha1.Topology]bool{
		v1alpha1.TopologySingle:    s.standsTier(topology.TierCore),
		v1alpha1.TopologyMulti:     s.standsTier(topology.TierMulti),
		v1alpha1.TopologyQuorum:    s.standsTier(topology.TierQuorum),
		v1alpha1.TopologyHierarchy: s.standsTier(topology.TierRack),
	}
	last := s.in.Autoscaler.Status.Topology
	switch {
	case len(s.standing.Reflectors) == 0:
		return v1alpha1.TopologyMesh
	case steady && s.allOf(s.plan.Topology):
		return s.plan.Topology
	case of[last]:
		return last
	}
	for _, made := range []v1alpha1.Topology{v1alpha1.TopologyHierarchy, v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum} {
		if of[made] {
			return made
		}
	}
	return v1alpha1.TopologySingle
}

// allOf tells whether no reflector stands of a tier that the topology does not have.
func (s *state) allOf(made v1alpha1.Topology) bool {
	has := map[v1alpha1.Topology][]string{
		v1alpha1.TopologySingle:    {topology.TierCore},
		v1alpha1.TopologyMulti:     {topology.TierMulti},
		v1alpha1.TopologyQuorum:    {topology.TierQuorum},
		v1alpha1.TopologyHierarchy: {topology.TierCore, topology.TierRack},
	}[made]
	return !slices.ContainsFunc(s.standing.Reflectors, func(name string) bool { return !slices.Contains(has, s.tier(name)) })
}

// promise is what the network as it is configured now guarantees, by the oracle.
func (s *state) promise() *v1alpha1.Promise {
	if s.promised != nil {
		return s.promised
	}
	// Nodes that are gone for long take no part in it.
	visibility := s.network.Visibility(func(node string) bool { return s.seen.Down[node] })
	_, paths, _ := s.network.PathsPerRoute()
	survives, known := s.network.Survival(int(*s.spec.Limits.ReflectorFailures))
	s.untried = !known
	s.promised = &v1alpha1.Promise{
		Complete:     visibility.Complete,
		AnyReflector: visibility.Complete && survives,
		AnyZone: visibility.Complete && s.network.SurvivesZones(func(name string) string {
			if node := s.nodes[name]; node != nil {
				return node.Labels[s.spec.ZoneLabel]
			}
			return ""
		}),
		MaxSessions: int32(s.network.Degree()), MaxPaths: int32(paths),
	}
	return s.promised
}

// broken is what the network in force does not keep of what the policy asks for; nil: it
// keeps all. Of a policy that cannot be followed it keeps nothing.
func (s *state) broken() *trouble {
	promise, limits := s.promise(), s.spec.Limits
	failures := *limits.ReflectorFailures
	if problem := s.heldBy(); problem != nil {
		return &trouble{problem.Reason, problem.Message}
	}
	if !promise.Complete {
		return &trouble{ReasonIncomplete, s.missingRoutes()}
	}
	not := func(format string, args ...any) *trouble {
		return &trouble{ReasonPromiseBroken, "the topology in force does not keep what the policy asks for: " + fmt.Sprintf(format, args...)}
	}
	paths := limits.PathsPerRoute
	if s.meshOn {
		paths++ // it gives each route one more
	}
	switch {
	case !promise.AnyReflector && !s.untried:
		return not("the loss of %s would cost routes (limits.reflectorFailures)", plural(int(failures), "route reflector"))
	case !promise.AnyZone && failures > 0 && s.plan.Zones > 1:
		return not("the loss of one zone would cost routes between others, though there are nodes in %d zones that can be route reflectors", s.plan.Zones)
	case len(s.standing.Reflectors) == 0:
		return nil // the limits are those of reflectors
	case promise.MaxSessions > limits.SessionsPerReflector:
		return not("a route reflector has %d sessions of an address family, limits.sessionsPerReflector allows %d", promise.MaxSessions, limits.SessionsPerReflector)
	case promise.MaxPaths > paths:
		return not("a client holds %d paths for a route, limits.pathsPerRoute allows %d", promise.MaxPaths, paths)
	}
	return nil
}

// foreignPeers are BGPPeers of others that cover the same pairs as ours, sorted.
// They are reported and never touched.
func (s *state) foreignPeers() []string {
	if len(s.standing.Reflectors) == 0 {
		return nil
	}
	var out []string
	for i := range s.in.Peers {
		peer := &s.in.Peers[i]
		if !calico.ManagedByUs(peer) && s.overlaps(peer) {
			out = append(out, peer.Name)
		}
	}
	slices.Sort(out)
	return out
}

// overlaps: without the foreign peer some reflector would have the very same
// neighbors, or fewer sessions of ours: so both speak of the same pair.
func (s *state) overlaps(peer *calico.BGPPeer) bool {
	alone := s.networkOf([]calico.BGPPeer{*peer})
	for _, reflector := range s.standing.Reflectors {
		ours := map[netip.Addr]bool{}
		for _, session := range s.expected[reflector] {
			ours[session.RemoteIP] = true
		}
		if slices.ContainsFunc(alone.SessionsOf(reflector), func(session bgp.Session) bool { return ours[session.RemoteIP] }) {
			return true
		}
	}
	return false
}

// networkOf is the network that some of the BGPPeers make alone, without the mesh.
func (s *state) networkOf(peers []calico.BGPPeer) *bgp.Network {
	off := false
	return bgp.Build(bgp.Input{
		Nodes: s.in.Nodes, Peers: peers, Configurations: withMesh(s.in.Configurations, &MeshFields{Enabled: &off}),
	})
}

// differentAS are nodes whose sessions are external BGP, sorted.
func (s *state) differentAS() []string {
	var out []string
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		if node.HasBGP() && cmp.Or(node.ASNumber, s.clusterAS) != s.clusterAS {
			out = append(out, node.Name)
		}
	}
	return out
}
