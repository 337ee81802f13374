package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/selector"
	"tapetum.dev/tapetum/internal/inventory"
)

// protocol is one BGP protocol of a node's BIRD configuration, before it becomes
// text. Facts: updatePeersV1 and buildPeerFromData in Calico's
// confd/pkg/backends/calico.
type protocol struct {
	name      string
	ip        netip.Addr
	port      uint16
	as        uint32
	clusterID string // rr client with this cluster ID; "" is no client
	passive   bool
	source    bool
	restart   string
	password  string
	filters   string // names, separated by commas
}

// peering is what confd knows of a neighbor before it is made a protocol.
type peering struct {
	ip         netip.Addr
	port       uint16
	as         uint32
	clusterID  string
	calicoNode bool
	spec       *calico.BGPPeerSpec
}

// options are what makes two peerings of one neighbor differ.
func (p *peering) options() string {
	return fmt.Sprint(p.as, p.clusterID, sourceOf(p.spec), restartOf(p.spec.MaxRestartTime), passwordOf(p.spec.Password), p.spec.Filters)
}

type peeringKey struct {
	node string // "" is every node
	ip   netip.Addr
	port uint16
}

// confd derives the protocols of all nodes.
type confd struct {
	in       bgp.Input
	nodes    map[string]*inventory.Node
	peerings map[peeringKey]peering
	// pass is the number of the pass that emitted a key.
	pass      int
	passes    map[peeringKey]int
	conflicts map[string]bool
}

// derive returns the protocols by node, sorted by name, and the neighbors to
// whom two BGPPeers give different options: confd takes them in the order of a Go
// map, so the outcome is left to chance.
func derive(in bgp.Input) (map[string][]protocol, []string) {
	c := confd{
		in: in, nodes: map[string]*inventory.Node{}, peerings: map[peeringKey]peering{},
		passes: map[peeringKey]int{}, conflicts: map[string]bool{},
	}
	for i := range in.Nodes {
		c.nodes[in.Nodes[i].Name] = &in.Nodes[i]
	}
	for pass, do := range []func(*calico.BGPPeerSpec){c.forwardGlobal, c.forwardNode, c.reverse} {
		c.pass = pass
		for i := range in.Peers {
			do(&in.Peers[i].Spec)
		}
	}
	out := map[string][]protocol{}
	for i := range in.Nodes {
		out[in.Nodes[i].Name] = c.protocols(&in.Nodes[i])
	}
	return out, slices.Sorted(maps.Keys(c.conflicts))
}

func (c *confd) forwardGlobal(s *calico.BGPPeerSpec) {
	if s.Node != "" || s.NodeSelector != "" {
		return
	}
	for _, p := range c.remote(s) {
		c.emit(peeringKey{ip: p.ip, port: p.port}, p)
	}
}

func (c *confd) forwardNode(s *calico.BGPPeerSpec) {
	if s.Node == "" && s.NodeSelector == "" {
		return
	}
	for _, p := range c.remote(s) {
		for _, local := range c.local(s) {
			c.emit(peeringKey{node: local, ip: p.ip, port: p.port}, p)
		}
	}
}

// reverse makes the other side of a BGPPeer peer back.
func (c *confd) reverse(s *calico.BGPPeerSpec) {
	if s.ReversePeering == "Manual" {
		return
	}
	var remote []string
	if s.PeerSelector != "" {
		remote = c.matching(s.PeerSelector)
	} else if ip, err := calico.ParsePeerIP(s.PeerIP); err == nil {
		remote = c.owners(ip.Addr(), s.ASNumber, ip.Port())
	}
	for _, local := range c.local(s) {
		for _, p := range c.asPeer(local, s) {
			for _, name := range remote {
				c.emit(peeringKey{node: name, ip: p.ip, port: p.port}, p)
			}
		}
	}
}

// emit: the first peering for a key stands, and one of every node keeps those of
// single nodes away.
func (c *confd) emit(key peeringKey, p peering) {
	if there, ok := c.peerings[key]; ok {
		if c.passes[key] == c.pass && there.options() != p.options() {
			c.conflicts[fmt.Sprintf("%s -> %s", key.node, key.ip)] = true
		}
		return
	}
	if _, ok := c.peerings[peeringKey{ip: key.ip, port: key.port}]; ok {
		return
	}
	c.peerings[key], c.passes[key] = p, c.pass
}

func (c *confd) local(s *calico.BGPPeerSpec) []string {
	switch {
	case s.NodeSelector != "":
		return c.matching(s.NodeSelector)
	case s.Node != "":
		return []string{s.Node}
	default:
		return c.matching("all()")
	}
}

