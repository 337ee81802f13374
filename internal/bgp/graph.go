package bgp

import (
	"cmp"
	"slices"

	"tapetum.dev/tapetum/internal/calico"
)

// edge is the session of the members of a class with those of another, as routes
// see it that go out over it.
type edge struct {
	to int32
	// client: the sender says rr client to the receiver; peerClient: the receiver
	// says it to the sender.
	client, peerClient bool
	ebgp, ambiguous    bool
	// remoteAllow is how often the receiver takes its own AS in a path.
	localAS, remoteAS uint32
	remoteAllow       int32
	// exports of the sender and imports of the receiver: chains. In a step that
	// edits filters the second ones are those after it.
	exports, imports           int32
	laterExports, laterImports int32
	// removed: the session does not survive the step (only in step proofs).
	removed bool
}

// graph holds the sessions of one family: edges by sending class, sorted.
type graph struct {
	edges [][]edge
	// passes tells which classes pass on what they have learned; cluster is the
	// index of their cluster ID.
	passes  []bool
	cluster []int32
}

// like is a graph of the same classes with other sessions.
func (g *graph) like() *graph {
	return &graph{edges: make([][]edge, len(g.edges)), passes: g.passes, cluster: g.cluster}
}

// Network is the model of a cluster's BGP.
type Network struct {
	view   *view
	roles  *roles
	at     int
	d      *derivation
	graphs [families]*graph
	// bgpPeers counts the BGPPeers, ignored ones included.
	bgpPeers int
	pools    []calico.IPPool
	routing  routing
}

// Build derives the sessions.
func Build(in Input) *Network { return build(in, ebgpSingletons) }

// build is Build with the number of nodes up to which several ASes are modeled
// node by node.
func build(in Input, singletons int) *Network {
	t := newTables()
	t.ebgpSingletons = singletons
	names := namesOf(in)
	v := compile(in, t, names)
	v.readRoutes(in.Blocks, names)
	n := assemble(v, 0, divide([]*view{v}, names, nil))
	n.bgpPeers, n.pools, n.routing = len(in.Peers), in.Pools, newRouting(&in)
	return n
}

// namesOf are the names of the nodes, sorted, each once.
func namesOf(in Input) []string {
	names := make([]string, len(in.Nodes))
	for i := range in.Nodes {
		names[i] = in.Nodes[i].Name
	}
	if !slices.IsSorted(names) {
		slices.Sort(names)
	}
	return slices.Compact(names)
}

// union is the sorted union of two sorted lists.
func union(a, b []string) []string {
	if slices.Equal(a, b) {
		return a
	}
	all := append(slices.Clip(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

func assemble(v *view, at int, r *roles) *Network {
	n := &Network{view: v, roles: r, at: at, d: derive(v, at, r)}
	for f := range families {
		n.graphs[f] = n.graph(Family(f))
	}
	return n
}

func (n *Network) graph(f Family) *graph {
	count := n.roles.count()
	g := &graph{edges: make([][]edge, count), passes: make([]bool, count), cluster: make([]int32, count)}
	for i := range n.d.links {
		l := &n.d.links[i]
		if out, back := n.standing(l.a, l.b, f); out != nil {
			g.edges[l.a] = append(g.edges[l.a], newEdge(l.b, out, back))
		}
	}
	for c := range g.edges {
		slices.SortFunc(g.edges[c], func(a, b edge) int { return cmp.Compare(a.to, b.to) })
	}
	g.markPassing(n)
	return g
}

// markPassing finds the classes that pass on routes they have learned: reflectors,
// and nodes with sessions in more than one AS.
func (g *graph) markPassing(n *Network) {
	for c := range g.edges {
		g.cluster[c] = n.d.node(int32(c)).cluster
		g.passes[c] = g.cluster[c] != nowhere
		for i := range g.edges[c] {
			e := &g.edges[c][i]
			g.passes[c] = g.passes[c] || e.ebgp || e.localAS != g.edges[c][0].localAS
		}
	}
}

func newEdge(to int32, out, back *proto) edge {
	return edge{
		to: to, client: out.def.client, peerClient: back.def.client,
		ebgp: out.def.ebgp(), ambiguous: out.ambiguous || back.ambiguous,
		localAS: out.def.localAS, remoteAS: back.def.localAS, remoteAllow: back.allow,
		exports: out.chains.exports, imports: back.chains.imports,
		laterExports: out.chains.exports, laterImports: back.chains.imports,
	}
}

// standing finds the protocols that carry the session of two classes: both ends
// must have one for the other that fit. nil where there is no session.
func (n *Network) standing(a, b int32, f Family) (out, back *proto) {
	there, ok := n.d.index[uint64(a)<<32|uint64(b)]
	if !ok {
		return nil, nil
	}
	reverse, ok := n.d.index[uint64(b)<<32|uint64(a)]
	if !ok {
		return nil, nil
	}
	ours, theirs := n.d.links[there].protos[f], n.d.links[reverse].protos[f]
	var best [6]int
	for i := range ours {
		for j := range theirs {
			if behindMesh(ours, &ours[i]) || behindMesh(theirs, &theirs[j]) || !n.fit(&ours[i], a, &theirs[j], b) {
				continue
			}
			if r := rank(&ours[i], &theirs[j], a < b); out == nil || slices.Compare(r[:], best[:]) < 0 {
				best, out, back = r, &ours[i], &theirs[j]
			}
		}
	}
	return out, back
}

// rank orders pairs of protocols for one session: same kind before mixed, and the
// mesh first, as it stands until it is removed. Both ends must find the same one.
func rank(p, q *proto, forward bool) [6]int {
	if !forward {
		p, q = q, p
	}
	mixed := int(flag(p.def.kind != q.def.kind))
	return [6]int{mixed, int(min(p.def.kind, q.def.kind)), int(min(p.def.port, q.def.port)),
		int(max(p.def.port, q.def.port)), int(p.def.port), int(p.def.kind)}
}

// behindMesh: a protocol for the same address and port as the mesh's waits for it,
// even where that one never comes up.
func behindMesh(protos []proto, p *proto) bool {
	return p.def.kind != Mesh && slices.ContainsFunc(protos, func(o proto) bool {
		return o.def.kind == Mesh && port(o.def.port) == port(p.def.port)
	})
}

// fit tells whether two protocols can make a session: each expects the other's
// AS, the passwords agree, and one of them reaches the port the other listens on.
func (n *Network) fit(p *proto, a int32, q *proto, b int32) bool {
	t := n.view.tables
	if p.def.peerAS != q.def.localAS || q.def.peerAS != p.def.localAS || p.def.peerAS == 0 || q.def.peerAS == 0 {
		return false
	}
	if t.opts[p.def.opts].password != t.opts[q.def.opts].password {
		return false
	}
	return !p.def.passive && port(p.def.port) == port(n.d.node(b).port) ||
		!q.def.passive && port(q.def.port) == port(n.d.node(a).port)
}

func port(configured uint16) uint16 {
	if configured == 0 {
		return defaultPort
	}
	return configured
}
