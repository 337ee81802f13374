package render

import (
	"net/netip"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// Standing is what of ours stands in a cluster.
type Standing struct {
	// Reflectors are the nodes that have our role, or a remainder of it that
	// somebody has left over, the most senior first: as the pins tell, else by age.
	Reflectors []string
	// Clients is the BGPPeer between the clients of the catch-all and the reflectors
	// that serve them; nil: none.
	Clients *calico.BGPPeer
	// Groups are the BGPPeers of groups of clients, sorted by name.
	Groups []*calico.BGPPeer
	// Mesh is the BGPPeer among reflectors that are not pinned; Racks the one
	// between the reflectors of racks and the core; nil: none.
	Mesh, Racks *calico.BGPPeer
	// Pins between two nodes that are there, sorted by name.
	Pins []Pinned
	// Renewed are the twins of BGPPeers by selector that give renewed reflectors other
	// options, sorted by name; Excluded names those that leave renewed reflectors
	// to their twins. Clients, Groups, Mesh and Racks are given without that part.
	Renewed  []*calico.BGPPeer
	Excluded map[string]bool
	// Stray are BGPPeers of ours that fit nothing (a node is gone, a field was
	// edited), sorted by name.
	Stray []*calico.BGPPeer
}

// Pinned is a pin read back.
type Pinned struct {
	Senior, Junior string
	Address        netip.Addr
	Peer           *calico.BGPPeer
}

// Read finds what stands. Nodes that only somebody else has made a route
// reflector are not ours and not in it.
func Read(nodes []inventory.Node, peers []calico.BGPPeer, statuses []calico.CalicoNodeStatus) Standing {
	var out Standing
	byName, byAddress := map[string]*inventory.Node{}, map[netip.Addr][]string{}
	for i := range nodes {
		node := &nodes[i]
		byName[node.Name] = node
		byAddress[node.IPv4] = append(byAddress[node.IPv4], node.Name)
		byAddress[node.IPv6] = append(byAddress[node.IPv6], node.Name)
	}
	delete(byAddress, netip.Addr{})

	sorted := slices.Clone(peers)
	slices.SortFunc(sorted, func(a, b calico.BGPPeer) int { return strings.Compare(a.Name, b.Name) })
	for i := range sorted {
		peer := &sorted[i]
		if !calico.ManagedByUs(peer) {
			continue
		}
		if out.readNamed(peer) {
			continue
		}
		pin, ok := readPin(peer, byName, byAddress)
		if !ok {
			out.Stray = append(out.Stray, peer)
			continue
		}
		out.Pins = append(out.Pins, pin)
	}
	out.Reflectors = reflectors(nodes, out.Pins, statuses)
	return out
}

// readNamed takes a BGPPeer whose name says what it is.
func (s *Standing) readNamed(peer *calico.BGPPeer) bool {
	if strings.HasPrefix(peer.Name, renewedPrefix) {
		s.Renewed = append(s.Renewed, peer)
		return true
	}
	if plain := withoutExclusion(peer); plain != nil {
		peer = plain
		if s.Excluded == nil {
			s.Excluded = map[string]bool{}
		}
		s.Excluded[peer.Name] = true
	}
	switch {
	case peer.Name == ClientsName:
		s.Clients = peer
	case peer.Name == ReflectorsName:
		s.Mesh = peer
	case peer.Name == RacksName:
		s.Racks = peer
	case strings.HasPrefix(peer.Name, GroupPrefix):
		s.Groups = append(s.Groups, peer)
	default:
		return false
	}
	return true
}

// Group is the standing BGPPeer of that name; nil: none.
func (s *Standing) Group(name string) *calico.BGPPeer {
	i, found := slices.BinarySearchFunc(s.Groups, name, func(peer *calico.BGPPeer, name string) int {
		return strings.Compare(peer.Name, name)
	})
	if !found {
		return nil
	}
	return s.Groups[i]
}

// All are the standing BGPPeers of ours.
func (s *Standing) All() []*calico.BGPPeer {
	var out []*calico.BGPPeer
	for _, peer := range []*calico.BGPPeer{s.Clients, s.Mesh, s.Racks} {
		if peer != nil {
			out = append(out, peer)
		}
	}
	out = append(out, s.Groups...)
	out = append(out, s.Renewed...)
	for _, pin := range s.Pins {
		out = append(out, pin.Peer)
	}
	return append(out, s.Stray...)
}

func readPin(peer *calico.BGPPeer, byName map[string]*inventory.Node, byAddress map[netip.Addr][]string) (Pinned, bool) {
	address, err := netip.ParseAddr(peer.Spec.PeerIP)
	if err != nil || byName[peer.Spec.Node] == nil {
		return Pinned{}, false
	}
	// A node that came back under another name shares its address with what is
	// left of the old one: the pin's name tells which of the two is meant.
	for _, junior := range byAddress[address] {
		if junior != peer.Spec.Node && peer.Name == pinName(peer.Spec.Node, junior, address) {
			return Pinned{Senior: peer.Spec.Node, Junior: junior, Address: address, Peer: peer}, true
		}
	}
	return Pinned{}, false
}