func (c *confd) remote(s *calico.BGPPeerSpec) []peering {
	var out []peering
	if s.PeerSelector != "" {
		for _, name := range c.matching(s.PeerSelector) {
			out = append(out, c.asPeer(name, s)...)
		}
		return out
	}
	ip, err := calico.ParsePeerIP(s.PeerIP)
	if err != nil {
		return nil
	}
	port := ip.Port()
	if owners := c.owners(ip.Addr(), s.ASNumber, port); port == 0 && len(owners) > 0 {
		port = calico.ListenPort(c.in.Configurations, owners[0])
	}
	known := slices.ContainsFunc(c.in.Nodes, func(n inventory.Node) bool { return n.IPv4 == ip.Addr() })
	return []peering{{ip: ip.Addr(), port: port, as: s.ASNumber, calicoNode: known, spec: s}}
}

// asPeer is a node as a neighbor, with what is known of it.
func (c *confd) asPeer(name string, s *calico.BGPPeerSpec) []peering {
	n := c.nodes[name]
	if n == nil || !n.IPv4.IsValid() {
		return nil
	}
	return []peering{{
		ip: n.IPv4, port: calico.ListenPort(c.in.Configurations, name), as: c.as(n), clusterID: clusterID(n), spec: s,
	}}
}

// owners are the nodes that an address, AS and port mean.
func (c *confd) owners(ip netip.Addr, as uint32, port uint16) []string {
	if as == 0 {
		as = calico.GlobalAS(c.in.Configurations)
	}
	var out []string
	for i := range c.in.Nodes {
		n := &c.in.Nodes[i]
		listens := calico.ListenPort(c.in.Configurations, n.Name)
		if n.IPv4 == ip && c.as(n) == as && (port == 0 || listens == 0 || listens == port) {
			out = append(out, n.Name)
		}
	}
	slices.Sort(out)
	return out
}

func (c *confd) matching(text string) []string {
	s, err := selector.Parse(text)
	if err != nil {
		return nil
	}
	var out []string
	for i := range c.in.Nodes {
		if s.Matches(c.in.Nodes[i].Labels) {
			out = append(out, c.in.Nodes[i].Name)
		}
	}
	slices.Sort(out)
	return out
}

func (c *confd) as(n *inventory.Node) uint32 {
	if n.ASNumber != 0 {
		return n.ASNumber
	}
	return calico.GlobalAS(c.in.Configurations)
}

// protocols are those of one node: the mesh's, those of every node, its own.
func (c *confd) protocols(n *inventory.Node) []protocol {
	if !n.IPv4.IsValid() {
		return nil
	}
	out := c.mesh(n)
	for key, p := range c.peerings {
		switch {
		case p.ip == n.IPv4:
		case key.node == "":
			out = append(out, c.protocol("Global", n, &p))
		case key.node == n.Name:
			out = append(out, c.protocol("Node", n, &p))
		}
	}
	slices.SortFunc(out, func(a, b protocol) int { return cmp.Compare(a.name, b.name) })
	return out
}

func (c *confd) mesh(n *inventory.Node) []protocol {
	if clusterID(n) != "" || !calico.MeshEnabled(c.in.Configurations) {
		return nil
	}
	var out []protocol
	for i := range c.in.Nodes {
		other := &c.in.Nodes[i]
		if other.Name == n.Name || !other.IPv4.IsValid() || clusterID(other) != "" {
			continue
		}
		as := other.ASNumber
		if as == 0 {
			as = c.as(n)
		}
		p := protocol{
			name: "Mesh_" + underscores(other.IPv4), ip: other.IPv4, port: calico.ListenPort(c.in.Configurations, other.Name),
			as: as, source: true, passive: other.IPv4.String() > n.IPv4.String(),
		}
		if d := calico.Default(c.in.Configurations); d != nil {
			p.restart, p.password = restartOf(d.Spec.NodeMeshMaxRestartTime), passwordOf(d.Spec.NodeMeshPassword)
		}
		out = append(out, p)
	}
	return out
}

func (c *confd) protocol(kind string, n *inventory.Node, p *peering) protocol {
	out := protocol{
		name: kind + "_" + underscores(p.ip), ip: p.ip, port: p.port, as: p.as, source: sourceOf(p.spec) == "UseNodeIP",
		restart: restartOf(p.spec.MaxRestartTime), password: passwordOf(p.spec.Password), filters: strings.Join(p.spec.Filters, ","),
	}
	if p.port > 0 {
		out.name += fmt.Sprintf("_port_%d", p.port)
	}
	if id := clusterID(n); id != "" && p.as == c.as(n) && p.clusterID != id {
		out.clusterID = id
	}
	out.passive = kind == "Global" && p.calicoNode && p.ip.String() > n.IPv4.String()
	return out
}

// clusterID is what confd renders: Calico lets networks pass as well as addresses.
func clusterID(n *inventory.Node) string {
	if _, valid, err := calico.ParseClusterID(n.ClusterID); valid || errors.Is(err, calico.ErrClusterIDNetwork) {
		return n.ClusterID
	}
	return ""
}

func underscores(ip netip.Addr) string { return strings.ReplaceAll(ip.String(), ".", "_") }
