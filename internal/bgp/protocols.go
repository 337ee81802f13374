package bgp

// proto is one protocol block of BIRD, as Calico renders it on the members of one
// class for those of another.
type proto struct {
	def    definition
	chains chainPair
	allow  int32
	// pass in which it was emitted: within one pass Calico's order is random.
	pass uint8
	// ambiguous: another BGPPeer of the same pass says something else.
	ambiguous bool
	// source is the index of the BGPPeer, nowhere for the mesh; rival is that of
	// the other one where it is ambiguous.
	source, rival int32
}

// definition is what restarts a session when it changes.
type definition struct {
	kind    Kind
	port    uint16
	peerAS  uint32
	localAS uint32
	client  bool
	// cluster is the reflector's own cluster ID; rendered for clients only.
	cluster int32
	opts    int32
	passive bool
}

func (d definition) ebgp() bool { return d.peerAS != d.localAS }

// same tells whether a running session would not notice the exchange of the two.
func (p *proto) same(o *proto) bool {
	return p.def == o.def && p.chains == o.chains && p.allow == o.allow
}

// The passes in which confd emits peerings. The first writer of a key wins, and a
// global key suppresses the keys of nodes to the same address and port.
const (
	passGlobal uint8 = iota
	passForward
	passReverse
	passMesh
)

// link holds the protocols that members of class a have for members of class b.
type link struct {
	a, b   int32
	protos [families][]proto
}

// external is a protocol for an address that is no node's.
type external struct {
	class  int32
	peer   int32
	family Family
	proto  proto
}

// target is a key of a global peering: class, family and port.
type target struct {
	class  int32
	family Family
	port   uint16
}

// candidate is a BGPPeer that emits a peering, and whether by the peer's address.
type candidate struct {
	peer   int32
	byAddr bool
}

// derivation runs confd's passes over classes.
type derivation struct {
	view  *view
	at    int // index of the view in roles
	roles *roles
	links []link
	index map[uint64]int32

	globals     map[target][]candidate
	globalOrder []target
	externals   []external

	locals, remotes [][]int32
}

func derive(v *view, at int, r *roles) *derivation {
	d := &derivation{view: v, at: at, roles: r, index: map[uint64]int32{}, globals: map[target][]candidate{}}
	d.locals = make([][]int32, len(v.peers))
	d.remotes = make([][]int32, len(v.peers))
	for i := range v.peers {
		p := &v.peers[i]
		if !p.matchNothing && d.counts(p) {
			d.locals[i] = d.side(p.localSelector, p.localNode, p.global)
			d.remotes[i] = d.side(p.remoteSelector, p.addrNode, false)
		}
	}
	d.globalPass()
	d.forwardPass()
	d.reversePass()
	d.meshPass()
	return d
}

// counts is false of the BGPPeers of one node if another node stands for its
// class: that one has BGPPeers to the same effect.
func (d *derivation) counts(p *peer) bool {
	return p.localNode == nowhere || d.roles.first(d.roles.classOf[p.localNode]) == p.localNode
}

// side lists the classes on one side of a BGPPeer.
func (d *derivation) side(selector, node int32, all bool) []int32 {
	if selector == nowhere && !all {
		if node == nowhere {
			return nil
		}
		return []int32{d.roles.classOf[node]}
	}
	var out []int32
	for c := range int32(d.roles.count()) {
		if d.node(c).present && (all || d.roles.selected(d.at, c, selector)) {
			out = append(out, c)
		}
	}
	return out
}

// node stands for all members of a class, but for its address.
func (d *derivation) node(c int32) *node { return &d.view.nodes[d.roles.first(c)] }

func (d *derivation) globalPass() {
	for i := range d.view.peers {
		p := &d.view.peers[i]
		if !p.global || p.matchNothing {
			continue
		}
		c := candidate{int32(i), p.hasAddr}
		d.forward(p, d.remotes[i], func(b int32, f Family, port uint16) {
			t := target{b, f, port}
			if len(d.globals[t]) == 0 {
				d.globalOrder = append(d.globalOrder, t)
			}
			d.globals[t] = append(d.globals[t], c)
		})
		if p.hasAddr && p.addrNode == nowhere {
			for a := range int32(d.roles.count()) {
				d.external(p, int32(i), a)
			}
		}
	}
	for _, t := range d.globalOrder {
		for a := range int32(d.roles.count()) {
			for _, c := range d.globals[t] {
				d.emit(a, t.class, t.family, d.render(Global, passGlobal, a, t.class, t.family, t.port, c))
			}
		}
	}
}

// forward calls emit for every peer of a BGPPeer's own direction.
func (d *derivation) forward(p *peer, remotes []int32, emit func(b int32, f Family, port uint16)) {
	for _, b := range remotes {
		n := d.node(b)
		if p.hasAddr {
			emit(b, familyOf(p.addr.Is4()), d.portByAddress(p, n))
			continue
		}
		for f := range families {
			if n.addr[f].IsValid() {
				emit(b, Family(f), n.port)
			}
		}
	}
}

// portByAddress is the port of a peering by address: the one written there, else
// the node's if Calico finds out whose address it is.
func (d *derivation) portByAddress(p *peer, n *node) uint16 {
	if p.port == 0 && p.exact && d.asOf(p) == n.as {
		return n.port
	}
	return p.port
}

func (d *derivation) asOf(p *peer) uint32 {
	if p.as == 0 {
		return d.view.globalAS
	}
	return p.as
}

