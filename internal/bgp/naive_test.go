package bgp

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/selector"
)

// This file is a second, slow model, node by node and with strings, to check the
// first one with. It shares no code with it but the types.

type naiveProtocol struct {
	kind     string
	node     string
	neighbor netip.Addr
	port     uint16
	peerAS   uint32
	localAS  uint32
	client   bool
	cluster  string
	options  string
	filters  []string
	allow    int
	passive  bool
	// alternatives are what other BGPPeers of the same pass would have made.
	alternatives int
}

func (p *naiveProtocol) name() string {
	name := p.kind + "_" + strings.NewReplacer(".", "_", ":", "_").Replace(p.neighbor.String())
	if p.kind != "Mesh" && p.port != 0 {
		name += fmt.Sprintf("_port_%d", p.port)
	}
	return name
}

// definition is everything that restarts the session, as a string.
func (p *naiveProtocol) definition() string {
	return fmt.Sprint(p.kind, p.neighbor, p.port, p.peerAS, p.localAS, p.client, p.cluster, p.options, p.passive, p.allow)
}

func (p *naiveProtocol) rendered(s *naive) string {
	f := naiveFamily(p.neighbor)
	return p.definition() + fmt.Sprint(s.rules(p.filters, f, false), s.rules(p.filters, f, true), p.allow)
}

type naiveNode struct {
	name    string
	addr    [2]netip.Addr
	as      uint32
	own     bool
	port    uint16
	cluster string
	labels  map[string]string
	blocks  []netip.Prefix
}

type naive struct {
	in         Input
	nodes      map[string]*naiveNode
	names      []string
	mesh       bool
	meshOpts   string
	globalAS   uint32
	globalPort uint16
	filters    map[string]*calico.BGPFilter
	peers      []calico.BGPPeer
	protocols  map[string][]*naiveProtocol // by node
}

func newNaive(in Input) *naive {
	s := &naive{in: in, nodes: map[string]*naiveNode{}, mesh: true, globalAS: 64512, meshOpts: "x x",
		filters: map[string]*calico.BGPFilter{}, protocols: map[string][]*naiveProtocol{}}
	ports := map[string]uint16{}
	for _, c := range in.Configurations {
		if c.Name != "default" {
			ports[strings.TrimPrefix(c.Name, "node.")] = c.Spec.ListenPort
			continue
		}
		if c.Spec.NodeToNodeMeshEnabled != nil {
			s.mesh = *c.Spec.NodeToNodeMeshEnabled
		}
		s.globalPort = c.Spec.ListenPort
		s.meshOpts = naiveOptions(calico.BGPPeerSpec{MaxRestartTime: c.Spec.NodeMeshMaxRestartTime, Password: c.Spec.NodeMeshPassword})
	}
	for _, n := range in.Nodes {
		x := &naiveNode{name: n.Name, addr: [2]netip.Addr{n.IPv4, n.IPv6}, as: n.ASNumber, own: n.ASNumber != 0,
			port: s.globalPort, labels: n.Labels, blocks: in.Blocks[n.Name]}
		if !x.own {
			x.as = s.globalAS
		}
		if p := ports[n.Name]; p != 0 {
			x.port = p
		}
		if a, err := netip.ParseAddr(n.ClusterID); err == nil && a.Is4() {
			x.cluster = n.ClusterID
		}
		s.nodes[n.Name] = x
		s.names = append(s.names, n.Name)
	}
	slices.Sort(s.names)
	for i := range in.Filters {
		s.filters[in.Filters[i].Name] = &in.Filters[i]
	}
	s.peers = slices.Clone(in.Peers)
	slices.SortFunc(s.peers, func(a, b calico.BGPPeer) int { return strings.Compare(a.Name, b.Name) })
	for _, n := range s.names {
		s.protocols[n] = s.protocolsOf(s.nodes[n])
	}
	return s
}

func naiveOptions(p calico.BGPPeerSpec) string {
	out := "x"
	if p.MaxRestartTime != nil {
		out = fmt.Sprint(math.Round(p.MaxRestartTime.Seconds()))
	}
	if p.Password != nil {
		return out + " " + p.Password.SecretKeyRef.Name
	}
	return out + " x"
}

func (s *naive) matching(text string) []*naiveNode {
	sel, err := selector.Parse(text)
	if err != nil {
		return nil
	}
	var out []*naiveNode
	for _, n := range s.names {
		if sel.Matches(s.nodes[n].labels) {
			out = append(out, s.nodes[n])
		}
	}
	return out
}

func (s *naive) all() []*naiveNode { return s.matching("all()") }

func naiveFamily(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// naivePeering is a peering as confd keeps it: a key and what it says.
type naivePeering struct {
	ip      netip.Addr
	port    uint16
	as      uint32
	cluster string
	byIP    bool
	of      *calico.BGPPeer
}

func (s *naive) locals(p *calico.BGPPeer) []*naiveNode {
	switch {
	case p.Spec.NodeSelector != "":
		return s.matching(p.Spec.NodeSelector)
	case p.Spec.Node != "":
		if n := s.nodes[p.Spec.Node]; n != nil {
			return []*naiveNode{n}
		}
		return nil
	}
	return s.all()
}

func naiveHostPort(s string) (netip.Addr, uint16) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr(), ap.Port()
	}
	a, _ := netip.ParseAddr(s)
	return a, 0
}

