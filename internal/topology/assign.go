package topology

import (
	"cmp"
	"slices"
)

// assignment decides who serves whom: each group has k homes, reflectors that serve
// it. It starts from what stands and changes as little as will do.
type assignment struct {
	servers []server
	groups  []served
	// k homes a group; less where there are fewer reflectors. One that has fewer gets no
	// more than enough.
	k, enough int
	// apart: the homes of a group must not all be in one zone.
	apart bool
	// replacing: new servers take over from ones that are lost, and nothing else.
	replacing bool
	// loose: a group may do without a home in its own zone.
	loose bool
}

// server is a reflector.
type server struct {
	zone string
	// fixed: it serves groups already; to take one from it costs sessions.
	fixed bool
	// load is the number of clients that it serves.
	load int
}

// served is a group.
type served struct {
	zone string
	size int
	// by are its homes: indices of servers.
	by []int
}

// transfer is a home of a group that goes from one server to another.
type transfer struct{ group, from, to int }

// assign completes the homes and evens them out. capacity is how many clients a
// server may have. What stands is only moved where a server has more, or where a
// new server is there to take over its share.
func (a *assignment) assign(capacity int) {
	zones := map[string]bool{}
	for i := range a.servers {
		zones[a.servers[i].zone] = true
	}
	a.k = min(a.k, len(a.servers))
	a.enough = min(a.enough, a.k)
	a.apart = a.apart && len(zones) > 1 && a.k > 1
	a.fill()

	a.improve(a.mean(), true)
	if !a.replacing {
		a.shareOut(capacity)
	}
	fresh := !slices.ContainsFunc(a.servers, func(s server) bool { return s.fixed })
	if fresh && !a.even(15) {
		a.loose = true
		a.improve(a.mean(), true)
	}
	if a.most() > capacity {
		a.improve(capacity, false)
	}
	if a.most() > capacity && !a.loose {
		a.loose = true
		a.improve(capacity, false)
	}
}

// shareOut gives new servers that have little their share: first from servers that
// have too many, if need be without a home in the own zone, then from any.
func (a *assignment) shareOut(capacity int) {
	for i := range a.servers {
		if s := &a.servers[i]; s.fixed || 2*s.load >= a.mean() {
			continue
		}
		loose := a.loose
		for _, a.loose = range []bool{loose, true} {
			a.takeOver(i, capacity)
		}
		a.loose = loose
		a.takeOver(i, 0)
	}
}

// fill gives every group k homes: first one in its own zone, then one in another,
// then any; always with the server that has the fewest clients.
func (a *assignment) fill() {
	for g := range a.groups {
		for _, s := range a.groups[g].by {
			a.servers[s].load += a.groups[g].size
		}
	}
	for g := range a.groups {
		a.trim(g)
	}
	order := make([]int, len(a.groups))
	for g := range order {
		order[g] = g
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(a.groups[y].size, a.groups[x].size) })
	for _, g := range order {
		if a.replacing && len(a.groups[g].by) > 0 {
			a.replace(g)
		}
		if len(a.groups[g].by) < a.enough && !a.atHome(g) {
			a.add(g, func(s int) bool { return a.servers[s].zone == a.groups[g].zone })
		}
	}
	for _, g := range order {
		a.fillUp(g)
	}
}

// fillUp gives a group the homes that it still lacks, and one more than enough where all
// would be in one zone.
func (a *assignment) fillUp(g int) {
	by := &a.groups[g].by
	for {
		parts := a.apart && len(*by) < a.k && a.oneZone(g)
		if parts && a.add(g, func(s int) bool { return a.servers[s].zone != a.servers[(*by)[0]].zone }) {
			continue
		}
		if len(*by) >= a.enough || !a.add(g, func(int) bool { return true }) {
			return
		}
	}
}

// replace gives a group that lost homes new servers for them, as long as these have
// less than their share.
func (a *assignment) replace(g int) {
	group := &a.groups[g]
	for len(group.by) < a.enough && a.add(g, func(s int) bool {
		new := &a.servers[s]
		return !new.fixed && new.load+group.size <= a.share() && (!a.apart || a.inZone(group.by, new.zone) < len(group.by))
	}) {
		continue
	}
}

// share is the most clients that a new server takes over.
func (a *assignment) share() int { return a.mean() * 23 / 20 }

// trim takes homes away where a group has too many, and one where all are in one
// zone though they need not be: those with the most clients.
func (a *assignment) trim(g int) {
	group := &a.groups[g]
	for len(group.by) > a.k {
		worst := -1
		for i, s := range group.by {
			rest := slices.Delete(slices.Clone(group.by), i, i+1)
			keeps := a.keeps(group.zone, group.by, rest)
			if keeps && (worst < 0 || a.servers[s].load > a.servers[group.by[worst]].load) {
				worst = i
			}
		}
		if worst < 0 {
			worst = len(group.by) - 1
		}
		a.drop(g, worst)
	}
	if a.apart && len(group.by) == a.k && a.oneZone(g) {
		worst := 0
		for i, s := range group.by {
			if a.servers[s].load > a.servers[group.by[worst]].load {
				worst = i
			}
		}
		a.drop(g, worst)
	}
}