func (d *derivation) forwardPass() {
	for i := range d.view.peers {
		p := &d.view.peers[i]
		if p.global || p.matchNothing {
			continue
		}
		c := candidate{int32(i), p.hasAddr}
		for _, a := range d.locals[i] {
			d.forward(p, d.remotes[i], func(b int32, f Family, port uint16) {
				d.emitNode(passForward, a, b, f, port, c)
			})
			if p.hasAddr && p.addrNode == nowhere {
				d.external(p, int32(i), a)
			}
		}
	}
}

func (d *derivation) reversePass() {
	for i := range d.view.peers {
		p := &d.view.peers[i]
		if p.manual || p.matchNothing || p.hasAddr && !d.reversible(p) {
			continue
		}
		c := candidate{int32(i), false}
		for _, a := range d.remotes[i] {
			for _, b := range d.locals[i] {
				n := d.node(b)
				for f := range families {
					if n.addr[f].IsValid() && (!p.hasAddr || p.addr.Is4() == (f == int(IPv4))) {
						d.emitNode(passReverse, a, b, Family(f), n.port, c)
					}
				}
			}
		}
	}
}

// reversible tells whether Calico finds the node that a peerIP stands for: by
// address and AS, and by port where one is written. (A node's own port that
// differs from the cluster's is compared with the cluster's as well.)
func (d *derivation) reversible(p *peer) bool {
	if p.addrNode == nowhere || !p.exact {
		return false
	}
	n := &d.view.nodes[p.addrNode]
	if n.as != d.asOf(p) {
		return false
	}
	return p.port == 0 || (n.port == 0 || n.port == p.port) && (d.view.globalPort == 0 || d.view.globalPort == p.port)
}

func (d *derivation) emitNode(pass uint8, a, b int32, f Family, port uint16, c candidate) {
	if _, suppressed := d.globals[target{b, f, port}]; suppressed {
		return
	}
	d.emit(a, b, f, d.render(Node, pass, a, b, f, port, c))
}

// meshPass gives every two nodes without cluster ID a session. The mesh is not
// checked against other peerings.
func (d *derivation) meshPass() {
	if !d.view.mesh.on {
		return
	}
	var classes []int32
	for c := range int32(d.roles.count()) {
		if n := d.node(c); n.present && n.cluster == nowhere {
			classes = append(classes, c)
		}
	}
	for _, a := range classes {
		na := d.node(a)
		for _, b := range classes {
			nb := d.node(b)
			p := proto{pass: passMesh, source: nowhere}
			p.def = definition{kind: Mesh, port: nb.port, peerAS: nb.as, localAS: na.as, cluster: nowhere, opts: d.view.mesh.opts}
			if !nb.ownAS {
				p.def.peerAS = na.as // as confd has it: its own, not the cluster's
			}
			for f := range families {
				d.emit(a, b, Family(f), p)
			}
		}
	}
}

// render makes the protocol that members of a get for members of b.
func (d *derivation) render(kind Kind, pass uint8, a, b int32, f Family, port uint16, c candidate) proto {
	src := &d.view.peers[c.peer]
	me, other := d.node(a), d.node(b)
	p := proto{pass: pass, source: c.peer, chains: src.chains[f], allow: src.allowLocalAS}
	p.def = definition{kind: kind, port: port, peerAS: other.as, localAS: me.as, cluster: nowhere, opts: src.opts}
	if src.localAS != 0 {
		p.def.localAS = src.localAS
	}
	known := other.cluster
	if c.byAddr {
		p.def.peerAS = src.as
		known = nowhere
		p.def.passive = kind == Global && src.passiveOn(me)
	}
	if me.cluster != nowhere && !p.def.ebgp() && known != me.cluster {
		p.def.client, p.def.cluster = true, me.cluster
	}
	return p
}

// emit adds a protocol unless its key is taken: within a pass another BGPPeer may
// as well have been the first.
func (d *derivation) emit(a, b int32, f Family, p proto) {
	if a == b && d.roles.size(a) == 1 || !d.node(a).present || !d.node(a).addr[f].IsValid() || !d.node(b).addr[f].IsValid() {
		return
	}
	l := d.link(a, b)
	for i := range l.protos[f] {
		old := &l.protos[f][i]
		if (old.def.kind == Mesh) != (p.def.kind == Mesh) || old.def.port != p.def.port {
			continue
		}
		if old.pass == p.pass && !old.same(&p) {
			old.ambiguous, old.rival = true, p.source
		}
		return
	}
	l.protos[f] = append(l.protos[f], p)
}

func (d *derivation) link(a, b int32) *link {
	key := uint64(a)<<32 | uint64(b)
	i, ok := d.index[key]
	if !ok {
		i = int32(len(d.links))
		d.links = append(d.links, link{a: a, b: b})
		d.index[key] = i
	}
	return &d.links[i]
}

// external notes a peering with an address that is no node's.
func (d *derivation) external(p *peer, at, a int32) {
	f := familyOf(p.addr.Is4())
	n := d.node(a)
	if !n.present || !n.addr[f].IsValid() {
		return
	}
	kind, pass := Node, passForward
	if p.global {
		kind, pass = Global, passGlobal
	}
	x := proto{pass: pass, source: at, chains: p.chains[f], allow: p.allowLocalAS}
	x.def = definition{kind: kind, port: p.port, peerAS: p.as, localAS: n.as, cluster: nowhere, opts: p.opts}
	if p.localAS != 0 {
		x.def.localAS = p.localAS
	}
	if n.cluster != nowhere && !x.def.ebgp() {
		x.def.client, x.def.cluster = true, n.cluster
	}
	d.externals = append(d.externals, external{a, at, f, x})
}

func familyOf(is4 bool) Family {
	if is4 {
		return IPv4
	}
	return IPv6
}
