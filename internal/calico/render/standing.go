package render

import (
	"net/netip"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// Standing is what of ours stands in a cluster.
type Standing struct {
	// Reflectors are the nodes that have our role, or a remainder of it that
	// somebody has left over, the most senior first.
	Reflectors []string
	// Clients is the BGPPeer between clients and reflectors; nil: none.
	Clients *calico.BGPPeer
	// Pins between two nodes that are there, sorted by name.
	Pins []Pinned
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
		if peer.Name == ClientsName {
			out.Clients = peer
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

// reflectors finds the nodes with our role. One of whose two halves, label and
// annotation, somebody has removed still counts when a pin or a status of ours
// speaks of it.
func reflectors(nodes []inventory.Node, pins []Pinned, statuses []calico.CalicoNodeStatus) []string {
	spokenOf := map[string]bool{}
	for _, pin := range pins {
		spokenOf[pin.Senior], spokenOf[pin.Junior] = true, true
	}
	for i := range statuses {
		if calico.ManagedByUs(&statuses[i]) {
			spokenOf[statuses[i].Spec.Node] = true
		}
	}
	var names []string
	for i := range nodes {
		node := &nodes[i]
		_, labeled := node.Labels[v1alpha1.ReflectorLabel]
		if labeled || (node.ClusterID != "" && spokenOf[node.Name]) {
			names = append(names, node.Name)
		}
	}
	slices.Sort(names)
	return bySeniority(names, pins)
}

// bySeniority sorts nodes so that the senior of every pin comes before its
// junior; nodes that no pin orders stay in the order of their names.
func bySeniority(names []string, pins []Pinned) []string {
	seniors := map[string]map[string]bool{}
	for _, pin := range pins {
		if slices.Contains(names, pin.Senior) && slices.Contains(names, pin.Junior) {
			if seniors[pin.Junior] == nil {
				seniors[pin.Junior] = map[string]bool{}
			}
			seniors[pin.Junior][pin.Senior] = true
		}
	}
	var out []string
	left := slices.Clone(names)
	for len(left) > 0 {
		// The one with the fewest seniors left; 0 but where pins form a circle.
		next := 0
		for i, name := range left {
			if len(seniors[name]) < len(seniors[left[next]]) {
				next = i
			}
		}
		name := left[next]
		left = slices.Delete(left, next, next+1)
		for _, other := range left {
			delete(seniors[other], name)
		}
		out = append(out, name)
	}
	return out
}
