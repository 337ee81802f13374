package bgp

import "slices"

// PathsTo counts how many paths every other living node, reflectors too, holds to
// a node's route, by name; nodes without one are left out. Where the node
// announces routes that filters treat differently, the most counts. nodes that are
// lost (nil: none) pass nothing on. capped: there are more than can be counted,
// and the numbers are too low. nil for an unknown or lost node.
func (n *Network) PathsTo(origin string, f Family, lost func(node string) bool) (paths map[string]int, capped bool) {
	at, ok := slices.BinarySearch(n.roles.names, origin)
	if !ok || !n.view.nodes[at].present || !n.view.nodes[at].addr[f].IsValid() || lost != nil && lost(origin) {
		return nil, false
	}
	source := n.roles.classOf[at]
	budget := walkBudget
	c := newCounter(&walker{net: n, graph: n.graphs[f], living: n.living(lost), every: true}, &budget)
	paths = map[string]int{}
	for _, kind := range kindsOf(&n.view.nodes[at], f) {
		c.run(source, kind)
		capped = capped || c.over
		c.each(source, func(to int32, count int) {
			for _, m := range n.roles.members(to) {
				if name := n.roles.names[m]; int(m) != at && (lost == nil || !lost(name)) {
					paths[name] = max(paths[name], count)
				}
			}
		})
	}
	return paths, capped
}

// each gives the classes that hold paths, and how many each of their members has.
func (c *counter) each(source int32, yield func(to int32, count int)) {
	for to := range int32(len(c.counts)) {
		if others := int64(c.others(to, source)); others > 0 && c.counts[to] > 0 {
			yield(to, int(c.counts[to]/others))
		}
	}
}
