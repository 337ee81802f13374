package bgp

import (
	"net/netip"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/selector"
	"tapetum.dev/tapetum/internal/inventory"
)

// defaultAS and defaultPort are Calico's and BIRD's when nothing is configured.
const (
	defaultAS   = 64512
	defaultPort = 179
)

// view is an Input in the form the model works on. Several views that are to be
// compared share one tables.
type view struct {
	tables  *tables
	nodes   []node
	peers   []peer
	filters map[string][4]chain
	mesh    meshSettings
	// globalAS and globalPort are the cluster's; port 0 is unset.
	globalAS   uint32
	globalPort uint16
	// named are the nodes whose address a BGPPeer names, and observed ones.
	named map[int32]bool
	// ofNode are the BGPPeers of one node each, by that node.
	ofNode map[int32][]int32
	// globalByAddr are the global BGPPeers by address of a node.
	globalByAddr []int32
	byAddr       map[netip.Addr]int32
	problems     []problem
}

// node is what the model needs to know of a node. The zero value stands for a
// node that does not exist in this view.
type node struct {
	present bool
	addr    [families]netip.Addr
	as      uint32
	ownAS   bool
	port    uint16
	// cluster is the index of the node's valid cluster ID, or -1.
	cluster        int32
	ready, windows bool
	labels         map[string]string
	// routes are the sorted kinds of route that the node announces: which CIDR
	// rules of filters match it (see filters.go).
	routes [families][]uint64
}

type meshSettings struct {
	on   bool
	opts int32
}

// nowhere is the index of a node or selector that does not exist.
const nowhere = -1

// peer is a compiled BGPPeer.
type peer struct {
	name   string
	global bool
	// shared counts the BGPPeers before this one that are not of one node.
	shared int32
	// localSelector, or nowhere and then localNode or (global) every node.
	localSelector, localNode int32
	// remoteSelector, or nowhere and then address (if hasAddr).
	remoteSelector int32
	matchNothing   bool
	// ahead: Tapetum's own, which may match nothing.
	ahead    bool
	hasAddr  bool
	addr     netip.Addr
	addrNode int32
	// exact: the address is written as Calico prints it. Only then does Calico
	// find out that it is a node's, as it compares strings.
	exact        bool
	port         uint16
	as           uint32
	localAS      uint32
	opts         int32
	chains       [families]chainPair
	allowLocalAS int32
	manual       bool
}

// problem is something in the resources that Calico ignores, takes otherwise than
// it reads, or that BIRD refuses. Findings are made of problems.
type problem struct {
	code    string
	object  string
	message string
}

// compile reads an Input. Nodes come in the order of names, which must be sorted
// and hold every node of in.
func compile(in Input, t *tables, names []string) *view {
	v := &view{tables: t, named: map[int32]bool{}, ofNode: map[int32][]int32{}}
	v.readConfigurations(in.Configurations)
	v.readNodes(in, names)
	v.readFilters(in.Filters)
	v.readPeers(in.Peers, names)
	return v
}

func (v *view) readConfigurations(configurations []calico.BGPConfiguration) {
	v.mesh.on = true
	v.globalAS = defaultAS
	mesh := options{source: useNodeIP, restart: unset, keepalive: unset}
	for i := range configurations {
		c := &configurations[i]
		if c.Name != "default" {
			continue
		}
		if c.Spec.NodeToNodeMeshEnabled != nil {
			v.mesh.on = *c.Spec.NodeToNodeMeshEnabled
		}
		if c.Spec.ASNumber != nil {
			v.globalAS = *c.Spec.ASNumber
		}
		v.globalPort = c.Spec.ListenPort
		mesh.password = passwordOf(c.Spec.NodeMeshPassword)
		mesh.restart = seconds(c.Spec.NodeMeshMaxRestartTime)
	}
	v.mesh.opts = v.tables.option(mesh)
}

func (v *view) readNodes(in Input, names []string) {
	ports := map[string]uint16{}
	for i := range in.Configurations {
		c := &in.Configurations[i]
		if name, ok := strings.CutPrefix(c.Name, "node."); ok && c.Spec.ListenPort != 0 {
			ports[name] = c.Spec.ListenPort
		}
	}
	v.nodes = make([]node, len(names))
	v.byAddr = make(map[netip.Addr]int32, len(in.Nodes))
	for i := range in.Nodes {
		src := &in.Nodes[i]
		at := indexOf(names, i, src.Name)
		if at == nowhere || v.nodes[at].present {
			continue
		}
		n := &v.nodes[at]
		n.present = true
		n.labels, n.ready, n.windows = src.Labels, src.Ready, src.OS == "windows"
		n.addr = [families]netip.Addr{src.IPv4, src.IPv6}
		n.as, n.ownAS = src.ASNumber, src.ASNumber != 0
		if !n.ownAS {
			n.as = v.globalAS
		}
		n.port = v.globalPort
		if len(ports) > 0 {
			if p, ok := ports[src.Name]; ok {
				n.port = p
			}
		}
		n.cluster = v.cluster(src)
		v.index(n, at, src.Name, names)
	}
}

// index notes which node owns an address. Two nodes with one address confuse
// Calico as well; the first by name is taken.
func (v *view) index(n *node, at int32, name string, names []string) {
	for f := range n.addr {
		if !n.addr[f].IsValid() {
			continue
		}
		if other, taken := v.byAddr[n.addr[f]]; taken {
			v.problems = append(v.problems, problem{codeDuplicateAddress, "Node/" + name,
				"has the BGP address " + n.addr[f].String() + " of Node/" + names[other]})
			if other < at {
				continue
			}
		}
		v.byAddr[n.addr[f]] = at
	}
}

