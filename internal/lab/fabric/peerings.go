package fabric

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/selector"
)

// peering is one neighbor that confd has worked out for a node, or for every
// node when global.
type peering struct {
	addr netip.Addr
	port uint16
	as   uint32
	// clusterID of the neighbor as far as it is known: a neighbor named by its
	// address hides it.
	clusterID string
	// calicoNode: the neighbor is a node of the cluster.
	calicoNode bool
	spec       *calico.BGPPeerSpec
}

type peeringKey struct {
	node string // "" for global
	addr netip.Addr
	port uint16
}

// solver works out the peerings of all nodes, as confd does on every node.
type solver struct {
	hosts  []host
	byName map[string]*host
	byAddr map[netip.Addr][]*host
	peers  []calico.BGPPeer
	local  [][]*host // nodes on the local side of each BGPPeer
	remote [][]*host // nodes on the remote side; nil for a peerIP
	out    map[peeringKey]peering
}

// solve returns the peerings by node, sorted, with the global ones under "".
// BGPPeers that cover the same pair race: confd visits them in the order of a
// Go map, so the order is drawn anew for each pass.
func solve(hosts []host, peers []calico.BGPPeer, clusterAS uint32, r *rand.Rand) map[string][]peering {
	s := &solver{hosts: hosts, peers: peers, byName: map[string]*host{}, byAddr: map[netip.Addr][]*host{}, out: map[peeringKey]peering{}}
	for i := range hosts {
		h := &hosts[i]
		s.byName[h.name] = h
		for _, a := range h.addr {
			if a.IsValid() {
				s.byAddr[a] = append(s.byAddr[a], h)
			}
		}
	}
	for i := range peers {
		s.local = append(s.local, s.localSide(&peers[i].Spec))
		s.remote = append(s.remote, s.matching(peers[i].Spec.PeerSelector))
	}
	for _, global := range []bool{true, false} {
		for _, i := range r.Perm(len(peers)) {
			if isGlobal(&peers[i].Spec) == global {
				s.forward(i, clusterAS)
			}
		}
	}
	for _, i := range r.Perm(len(peers)) {
		s.reverse(i, clusterAS)
	}
	return s.sorted()
}

func isGlobal(p *calico.BGPPeerSpec) bool { return p.Node == "" && p.NodeSelector == "" }

func (s *solver) localSide(p *calico.BGPPeerSpec) []*host {
	switch {
	case p.NodeSelector != "":
		return s.matching(p.NodeSelector)
	case p.Node != "":
		if h := s.byName[p.Node]; h != nil {
			return []*host{h}
		}
		return nil
	}
	all := make([]*host, len(s.hosts))
	for i := range s.hosts {
		all[i] = &s.hosts[i]
	}
	return all
}

// matching returns the nodes a selector matches; one that cannot be parsed
// matches none.
func (s *solver) matching(text string) []*host {
	if text == "" {
		return nil
	}
	sel, err := selector.Parse(text)
	if err != nil {
		return nil
	}
	var out []*host
	for i := range s.hosts {
		if sel.Matches(s.hosts[i].labels) {
			out = append(out, &s.hosts[i])
		}
	}
	return out
}

// emit: the first to write a key wins, and a global peering silences a node's
// own to the same address and port.
func (s *solver) emit(node string, p peering) {
	key := peeringKey{node, p.addr, p.port}
	if _, taken := s.out[key]; taken {
		return
	}
	if _, taken := s.out[peeringKey{"", p.addr, p.port}]; taken {
		return
	}
	s.out[key] = p
}

func (s *solver) forward(i int, clusterAS uint32) {
	spec := &s.peers[i].Spec
	if spec.LocalWorkloadSelector != "" {
		return
	}
	var found []peering
	if spec.PeerSelector != "" {
		for _, h := range s.remote[i] {
			found = append(found, asPeerings(h, spec)...)
		}
	} else if p, ok := s.byAddress(spec, clusterAS); ok {
		found = append(found, p)
	}
	for _, p := range found {
		if isGlobal(spec) {
			s.emit("", p)
			continue
		}
		for _, h := range s.local[i] {
			s.emit(h.name, p)
		}
	}
}

func (s *solver) reverse(i int, clusterAS uint32) {
	spec := &s.peers[i].Spec
	if spec.ReversePeering == "Manual" || spec.LocalWorkloadSelector != "" {
		return
	}
	remote, family := s.remote[i], -1
	if spec.PeerSelector == "" {
		addr, port, ok := parsePeerIP(spec.PeerIP)
		if !ok {
			return
		}
		remote, family = s.withAddress(addr, port, spec.ASNumber, clusterAS), familyOf(addr)
	}
	for _, h := range s.local[i] {
		for _, p := range asPeerings(h, spec) {
			if family >= 0 && familyOf(p.addr) != family {
				continue
			}
			for _, r := range remote {
				s.emit(r.name, p)
			}
		}
	}
}

// byAddress is the peering that a peerIP asks for. Where it is a node's address
// and no port is given, the node's listening port is used.
func (s *solver) byAddress(spec *calico.BGPPeerSpec, clusterAS uint32) (peering, bool) {
	addr, port, ok := parsePeerIP(spec.PeerIP)
	if !ok {
		return peering{}, false
	}
	nodes := s.withAddress(addr, port, spec.ASNumber, clusterAS)
	if len(nodes) > 0 && port == 0 {
		port = nodes[0].port
	}
	return peering{addr: addr, port: port, as: spec.ASNumber, calicoNode: len(nodes) > 0, spec: spec}, true
}

func (s *solver) withAddress(addr netip.Addr, port uint16, as, clusterAS uint32) []*host {
	if as == 0 {
		as = clusterAS
	}
	var out []*host
	for _, h := range s.byAddr[addr] {
		if h.as == as && (port == 0 || port == h.port) {
			out = append(out, h)
		}
	}
	return out
}

func asPeerings(h *host, spec *calico.BGPPeerSpec) []peering {
	var out []peering
	for _, a := range h.addr {
		if a.IsValid() {
			out = append(out, peering{addr: a, port: h.port, as: h.as, clusterID: h.clusterID, calicoNode: true, spec: spec})
		}
	}
	return out
}

// parsePeerIP reads "address", "address:port" or "[address]:port"; port 0 where
// none is given.
func parsePeerIP(s string) (netip.Addr, uint16, bool) {
	if a, err := netip.ParseAddr(strings.TrimSpace(s)); err == nil {
		return a, 0, true
	}
	ap, err := netip.ParseAddrPort(s)
	return ap.Addr(), ap.Port(), err == nil
}

func (s *solver) sorted() map[string][]peering {
	out := map[string][]peering{}
	for k, p := range s.out {
		out[k.node] = append(out[k.node], p)
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b peering) int {
			if c := a.addr.Compare(b.addr); c != 0 {
				return c
			}
			return int(a.port) - int(b.port)
		})
	}
	return out
}
