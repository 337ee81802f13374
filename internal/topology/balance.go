package topology

import (
	"cmp"
	"slices"
)

// improve lowers the load of the busiest server step by step until it is at most
// the goal, or nothing lowers it any more. One step is a chain of moves: from the
// busiest to a second server, from there another group to a third, and so on, each
// left with less than the busiest had. With spare, what stands is not moved.
func (a *assignment) improve(goal int, spare bool) {
	for {
		busiest := -1
		for s := range a.servers {
			if (!spare || !a.servers[s].fixed) && (busiest < 0 || a.servers[s].load > a.servers[busiest].load) {
				busiest = s
			}
		}
		if busiest < 0 || a.servers[busiest].load <= goal || !a.relieve(busiest, spare) {
			return
		}
	}
}

// relieve looks for the shortest chain, and carries it out.
func (a *assignment) relieve(busiest int, spare bool) bool {
	c := &chains{
		a: a, top: a.servers[busiest].load, spare: spare,
		from: make([]transfer, len(a.servers)), seen: make([]bool, len(a.servers)),
		groups: make([][]int, len(a.servers)), order: make([]int, len(a.servers)),
	}
	for g := range a.groups {
		for _, s := range a.groups[g].by {
			c.groups[s] = append(c.groups[s], g)
		}
	}
	for s := range c.order {
		c.order[s] = s
	}
	slices.SortStableFunc(c.order, func(x, y int) int { return cmp.Compare(a.servers[x].load, a.servers[y].load) })
	c.seen[busiest] = true
	c.from[busiest] = transfer{group: -1}
	queue := []int{busiest}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		found, done := c.extend(at)
		if done {
			return true
		}
		queue = append(queue, found...)
	}
	return false
}

// chains is a search, breadth first, for a chain of moves.
type chains struct {
	a *assignment
	// top is the load that every server of a chain must end below.
	top    int
	spare  bool
	from   []transfer
	seen   []bool
	groups [][]int
	order  []int
}

// extend goes on from a server that has been reached. It carries the chain out
// where it ends well; else it returns the servers that are reached from here.
func (c *chains) extend(at int) (found []int, done bool) {
	a := c.a
	if c.spare && a.servers[at].fixed {
		return nil, false
	}
	taken, last := 0, c.from[at].group
	if last >= 0 {
		taken = a.groups[last].size
	}
	for _, to := range c.order {
		if c.seen[to] {
			continue
		}
		reached, done := c.step(at, to, last, taken)
		if done {
			return nil, true
		}
		if reached {
			c.seen[to] = true
			found = append(found, to)
		}
	}
	return found, c.exchange(at)
}

// step goes on to one more server, with a group other than the last that the chain
// has taken there. A chain that ends well there is done.
func (c *chains) step(at, to, last, taken int) (reached, done bool) {
	a := c.a
	for _, g := range c.groups[at] {
		size := a.groups[g].size
		m := transfer{g, at, to}
		if size == 0 || g == last || a.servers[at].load+taken-size >= c.top || !a.fits(m) {
			continue
		}
		c.from[to] = m
		if a.servers[to].load+size >= c.top {
			return true, false
		}
		if c.make(c.chain(to)) {
			return true, true
		}
	}
	return false, false
}

// exchange closes a chain: the server that has been reached gives the busiest one a
// smaller group than the chain takes from it.
func (c *chains) exchange(at int) bool {
	first := c.from[at]
	if first.group < 0 {
		return false
	}
	for c.from[first.from].group >= 0 {
		first = c.from[first.from]
	}
	a, taken := c.a, c.a.groups[c.from[at].group].size
	for _, g := range c.groups[at] {
		size := a.groups[g].size
		m := transfer{g, at, first.from}
		if size == 0 || size >= a.groups[first.group].size || a.servers[at].load+taken-size >= c.top || !a.fits(m) {
			continue
		}
		if c.make(append([]transfer{m}, c.chain(at)...)) {
			return true
		}
	}
	return false
}

// chain lists the moves to a server, the last first.
func (c *chains) chain(end int) []transfer {
	var chain []transfer
	for m := c.from[end]; m.group >= 0; m = c.from[m.from] {
		chain = append(chain, m)
	}
	return chain
}

// make carries the moves out, or none of them where one would no longer fit after
// another.
func (c *chains) make(chain []transfer) bool {
	for i, m := range chain {
		if slices.Contains(c.a.groups[m.group].by, m.from) && c.a.fits(m) {
			c.a.apply(m)
			continue
		}
		for _, done := range slices.Backward(chain[:i]) {
			c.a.apply(transfer{done.group, done.to, done.from})
		}
		return false
	}
	return true
}

// takeOver gives a new server its share: groups of those that have the most, and more
// than over, as long as it has less than the mean with them, and less than who had
// them before.
func (a *assignment) takeOver(to, over int) {
	mean := a.mean()
	for {
		best := transfer{group: -1}
		for g := range a.groups {
			size := a.groups[g].size
			load := a.servers[to].load + size
			for _, s := range a.groups[g].by {
				m := transfer{g, s, to}
				if size == 0 || load > mean || a.servers[s].load <= max(over, load) || !a.fits(m) {
					continue
				}
				if best.group < 0 || a.sooner(m, best) {
					best = m
				}
			}
		}
		if best.group < 0 {
			return
		}
		a.apply(best)
	}
}

// sooner prefers the server with the most clients, then the largest group.
func (a *assignment) sooner(m, n transfer) bool {
	return cmp.Or(cmp.Compare(a.servers[n.from].load, a.servers[m.from].load),
		cmp.Compare(a.groups[n.group].size, a.groups[m.group].size)) < 0
}