// cluster reads the cluster ID annotation as Calico does: what is no IPv4 network
// is ignored in silence.
func (v *view) cluster(src *inventory.Node) int32 {
	if src.ClusterID == "" {
		return nowhere
	}
	if a, err := netip.ParseAddr(src.ClusterID); err == nil && a.Is4() {
		return v.tables.cluster(a.String())
	}
	if p, err := netip.ParsePrefix(src.ClusterID); err == nil && p.Addr().Is4() {
		v.problems = append(v.problems, problem{codeClusterIDNetwork, "Node/" + src.Name,
			"cluster ID annotation " + src.ClusterID + " is a network: Calico accepts it and BIRD refuses the node's configuration"})
		return v.tables.cluster(src.ClusterID)
	}
	v.problems = append(v.problems, problem{codeClusterIDInvalid, "Node/" + src.Name,
		"cluster ID annotation " + quote(src.ClusterID) + " is not an IPv4 address: Calico ignores it and the node is no reflector"})
	return nowhere
}

func (v *view) readPeers(peers []calico.BGPPeer, names []string) {
	order := make([]int, len(peers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(peers[a].Name, peers[b].Name) })
	v.peers = make([]peer, 0, len(peers))
	shared := int32(0)
	for _, i := range order {
		if p, ok := v.readPeer(&peers[i], names); ok {
			if p.global && p.addrNode != nowhere {
				v.globalByAddr = append(v.globalByAddr, int32(len(v.peers)))
			}
			p.shared = shared
			if p.localNode == nowhere {
				shared++
			} else {
				v.ofNode[p.localNode] = append(v.ofNode[p.localNode], int32(len(v.peers)))
			}
			v.peers = append(v.peers, p)
		}
	}
}

func (v *view) readPeer(src *calico.BGPPeer, names []string) (peer, bool) {
	s := &src.Spec
	if s.LocalWorkloadSelector != "" {
		return peer{}, false // sessions with pods, which are no nodes
	}
	p := peer{
		ahead: calico.ManagedByUs(src),
		name:  src.Name, localSelector: nowhere, localNode: nowhere, remoteSelector: nowhere, addrNode: nowhere,
		as: s.ASNumber, manual: s.ReversePeering == "Manual",
		opts: v.tables.option(optionsOf(s)),
	}
	if s.LocalASNumber != nil {
		p.localAS = *s.LocalASNumber
	}
	if s.NumAllowedLocalASNumber != nil {
		p.allowLocalAS = *s.NumAllowedLocalASNumber
	}
	v.readLocal(&p, s, names)
	if !v.readRemote(&p, s) {
		return peer{}, false
	}
	v.readChains(&p, s.Filters)
	return p, true
}

func (v *view) readLocal(p *peer, s *calico.BGPPeerSpec, names []string) {
	switch {
	case s.NodeSelector != "":
		p.localSelector = v.selector(p, "nodeSelector", s.NodeSelector)
	case s.Node != "":
		if at, ok := slices.BinarySearch(names, s.Node); ok && v.nodes[at].present {
			p.localNode = int32(at)
			return
		}
		p.matchNothing = true
		v.problems = append(v.problems, problem{codePeerMatchesNothing, "BGPPeer/" + p.name,
			"node " + quote(s.Node) + " does not exist"})
	default:
		p.global = true
	}
}

// readRemote tells whether the BGPPeer has a remote side at all.
func (v *view) readRemote(p *peer, s *calico.BGPPeerSpec) bool {
	if s.PeerSelector != "" {
		p.remoteSelector = v.selector(p, "peerSelector", s.PeerSelector)
		return true
	}
	host, port := splitPort(s.PeerIP)
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		v.problems = append(v.problems, problem{codePeerIPInvalid, "BGPPeer/" + p.name,
			"peerIP " + quote(s.PeerIP) + " is not an address: Calico ignores the BGPPeer"})
		return false
	}
	p.hasAddr, p.port = true, port
	p.addr = addr.Unmap()
	p.exact = host == p.addr.String()
	if at, ok := v.byAddr[p.addr]; ok {
		p.addrNode = at
		v.named[at] = true
	}
	if p.as == 0 {
		v.problems = append(v.problems, problem{codePeerWithoutAS, "BGPPeer/" + p.name,
			"has peerIP but no asNumber: BIRD refuses the configuration of every node it applies to"})
	}
	return true
}

func (v *view) selector(p *peer, field, text string) int32 {
	parsed, err := selector.Parse(text)
	if err != nil {
		p.matchNothing = true
		v.problems = append(v.problems, problem{codeSelectorInvalid, "BGPPeer/" + p.name,
			field + " does not parse, so Calico matches no node with it: " + err.Error()})
		return nowhere
	}
	return v.tables.selector(parsed)
}

// splitPort reads "address", "address:port" and "[address]:port" as confd does.
func splitPort(s string) (string, uint16) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		host := s[:strings.LastIndexByte(s, ':')]
		return strings.Trim(host, "[]"), ap.Port()
	}
	return s, 0
}

// indexOf finds a name; guess is where it is when the input was sorted.
func indexOf(names []string, guess int, name string) int32 {
	if guess < len(names) && names[guess] == name {
		return int32(guess)
	}
	if at, ok := slices.BinarySearch(names, name); ok {
		return int32(at)
	}
	return nowhere
}
