package birdconf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/selector"
	"tapetum.dev/tapetum/internal/inventory"
)

// peering is what confd knows of a neighbor before it is made a protocol. Facts:
// updatePeersV1 in Calico's confd/pkg/backends/calico.
type peering struct {
	ip   netip.Addr
	port uint16
	as   uint32
	// clusterID of the neighbor as far as it is known: a neighbor named by its
	// address hides it.
	clusterID string
	// calicoNode: the neighbor is a node of the cluster, named by its address.
	calicoNode bool
	spec       *calico.BGPPeerSpec
}

// options are what makes two peerings of one neighbor differ.
func (p *peering) options() string {
	s := p.spec
	return fmt.Sprint(p.as, p.clusterID, sourceOf(s), s.MaxRestartTime, s.KeepaliveTime, passwordOf(s.Password), s.Filters)
}

type peeringKey struct {
	node string // "" is every node
	ip   netip.Addr
	port uint16
}

// solver derives the peerings of all nodes, as confd does on each.
type solver struct {
	in       *Input
	family   Family
	nodes    map[string]*inventory.Node
	peerings map[peeringKey]peering
	// pass is the number of the pass that emitted a key.
	pass      int
	passes    map[peeringKey]int
	conflicts map[string]bool
}

// Derive returns the protocols of one family by node, sorted by name, and the
// neighbors to whom two BGPPeers give different options. Which of the two wins is
// left to chance: confd takes them in the order of a Go map. order returns the one
// to take for a number of BGPPeers, for each pass anew; nil takes them as they are.
func Derive(in *Input, family Family, order func(int) []int) (map[string][]Protocol, []string) {
	s := solver{
		in: in, family: family, nodes: map[string]*inventory.Node{}, peerings: map[peeringKey]peering{},
		passes: map[peeringKey]int{}, conflicts: map[string]bool{},
	}
	for i := range in.Nodes {
		s.nodes[in.Nodes[i].Name] = &in.Nodes[i]
	}
	for pass, do := range []func(*calico.BGPPeerSpec){s.forwardGlobal, s.forwardNode, s.reverse} {
		s.pass = pass
		for _, i := range orderOf(order, len(in.Peers)) {
			do(&in.Peers[i].Spec)
		}
	}
	out := map[string][]Protocol{}
	for i := range in.Nodes {
		out[in.Nodes[i].Name] = s.protocols(&in.Nodes[i])
	}
	return out, slices.Sorted(maps.Keys(s.conflicts))
}

func orderOf(order func(int) []int, n int) []int {
	if order != nil {
		return order(n)
	}
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func (s *solver) forwardGlobal(spec *calico.BGPPeerSpec) {
	if spec.Node != "" || spec.NodeSelector != "" {
		return
	}
	for _, p := range s.remote(spec) {
		s.emit(peeringKey{ip: p.ip, port: p.port}, p)
	}
}

func (s *solver) forwardNode(spec *calico.BGPPeerSpec) {
	if spec.Node == "" && spec.NodeSelector == "" {
		return
	}
	for _, p := range s.remote(spec) {
		for _, local := range s.local(spec) {
			s.emit(peeringKey{node: local, ip: p.ip, port: p.port}, p)
		}
	}
}

// reverse makes the other side of a BGPPeer peer back.
func (s *solver) reverse(spec *calico.BGPPeerSpec) {
	if spec.ReversePeering == "Manual" {
		return
	}
	var remote []string
	if spec.PeerSelector != "" {
		remote = s.matching(spec.PeerSelector)
	} else if ip, err := calico.ParsePeerIP(spec.PeerIP); err == nil && s.family.Has(ip.Addr()) {
		remote = s.owners(ip.Addr(), spec.ASNumber, ip.Port())
	}
	for _, local := range s.local(spec) {
		for _, p := range s.asPeer(local, spec) {
			for _, name := range remote {
				s.emit(peeringKey{node: name, ip: p.ip, port: p.port}, p)
			}
		}
	}
}

// emit: the first peering for a key stands, and one of every node keeps those of
// single nodes away.
func (s *solver) emit(key peeringKey, p peering) {
	if there, ok := s.peerings[key]; ok {
		if s.passes[key] == s.pass && there.options() != p.options() {
			s.conflicts[fmt.Sprintf("%s -> %s", key.node, key.ip)] = true
		}
		return
	}
	if _, ok := s.peerings[peeringKey{ip: key.ip, port: key.port}]; ok {
		return
	}
	s.peerings[key], s.passes[key] = p, s.pass
}

func (s *solver) local(spec *calico.BGPPeerSpec) []string {
	switch {
	case spec.NodeSelector != "":
		return s.matching(spec.NodeSelector)
	case spec.Node != "":
		return []string{spec.Node}
	default:
		return s.matching("all()")
	}
}

func (s *solver) remote(spec *calico.BGPPeerSpec) []peering {
	var out []peering
	if spec.PeerSelector != "" {
		for _, name := range s.matching(spec.PeerSelector) {
			out = append(out, s.asPeer(name, spec)...)
		}
		return out
	}
	ip, err := calico.ParsePeerIP(spec.PeerIP)
	if err != nil || !s.family.Has(ip.Addr()) {
		return nil
	}
	port := ip.Port()
	if owners := s.owners(ip.Addr(), spec.ASNumber, port); port == 0 && len(owners) > 0 {
		port = calico.ListenPort(s.in.Configurations, owners[0])
	}
	known := slices.ContainsFunc(s.in.Nodes, func(n inventory.Node) bool { return s.family.Of(&n) == ip.Addr() })
	return []peering{{ip: ip.Addr(), port: port, as: spec.ASNumber, calicoNode: known, spec: spec}}
}

// asPeer is a node as a neighbor, with what is known of it.
func (s *solver) asPeer(name string, spec *calico.BGPPeerSpec) []peering {
	n := s.nodes[name]
	if n == nil || !s.family.Of(n).IsValid() {
		return nil
	}
	return []peering{{
		ip: s.family.Of(n), port: calico.ListenPort(s.in.Configurations, name), as: s.in.asNumber(n), clusterID: ClusterID(n), spec: spec,
	}}
}

// owners are the nodes that an address, AS and port mean.
func (s *solver) owners(ip netip.Addr, as uint32, port uint16) []string {
	if as == 0 {
		as = calico.GlobalAS(s.in.Configurations)
	}
	var out []string
	for i := range s.in.Nodes {
		n := &s.in.Nodes[i]
		listens := calico.ListenPort(s.in.Configurations, n.Name)
		if s.family.Of(n) == ip && s.in.asNumber(n) == as && (port == 0 || listens == 0 || listens == port) {
			out = append(out, n.Name)
		}
	}
	slices.Sort(out)
	return out
}

// matching returns the nodes that a selector matches; one that cannot be parsed
// matches none.
func (s *solver) matching(text string) []string {
	sel, err := selector.Parse(text)
	if err != nil {
		return nil
	}
	var out []string
	for i := range s.in.Nodes {
		if sel.Matches(s.in.Nodes[i].Labels) {
			out = append(out, s.in.Nodes[i].Name)
		}
	}
	slices.Sort(out)
	return out
}
