package bgp

import "slices"

// Way is how a route gets from one node to another: the nodes that pass it on, in
// order; none for a direct session.
type Way []string

// Ways lists how the routes of origin arrive at holder in one family, at most
// limit of them (by the order in which the neighbors are named), and counts them
// all up to 10,000. Of nodes with several address blocks that filters tell apart
// the first block counts.
func (n *Network) Ways(origin, holder string, f Family, limit int) (ways []Way, count int, capped bool) {
	from, ok := slices.BinarySearch(n.roles.names, origin)
	to, found := slices.BinarySearch(n.roles.names, holder)
	if !ok || !found || from == to {
		return nil, 0, false
	}
	source, target := n.roles.classOf[from], n.roles.classOf[to]
	if !n.view.nodes[from].addr[f].IsValid() || !n.view.nodes[to].addr[f].IsValid() {
		return nil, 0, false
	}
	budget := walkBudget
	c := newCounter(&walker{net: n, graph: n.graphs[f], living: n.living(nil), every: true}, &budget)
	var trail []int32
	c.visit = func(arrived bool, to int32) {
		if !arrived {
			trail = trail[:len(trail)-1]
			return
		}
		if to == target && len(ways) < limit {
			ways = append(ways, n.way(trail))
		}
		trail = append(trail, to)
	}
	c.only = target
	c.run(source, kindsOf(n.d.node(source), f)[0])
	if c.over {
		return ways, pathCap, true
	}
	return ways, int(c.counts[target] / int64(c.others(target, source))), false
}

func (n *Network) way(trail []int32) Way {
	w := make(Way, len(trail))
	for i, c := range trail {
		w[i] = n.name(c)
	}
	return w
}