func (a *assignment) drop(g, at int) {
	group := &a.groups[g]
	a.servers[group.by[at]].load -= group.size
	group.by = slices.Delete(group.by, at, at+1)
}

// add finds a home for the group among the servers that may be one. New servers
// come first while they have less than their share, so that one that replaces
// another takes over what the other had.
func (a *assignment) add(g int, may func(s int) bool) bool {
	group := &a.groups[g]
	share := a.share()
	best := -1
	for s := range a.servers {
		if !may(s) || slices.Contains(group.by, s) {
			continue
		}
		if best < 0 || a.better(group, s, best, share) {
			best = s
		}
	}
	if best < 0 {
		return false
	}
	group.by = append(group.by, best)
	a.servers[best].load += group.size
	return true
}

func (a *assignment) better(group *served, s, t, share int) bool {
	x, y := &a.servers[s], &a.servers[t]
	roomX, roomY := !x.fixed && x.load+group.size <= share, !y.fixed && y.load+group.size <= share
	if roomX != roomY {
		return roomX
	}
	return cmp.Or(cmp.Compare(x.load, y.load),
		cmp.Compare(a.inZone(group.by, x.zone), a.inZone(group.by, y.zone))) < 0
}

func (a *assignment) inZone(by []int, zone string) int {
	n := 0
	for _, s := range by {
		if a.servers[s].zone == zone {
			n++
		}
	}
	return n
}

func (a *assignment) atHome(g int) bool { return a.inZone(a.groups[g].by, a.groups[g].zone) > 0 }

func (a *assignment) oneZone(g int) bool {
	by := a.groups[g].by
	return len(by) > 0 && a.inZone(by, a.servers[by[0]].zone) == len(by)
}

// keeps tells whether other homes are as good for a group of that zone.
func (a *assignment) keeps(zone string, before, after []int) bool {
	if !a.loose && a.inZone(before, zone) > 0 && a.inZone(after, zone) == 0 {
		return false
	}
	if !a.apart || len(after) == 0 {
		return true
	}
	return a.inZone(after, a.servers[after[0]].zone) < len(after)
}

// fits tells whether the move leaves the group with homes as good as before.
func (a *assignment) fits(m transfer) bool {
	group := &a.groups[m.group]
	to := a.servers[m.to].zone
	own, other, had := to == group.zone, false, false
	for _, s := range group.by {
		if s == m.to {
			return false
		}
		zone := a.servers[s].zone
		had = had || zone == group.zone
		if s != m.from {
			own = own || zone == group.zone
			other = other || zone != to
		}
	}
	return (a.loose || own || !had) && (!a.apart || other || len(group.by) < 2)
}

func (a *assignment) apply(m transfer) {
	group := &a.groups[m.group]
	group.by[slices.Index(group.by, m.from)] = m.to
	a.servers[m.from].load -= group.size
	a.servers[m.to].load += group.size
}

// idlest is the server that has the fewest clients, without those that have the group
// already or are in the one zone where all its homes are; -1 where the group would give
// it more than its share and than any other has.
func (a *assignment) idlest(g int) int {
	loads, sum := make([]int, len(a.servers)), a.groups[g].size
	for i := range a.groups {
		for _, s := range a.groups[i].by {
			loads[s] += a.groups[i].size
			sum += a.groups[i].size
		}
	}
	best := -1
	for s := range loads {
		if !slices.Contains(a.groups[g].by, s) && !a.bundles(g, s) && (best < 0 || loads[s] < loads[best]) {
			best = s
		}
	}
	share := (sum + len(loads) - 1) / len(loads) * 23 / 20
	if best < 0 || loads[best]+a.groups[g].size > max(share, slices.Max(loads)) {
		return -1
	}
	return best
}

// bundles: with that server all homes of the group would be in one zone, though they need
// not be.
func (a *assignment) bundles(g, s int) bool {
	by := a.groups[g].by
	return a.apart && !a.alike() && len(by) > 0 && a.inZone(by, a.servers[s].zone) == len(by)
}

// alike: all servers are in one zone.
func (a *assignment) alike() bool {
	return !slices.ContainsFunc(a.servers, func(s server) bool { return s.zone != a.servers[0].zone })
}

// mean is the number of clients a server, rounded up.
func (a *assignment) mean() int {
	sum := 0
	for g := range a.groups {
		sum += a.groups[g].size * a.k
	}
	return (sum + len(a.servers) - 1) / max(len(a.servers), 1)
}

func (a *assignment) most() int {
	most := 0
	for i := range a.servers {
		most = max(most, a.servers[i].load)
	}
	return most
}

// even tells whether no server is so many percent above the mean.
func (a *assignment) even(percent int) bool {
	sum := 0
	for i := range a.servers {
		sum += a.servers[i].load
	}
	most := a.most()
	return most <= a.mean() || most*len(a.servers)*100 <= sum*(100+percent)
}

// scattered tells whether every group has all its homes, in two zones where apart.
func (a *assignment) scattered() bool {
	for g := range a.groups {
		if len(a.groups[g].by) < a.k || a.apart && a.oneZone(g) {
			return false
		}
	}
	return true
}
