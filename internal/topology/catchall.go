package topology

import (
	"cmp"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// catchAllServers is how many reflectors serve the catch-all where there are groups.
func (p *multiPlanner) catchAllServers() int {
	return max(2, int(*p.request.Spec.Limits.ReflectorFailures)+1)
}

// catchAllLacks tells whether one of those that served the catch-all is gone: the only
// sign of the loss of a reflector whose own clients are gone too.
func (p *multiPlanner) catchAllLacks(d *draft) bool {
	serve := 0
	for _, c := range d.kept {
		if _, serves := c.node.Labels[v1alpha1.ServesLabelPrefix+GroupAll]; serves && tierOf(c.node) == TierMulti {
			serve++
		}
	}
	return serve > 0 && serve < p.catchAllServers()
}

// catchAll chooses the reflectors that also serve clients which have no group yet:
// enough to survive, in two zones where there are two. Those that do already come
// first, then new ones, then those with the fewest clients.
func (p *multiPlanner) catchAll(d *draft) []string {
	want := min(p.catchAllServers(), len(d.all))
	if len(d.partition.groups) == 0 {
		want = len(d.all)
	}
	order := make([]int, len(d.all))
	for i := range order {
		order[i] = i
	}
	rank := func(s int) int {
		_, serves := d.all[s].node.Labels[v1alpha1.ServesLabelPrefix+GroupAll]
		switch {
		case d.fresh, tierOf(d.all[s].node) == "":
			return 1
		case serves:
			return 0
		}
		return 2
	}
	slices.SortStableFunc(order, func(x, y int) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(d.a.servers[x].load, d.a.servers[y].load))
	})
	var out []string
	first := ""
	for len(out) < want {
		at := 0
		if len(out) == 1 {
			at = max(slices.IndexFunc(order, func(s int) bool { return d.all[s].zone != first }), 0)
		}
		one := d.all[order[at]]
		first = one.zone
		out = append(out, one.node.Name)
		order = slices.Delete(order, at, at+1)
	}
	return out
}