// withAddress are the nodes that confd finds for a peerIP.
func (s *naive) withAddress(p *calico.BGPPeer) []*naiveNode {
	ip, port := naiveHostPort(p.Spec.PeerIP)
	as := p.Spec.ASNumber
	if as == 0 {
		as = s.globalAS
	}
	var out []*naiveNode
	for _, n := range s.all() {
		if (n.addr[0] == ip || n.addr[1] == ip) && n.as == as {
			if port != 0 && n.port != 0 && n.port != port || port != 0 && s.globalPort != 0 && s.globalPort != port {
				continue
			}
			out = append(out, n)
		}
	}
	return out
}

func (s *naive) asPeerings(n *naiveNode, p *calico.BGPPeer, families ...int) []naivePeering {
	var out []naivePeering
	for _, f := range families {
		if n.addr[f].IsValid() {
			out = append(out, naivePeering{ip: n.addr[f], port: n.port, as: n.as, cluster: n.cluster, of: p})
		}
	}
	return out
}

func (s *naive) forward(p *calico.BGPPeer) []naivePeering {
	var out []naivePeering
	if p.Spec.PeerSelector != "" {
		for _, n := range s.matching(p.Spec.PeerSelector) {
			out = append(out, s.asPeerings(n, p, 0, 1)...)
		}
		return out
	}
	ip, port := naiveHostPort(p.Spec.PeerIP)
	if port == 0 {
		if found := s.withAddress(p); len(found) > 0 {
			port = found[0].port
		}
	}
	return []naivePeering{{ip: ip, port: port, as: p.Spec.ASNumber, byIP: true, of: p}}
}

func (s *naive) reverse(p *calico.BGPPeer, me *naiveNode) []naivePeering {
	remotes, families := s.matching(p.Spec.PeerSelector), []int{0, 1}
	if p.Spec.PeerSelector == "" {
		remotes = s.withAddress(p)
		ip, _ := naiveHostPort(p.Spec.PeerIP)
		families = []int{naiveFamily(ip)}
	}
	var out []naivePeering
	if slices.Contains(remotes, me) {
		for _, n := range s.locals(p) {
			out = append(out, s.asPeerings(n, p, families...)...)
		}
	}
	return out
}

type naiveKey struct {
	ip   netip.Addr
	port uint16
}

// protocolsOf goes through confd's passes for one node.
func (s *naive) protocolsOf(me *naiveNode) []*naiveProtocol {
	var out []*naiveProtocol
	globals, nodes := map[naiveKey][]naivePeering{}, map[naiveKey][]naivePeering{}
	pass := func(to map[naiveKey][]naivePeering, found []naivePeering) {
		fresh := map[naiveKey][]naivePeering{}
		for _, x := range found {
			k := naiveKey{x.ip, x.port}
			if _, ok := globals[k]; ok && len(fresh[k]) == 0 {
				continue
			}
			fresh[k] = append(fresh[k], x)
		}
		for k, list := range fresh {
			if _, ok := to[k]; !ok {
				to[k] = list
			}
		}
	}
	var g, n, r []naivePeering
	for i := range s.peers {
		p := &s.peers[i]
		switch {
		case p.Spec.NodeSelector == "" && p.Spec.Node == "":
			g = append(g, s.forward(p)...)
		case slices.Contains(s.locals(p), me):
			n = append(n, s.forward(p)...)
		}
		if p.Spec.ReversePeering != "Manual" {
			r = append(r, s.reverse(p, me)...)
		}
	}
	pass(globals, g)
	pass(nodes, n)
	pass(nodes, r)
	for _, list := range globals {
		out = append(out, s.protocol("Global", me, list))
	}
	for _, list := range nodes {
		out = append(out, s.protocol("Node", me, list))
	}
	out = append(out, s.meshOf(me)...)
	return slices.DeleteFunc(out, func(p *naiveProtocol) bool {
		f := naiveFamily(p.neighbor)
		return p.neighbor == me.addr[f] || !me.addr[f].IsValid()
	})
}

func (s *naive) meshOf(me *naiveNode) []*naiveProtocol {
	if !s.mesh || me.cluster != "" {
		return nil
	}
	var out []*naiveProtocol
	for _, o := range s.all() {
		for f := range 2 {
			if o.cluster != "" || !o.addr[f].IsValid() {
				continue
			}
			as := o.as
			if !o.own {
				as = me.as
			}
			out = append(out, &naiveProtocol{kind: "Mesh", node: me.name, neighbor: o.addr[f], port: o.port,
				peerAS: as, localAS: me.as, options: s.meshOpts, alternatives: 1})
		}
	}
	return out
}

func (s *naive) protocol(kind string, me *naiveNode, list []naivePeering) *naiveProtocol {
	var first *naiveProtocol
	different := map[string]bool{}
	for _, x := range list {
		p := &naiveProtocol{kind: kind, node: me.name, neighbor: x.ip, port: x.port, peerAS: x.as, localAS: me.as,
			options: naiveOptions(x.of.Spec), filters: x.of.Spec.Filters}
		p.passive = kind == "Global" && x.byIP && s.isNode(x.ip) && x.ip.String() > me.addr[naiveFamily(x.ip)].String()
		if x.of.Spec.LocalASNumber != nil {
			p.localAS = *x.of.Spec.LocalASNumber
		}
		if x.of.Spec.NumAllowedLocalASNumber != nil {
			p.allow = int(*x.of.Spec.NumAllowedLocalASNumber)
		}
		if me.cluster != "" && p.peerAS == p.localAS && x.cluster != me.cluster {
			p.client, p.cluster = true, me.cluster
		}
		different[p.rendered(s)] = true
		if first == nil {
			first = p
		}
	}
	first.alternatives = len(different)
	return first
}

func (s *naive) isNode(ip netip.Addr) bool {
	return slices.ContainsFunc(s.all(), func(n *naiveNode) bool { return n.addr[0] == ip || n.addr[1] == ip })
}
