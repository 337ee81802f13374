package fabric

import (
	"math"
	"time"
)

// Pair is a node and a destination (the addresses of another node) that it
// should have a route to.
type Pair struct {
	Node, Destination string
	IPv6              bool
}

// Loss sums up lost routes.
type Loss struct {
	// RouteTime is the sum over all pairs of the time they had no route
	// ("route-seconds").
	RouteTime time.Duration
	// Pairs is how many pairs were without a route at some time, Longest the
	// longest that one of them was, in sum, and Missing how many are now.
	Pairs, Missing int
	Longest        time.Duration
}

func (l *Loss) add(d int64, missing bool) {
	l.RouteTime = Sum(l.RouteTime, time.Duration(d))
	l.Pairs++
	l.Longest = max(l.Longest, time.Duration(d))
	if missing {
		l.Missing++
	}
}

// Sum of two times that are not negative; the most there is where it would be more: a
// million pairs without a route come to 292 years within three hours.
func Sum(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Account is what was lost since the last ResetAccount. A pair counts from the
// first time it had a route while neither node was still joining; a pair with a
// node without power never does.
type Account struct {
	// Ordinary: of pairs of which neither node changed its role; Changing: the
	// others.
	Ordinary, Changing Loss
}

// pair is what is known of one (destination, node).
type pair struct {
	direct bool // they have a session of their own
	has    bool // the node has a route
	had    bool // it had one before, so not having it is a loss
	hit    bool // it lost it since the last ResetAccount
	since  int64
	lost   int64 // ended losses since the last ResetAccount
}

func (x *pair) total(now int64) (lost int64, missing bool) {
	if x.had && !x.has {
		return x.lost + now - x.since, true
	}
	return x.lost, false
}

func (n *node) counts(family int) bool { return n.powered && !n.gone && n.addr[family].IsValid() }

// check brings one pair up to date.
func (p *plane) check(f *Fabric, o, z *node) {
	if !o.counts(p.family) || !z.counts(p.family) {
		return
	}
	x := &p.rows[o.slot][z.slot]
	has := p.reaches(o, z)
	if has == x.has {
		return
	}
	x.has = has
	switch {
	case !x.had:
		x.had = has && o.settled && z.settled
	case has:
		x.lost += f.now - x.since
	default:
		x.since, x.hit = f.now, true
	}
}

// settleNodes finds the joining nodes that have come up, and lets their pairs
// count from now on.
func (f *Fabric) settleNodes() {
	for _, n := range f.slots {
		if n == nil || n.settled || !f.joined(n) {
			continue
		}
		n.settled = true
		for _, p := range f.planes {
			p.grow(len(f.slots))
			for _, m := range f.slots {
				if m != nil && m.settled && m != n {
					p.startCounting(n, m)
				}
			}
		}
	}
}

func (p *plane) startCounting(n, m *node) {
	for _, x := range []*pair{&p.rows[n.slot][m.slot], &p.rows[m.slot][n.slot]} {
		x.had = x.has
	}
}

// joined: all sessions with running nodes that are configured at both ends are
// up to stay, and there is one.
func (f *Fabric) joined(n *node) bool {
	found := false
	for family := range families {
		if !n.counts(family) {
			continue
		}
		for addr, nb := range n.neigh[family] {
			m := f.owner[family][addr]
			if m == nil || !m.counts(family) || m.neigh[family][n.addr[family]] == nil {
				continue
			}
			if nb.sess == nil || nb.sess.state != up || nb.sess.blip {
				return false
			}
			found = true
		}
	}
	return found
}

func (p *plane) grow(slots int) {
	for len(p.rows) < slots {
		p.rows = append(p.rows, nil)
		p.links = append(p.links, nil)
		p.paths = append(p.paths, nil)
	}
	for i := range p.rows {
		if missing := slots - len(p.rows[i]); missing > 0 {
			p.rows[i] = append(p.rows[i], make([]pair, missing)...)
		}
	}
}

// reset forgets the pairs of a node: it lost its power, or its address. What
// they had lost before stays in the account, but not a loss still going on.
func (p *plane) reset(f *Fabric, n *node) {
	p.grow(len(f.slots))
	for _, m := range f.slots {
		if m == nil || m == n {
			continue
		}
		for _, x := range []*pair{&p.rows[n.slot][m.slot], &p.rows[m.slot][n.slot]} {
			if x.hit && x.lost > 0 {
				f.lossOf(&f.folded, n, m).add(x.lost, false)
			}
			*x = pair{direct: x.direct}
		}
	}
	n.settled = false
}

// forget clears a slot for its next owner.
func (p *plane) forget(n *node) {
	p.grow(n.slot + 1)
	p.links[n.slot], p.paths[n.slot] = nil, nil
	for i := range p.rows {
		if n.slot < len(p.rows[i]) {
			p.rows[i][n.slot] = pair{}
		}
	}
	clear(p.rows[n.slot])
}

func (f *Fabric) lossOf(a *Account, n, m *node) *Loss {
	for _, x := range []*node{n, m} {
		if x.roleChanged || f.changing != nil && f.changing(x.name) {
			return &a.Changing
		}
	}
	return &a.Ordinary
}

// Account returns the losses up to the time of the last call, running ones
// included.
func (f *Fabric) Account() Account {
	a := f.folded
	f.eachPair(func(_ int, o, z *node, x *pair) {
		if x.hit {
			lost, missing := x.total(f.now)
			f.lossOf(&a, o, z).add(lost, missing)
		}
	})
	return a
}

// ResetAccount starts a new account. changing names nodes whose role changes; it
// may be nil, and is asked each time: nodes whose cluster ID changes after this
// call count as changing in any case.
func (f *Fabric) ResetAccount(now time.Time, changing func(node string) bool) {
	f.Advance(now)
	f.changing = changing
	f.folded = Account{}
	for _, n := range f.slots {
		if n != nil {
			n.roleChanged = false
		}
	}
	f.eachPair(func(_ int, _, _ *node, x *pair) {
		x.lost, x.hit = 0, x.had && !x.has
		if x.hit {
			x.since = f.now
		}
	})
}

// MissingPairs counts the pairs of running nodes without a route, whether or
// not they ever had one, with a sample of at most 20.
func (f *Fabric) MissingPairs() (count int, sample []Pair) {
	f.eachPair(func(family int, o, z *node, x *pair) {
		if x.has {
			return
		}
		count++
		if len(sample) < 20 {
			sample = append(sample, Pair{Node: z.name, Destination: o.name, IPv6: family == v6})
		}
	})
	return count, sample
}

func (f *Fabric) eachPair(visit func(family int, o, z *node, x *pair)) {
	for family, p := range f.planes {
		p.grow(len(f.slots))
		for _, o := range f.slots {
			if o == nil || !o.counts(family) {
				continue
			}
			for _, z := range f.slots {
				if z != nil && z != o && z.counts(family) {
					visit(family, o, z, &p.rows[o.slot][z.slot])
				}
			}
		}
	}
}

// SessionCounts returns how many sessions both ends of which have power are
// configured at both ends, and how many of those are up. Both address families
// are counted.
func (f *Fabric) SessionCounts() (ready, configured int) {
	for family := range families {
		for _, n := range f.slots {
			if n == nil || !n.counts(family) {
				continue
			}
			for _, nb := range n.neigh[family] {
				one, both := f.countSession(n, family, nb)
				configured += both
				ready += one
			}
		}
	}
	return ready, configured
}

func (f *Fabric) countSession(n *node, family int, nb *neighbor) (ready, both int) {
	m := f.owner[family][nb.addr]
	if m == nil || m.slot <= n.slot || !m.counts(family) || m.neigh[family][n.addr[family]] == nil {
		return 0, 0
	}
	if nb.sess != nil && nb.sess.state == up {
		return 1, 1
	}
	return 0, 1
}
