package bgp

import "slices"

// walker carries routes over the sessions of one family, as BIRD does.
type walker struct {
	net   *Network
	graph *graph
	// living is how many members of each class are alive.
	living []int32
	// every: a route counts only if it passes whichever of the nodes have the
	// later filters already; otherwise if it passes for any choice of nodes.
	every bool
}

// carried is a route on its way: where it is and what BIRD has attached to it.
type carried struct {
	at, prev int32
	// own: not learned from a neighbor.
	own        bool
	fromClient bool
	fromEBGP   bool
	localAS    uint32
	kind       uint64
	// Every route like this surely carries the communities in must, and none but
	// those in may. The two differ only while filters change.
	must, may uint64
	// originator is the class of the node that brought the route into the AS;
	// nowhere before the first reflection.
	originator int32
	// clusters is the cluster list, without repetitions.
	clusters []int32
	// outgoing is clusters plus the cluster of at, made when first needed.
	outgoing []int32
	path     []uint32
	// removed: it went over a session that the step takes down.
	removed bool
	// parent is the entry of a search's queue it came from; useful if a target was
	// reached over it.
	parent int32
	useful bool
}

func (w *walker) origin(class int32, kind uint64) carried {
	return carried{at: class, prev: nowhere, own: true, kind: kind, originator: nowhere}
}

// send tells whether a route goes out over a session and is taken at the other
// end, and sets x to what it is there.
func (w *walker) send(r *carried, e *edge, x *carried) bool {
	reflected, ok := w.exports(r, e)
	if !ok {
		return false
	}
	must, may := r.must, r.may
	filtered := e.exports|e.imports|e.laterExports|e.laterImports != 0
	if filtered && !w.filter(&must, &may, e.exports, e.laterExports, route{kind: r.kind, learned: !r.own, ebgp: e.ebgp}) {
		return false
	}
	*x = carried{
		at: e.to, prev: r.at, fromClient: e.peerClient, fromEBGP: e.ebgp, localAS: e.remoteAS, kind: r.kind,
		originator: r.originator, clusters: r.clusters, path: r.path, removed: r.removed || e.removed,
	}
	if reflected {
		w.reflect(r, x)
	}
	if e.ebgp {
		x.originator, x.clusters = nowhere, nil
		x.path = append(slices.Clip(r.path), e.localAS)
	}
	if w.loops(x, e) {
		return false
	}
	if filtered && !w.filter(&must, &may, e.imports, e.laterImports, route{kind: r.kind, learned: true, ebgp: e.ebgp}) {
		return false
	}
	x.must, x.may = must, may
	return true
}

// exports tells whether a node offers a route to the filters of a session at all,
// and whether it reflects it then.
func (w *walker) exports(r *carried, e *edge) (reflected, ok bool) {
	if w.living[e.to] == 0 || e.to == r.prev && w.living[e.to] == 1 {
		return false, false // never back over the session it came from
	}
	if r.own {
		return false, true
	}
	if e.client && slices.Contains(r.clusters, w.graph.cluster[r.at]) {
		return false, false
	}
	if r.fromEBGP || e.ebgp || r.localAS != e.localAS {
		return false, true
	}
	return true, r.fromClient || e.client // iBGP to iBGP only if one of them is a client
}

// reflect adds what a route reflector adds (RFC 4456).
func (w *walker) reflect(r, x *carried) {
	if x.originator == nowhere {
		x.originator = r.prev
	}
	if r.outgoing == nil {
		r.outgoing = r.clusters
		if cluster := w.graph.cluster[r.at]; !slices.Contains(r.clusters, cluster) {
			r.outgoing = append(slices.Clip(r.clusters), cluster)
		}
	}
	x.clusters = r.outgoing
}

// loops tells whether the receiver refuses a route because it has had it before.
// It searches the AS path always, the cluster list only on sessions with clients.
func (w *walker) loops(x *carried, e *edge) bool {
	seen := int32(0)
	for _, as := range x.path {
		if as == e.remoteAS {
			seen++
		}
	}
	return seen > 0 && seen > e.remoteAllow ||
		x.originator == x.at && w.living[x.at] == 1 ||
		e.peerClient && slices.Contains(x.clusters, w.graph.cluster[x.at])
}

// filter runs a route through filters, both as they are and as they will be where
// these differ.
func (w *walker) filter(must, may *uint64, now, later int32, r route) bool {
	chains := w.net.view.tables.chains
	result := chains[now].possible(*must, *may, r)
	if later != now {
		result = result.or(chains[later].possible(*must, *may, r))
	}
	*must, *may = result.must, result.may
	return result.passes && (!w.every || !result.rejects)
}

// outcome is what may become of a route in a filter.
type outcome struct {
	passes, rejects bool
	must, may       uint64
}

func (o outcome) or(p outcome) outcome {
	switch {
	case !p.passes:
		o.rejects = true
		return o
	case !o.passes:
		p.rejects = true
		return p
	}
	return outcome{true, o.rejects || p.rejects, o.must & p.must, o.may | p.may}
}

// possible runs a route through the chain of which it is known only that it has
// the communities in must and none but those in may.
func (c chain) possible(must, may uint64, r route) outcome {
	if must == may {
		r.communities = must
		communities, ok := c.pass(r)
		return outcome{ok, !ok, communities, communities}
	}
	var result outcome
	none := true
	add := func(accept bool, added uint64) {
		o := outcome{accept, !accept, must | added, may | added}
		if none {
			result, none = o, false
			return
		}
		result = result.or(o)
	}
	for i := range c {
		r.communities = may
		if !c[i].matches(r) {
			continue
		}
		add(c[i].accept, c[i].add)
		if c[i].community == 0 || must&c[i].community != 0 {
			return result
		}
	}
	add(true, 0)
	return result
}
