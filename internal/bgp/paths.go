package bgp

import "math"

// pathCap is up to how many paths are counted exactly.
const pathCap = 10_000

// walkBudget bounds the work of one count: about that many steps of walks.
const walkBudget = 16_000_000

// Paths is how many paths nodes that are not reflectors hold for one route of
// another such node. The own routes of reflectors do not count: those of the two
// nodes of a spine come back through every rack, which is many paths for two
// routes and no load.
type Paths struct {
	Min, Max int
	// Capped: there are more than Max, which is then 10,000.
	Capped bool
	// Holder and Origin are a pair with Max paths.
	Holder, Origin string
}

// PathsPerRoute counts the paths that nodes which are not reflectors hold for a
// route of another one: the fewest, the most, and whether there are more than
// that (counted exactly up to 10,000). With add-path every way over which a route
// arrives is a path of its own. Pairs of nodes without a common address family do
// not count.
func (n *Network) PathsPerRoute() (fewest, most int, capped bool) {
	p := n.Paths()
	return p.Min, p.Max, p.Capped
}

// Paths is PathsPerRoute with the pair of nodes that has the most.
func (n *Network) Paths() Paths {
	return n.paths(func(f Family) *walker {
		return &walker{net: n, graph: n.graphs[f], living: n.living(nil), every: true}
	})
}

func (n *Network) paths(walkers func(Family) *walker) Paths {
	p := Paths{Min: math.MaxInt}
	budget := walkBudget
	for f := range families {
		c := newCounter(walkers(Family(f)), &budget)
		for source := range int32(n.roles.count()) {
			node := n.d.node(source)
			if c.living[source] == 0 || !node.addr[f].IsValid() || node.cluster != nowhere {
				continue
			}
			for _, kind := range kindsOf(node, Family(f)) {
				c.run(source, kind)
				c.read(source, Family(f), &p)
			}
		}
	}
	if p.Min == math.MaxInt {
		p.Min = 0
	}
	return p
}

// counter counts, for one source at a time, the walks that end in each class.
type counter struct {
	*walker
	counts []int64
	used   []int32
	limit  []int64
	// only is the class whose count may end the work, nowhere for all but
	// reflectors.
	only   int32
	over   bool
	budget *int
	spare  []*carried
	// visit, if set, is told of every step of a walk and of its end.
	visit func(arrived bool, at int32)
}

func newCounter(w *walker, budget *int) *counter {
	n := w.net.roles.count()
	c := &counter{walker: w, counts: make([]int64, n), used: make([]int32, n), limit: make([]int64, n), only: nowhere, budget: budget}
	return c
}

func (c *counter) run(source int32, kind uint64) {
	clear(c.counts)
	c.over = false
	for to := range c.limit {
		c.limit[to] = math.MaxInt64 // nothing to count: the route is its own
		if n := c.others(int32(to), source); n > 0 {
			c.limit[to] = pathCap * int64(n)
		}
	}
	origin := c.origin(source, kind)
	c.used[source]++
	c.walk(&origin, 1)
	c.used[source]--
}

// others is how many living members of a class are not the source.
func (c *counter) others(class, source int32) int32 {
	if class == source {
		return c.living[class] - 1
	}
	return c.living[class]
}

// walk follows every way on from r. ways is in how many ways members of the
// classes on the walk can be chosen.
func (c *counter) walk(r *carried, ways int64) {
	x := c.take()
	defer c.give(x)
	edges := c.graph.edges[r.at]
	for i := range edges {
		e := &edges[i]
		choices := int64(1)
		if c.living[e.to] > 1 {
			choices = int64(c.living[e.to] - c.used[e.to])
		}
		if *c.budget--; *c.budget < 0 {
			c.over = true
		}
		if c.over {
			return
		}
		if choices > 0 && c.send(r, e, x) {
			c.arrive(x, ways*choices)
		}
	}
}

// take and give keep routes for use on later walks: there are many.
func (c *counter) take() *carried {
	if n := len(c.spare); n > 0 {
		x := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return x
	}
	return &carried{}
}

func (c *counter) give(x *carried) { c.spare = append(c.spare, x) }

// arrive counts a walk that has come to a node, and goes on from there.
func (c *counter) arrive(x *carried, ways int64) {
	c.counts[x.at] += ways
	if c.counts[x.at] > c.limit[x.at] && c.bounds(x.at) {
		c.over = true
		return
	}
	if c.visit != nil {
		c.visit(true, x.at)
		defer c.visit(false, x.at)
	}
	if c.graph.passes[x.at] {
		c.used[x.at]++
		c.walk(x, ways)
		c.used[x.at]--
	}
}

// bounds tells whether too many paths at a class end the work.
func (c *counter) bounds(class int32) bool {
	if c.only != nowhere {
		return class == c.only
	}
	return c.net.d.node(class).cluster == nowhere
}

// read takes the counts of one source into p.
func (c *counter) read(source int32, f Family, p *Paths) {
	if c.over {
		if !p.Capped {
			p.Capped, p.Max = true, pathCap
			p.Origin, p.Holder = c.net.name(source), ""
		}
		return
	}
	for to := range int32(len(c.counts)) {
		n := c.others(to, source)
		node := c.net.d.node(to)
		if n <= 0 || node.cluster != nowhere || !node.addr[f].IsValid() {
			continue
		}
		paths := int(c.counts[to] / int64(n))
		p.Min = min(p.Min, paths)
		if paths > p.Max {
			p.Max, p.Origin, p.Holder = paths, c.net.name(source), c.net.nameBut(to, source)
		}
	}
}

// name is the first node of a class.
func (n *Network) name(class int32) string { return n.roles.names[n.roles.first(class)] }

// nameBut is the first node of a class that is not the first of the other.
func (n *Network) nameBut(class, other int32) string {
	m := n.roles.members(class)
	if class == other && len(m) > 1 {
		return n.roles.names[m[1]]
	}
	return n.roles.names[m[0]]
}
