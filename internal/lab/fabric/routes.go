package fabric

import "slices"

// clusterIDs is a set of cluster IDs, by index. With more than 256 of them in
// one cluster the last ones share a bit, which makes the simulation see loops
// where there are none: it errs towards lost routes.
type clusterIDs [4]uint64

func (c clusterIDs) has(i int) bool { return c[i/64]&(1<<(i%64)) != 0 }

func (c clusterIDs) with(i int) clusterIDs {
	c[i/64] |= 1 << (i % 64)
	return c
}

func (c *clusterIDs) within(o *clusterIDs) bool {
	for i := range c {
		if c[i]&^o[i] != 0 {
			return false
		}
	}
	return true
}

// path is one path to a destination, as a reflector holds it: from which
// neighbor, whether that one is its client, the cluster list and the
// communities. With add paths every path is passed on, so all that differ in
// these are kept.
type path struct {
	from   *node
	client bool
	tags   tags
	ids    clusterIDs
}

// covers: whatever o could reach, p reaches as well. Filters may ask for a
// community as well as for its absence, so the communities must be the same.
func (p *path) covers(o *path) bool {
	return (p.client || !o.client) && p.tags == o.tags && p.ids.within(&o.ids)
}

// link is a session that carries routes between a node and a reflector.
type link struct {
	reflector *node
	sess      *session
}

// plane holds the routes of one address family. Every node originates one
// destination; a pair is (destination, node that has a route to it).
type plane struct {
	family     int
	reflectors []*node
	links      [][]link   // by slot: its sessions with reflectors
	paths      [][][]path // by slot of the destination, by reflector
	rows       [][]pair   // by slot of the destination, by slot of the node

	dirty   bool       // work everything out anew
	changed []*session // sessions that came up, went down or got other filters

	spare  [][]path  // for the next spread
	todo   []arrival // the same
	differ []bool    // by reflector: what it holds changed in the last spread
}

// relay passes a path on from reflector y to z by RFC 4456 as BIRD has it: one
// of the two sides must be a client; the loop check on the cluster list is made
// on sessions with clients only, by the sender and by the receiver.
func relay(y, z *node, s *session, p path) (path, bool) {
	toClient := s.client(y)
	if !p.client && !toClient || toClient && p.ids.has(y.idBit) {
		return path{}, false
	}
	ids := p.ids.with(y.idBit)
	fromClient := s.client(z)
	if fromClient && ids.has(z.idBit) {
		return path{}, false
	}
	carried, ok := s.deliver(y, z, p.tags, true)
	return path{from: y, client: fromClient, tags: carried, ids: ids}, ok
}

// spreader works out which paths to one destination the reflectors hold.
type spreader struct {
	plane *plane
	held  [][]path // by reflector
	todo  []arrival
}

// arrival is a path that a reflector has got and not passed on yet.
type arrival struct {
	at   *node
	path path
}

func (s *spreader) add(at *node, x path) {
	i := at.rr[s.plane.family]
	for j := range s.held[i] {
		if s.held[i][j].covers(&x) {
			return
		}
	}
	s.held[i] = append(s.held[i], x)
	s.todo = append(s.todo, arrival{at, x})
}

// spread works out anew which paths to o the reflectors hold. It tells whether
// that changed; for which of them is in p.differ.
func (p *plane) spread(o *node) bool {
	s := spreader{plane: p, held: p.spare, todo: p.todo[:0]}
	if len(s.held) != len(p.reflectors) {
		s.held = make([][]path, len(p.reflectors))
	}
	for i := range s.held {
		s.held[i] = s.held[i][:0]
	}
	s.run(o)
	before := p.paths[o.slot]
	p.paths[o.slot], p.spare, p.todo = s.held, before, s.todo
	return p.compare(before, s.held)
}

func (p *plane) compare(before, after [][]path) (any bool) {
	p.differ = p.differ[:0]
	for i := range after {
		d := len(before) != len(after) || !slices.Equal(before[i], after[i])
		p.differ = append(p.differ, d)
		any = any || d
	}
	return any
}

func (s *spreader) run(o *node) {
	p := s.plane
	for _, y := range p.reflectors {
		if !y.powered {
			for _, x := range y.frozen[p.family][o] {
				s.add(y, x)
			}
		}
	}
	for _, l := range p.links[o.slot] {
		if !l.reflector.powered {
			continue
		}
		if carried, ok := l.sess.deliver(o, l.reflector, 0, false); ok {
			s.add(l.reflector, path{from: o, client: l.sess.client(l.reflector), tags: carried})
		}
	}
	for i := 0; i < len(s.todo); i++ {
		s.passOn(s.todo[i], o)
	}
}

// passOn gives a path to the other reflectors. One without power takes none.
func (s *spreader) passOn(a arrival, o *node) {
	for _, l := range s.plane.links[a.at.slot] {
		z := l.reflector
		if z == o || z == a.path.from || !z.powered {
			continue
		}
		if x, ok := relay(a.at, z, l.sess, a.path); ok {
			s.add(z, x)
		}
	}
}

// reaches tells whether node z has a route to destination o.
func (p *plane) reaches(o, z *node) bool {
	if p.rows[o.slot][z.slot].direct {
		return true
	}
	held := p.paths[o.slot]
	for _, l := range p.links[z.slot] {
		y := l.reflector
		i := y.rr[p.family]
		if i >= len(held) {
			continue
		}
		for _, x := range held[i] {
			if x.from == z {
				continue
			}
			if _, ok := relay(y, z, l.sess, x); ok {
				return true
			}
		}
	}
	return false
}

// flush works out the routes that what has changed concerns. A session between
// two ordinary nodes concerns their own two pairs only; one with a reflector
// the pairs of the ordinary node; one between reflectors all.
func (p *plane) flush(f *Fabric) {
	if !p.dirty && len(p.changed) == 0 {
		return
	}
	p.grow(len(f.slots))
	ordinary, core, pairs := p.sortChanges()
	if p.dirty {
		p.rebuild(f)
		return
	}
	for _, s := range pairs {
		p.check(f, s.a, s.b)
		p.check(f, s.b, s.a)
	}
	for _, n := range slices.Concat(core, ordinary) {
		p.relink(n)
	}
	if len(core) > 0 {
		p.respread(f, core)
	}
	for _, n := range ordinary {
		p.spread(n)
	}
	for _, n := range ordinary {
		for _, m := range f.slots {
			if m != nil && m != n {
				p.check(f, n, m)
				p.check(f, m, n)
			}
		}
	}
}

// sortChanges notes which pairs have a session of their own now, and says whom
// the changes concern.
func (p *plane) sortChanges() (ordinary, core []*node, pairs []*session) {
	for _, s := range p.changed {
		p.rows[s.a.slot][s.b.slot].direct = p.direct(s.a, s.b)
		p.rows[s.b.slot][s.a.slot].direct = p.direct(s.b, s.a)
		switch ra, rb := s.a.rr[p.family] >= 0, s.b.rr[p.family] >= 0; {
		case ra && rb:
			core = append(core, s.a, s.b)
			pairs = append(pairs, s)
		case ra:
			ordinary = append(ordinary, s.b)
		case rb:
			ordinary = append(ordinary, s.a)
		default:
			pairs = append(pairs, s)
		}
	}
	p.changed = p.changed[:0]
	return unique(ordinary), unique(core), pairs
}

func unique(nodes []*node) []*node {
	slices.SortFunc(nodes, func(a, b *node) int { return a.slot - b.slot })
	return slices.Compact(nodes)
}

// respread works out what a change between the core's reflectors means for all
// destinations. Who else has no session with a reflector that holds other paths now
// sees no difference.
func (p *plane) respread(f *Fabric, core []*node) {
	for _, o := range f.slots {
		if o == nil || !p.spread(o) {
			continue
		}
		for _, z := range f.slots {
			if z != nil && z != o && p.sees(z) {
				p.check(f, o, z)
			}
		}
	}
	for _, z := range core {
		for _, o := range f.slots {
			if o != nil && o != z {
				p.check(f, o, z)
			}
		}
	}
}

// sees: z has a session with a reflector that holds other paths since the last
// spread.
func (p *plane) sees(z *node) bool {
	for _, l := range p.links[z.slot] {
		if p.differ[l.reflector.rr[p.family]] {
			return true
		}
	}
	return false
}

// direct tells whether o gives its own destination to z over a session of their
// own.
func (p *plane) direct(o, z *node) bool {
	s := p.session(o, z)
	if s == nil {
		return false
	}
	_, ok := s.deliver(o, z, 0, false)
	return ok
}

// session returns the session between two nodes if it carries routes.
func (p *plane) session(a, b *node) *session {
	nb := a.neigh[p.family][b.addr[p.family]]
	if nb == nil || nb.sess == nil || nb.sess.other(a) != b || !nb.sess.carries() {
		return nil
	}
	return nb.sess
}

func (p *plane) relink(n *node) {
	links := p.links[n.slot][:0]
	for _, y := range p.reflectors {
		if y == n {
			continue
		}
		if s := p.session(n, y); s != nil {
			links = append(links, link{y, s})
		}
	}
	p.links[n.slot] = links
}

// rebuild works everything out anew.
func (p *plane) rebuild(f *Fabric) {
	p.dirty = false
	var nodes []*node
	for _, n := range f.slots {
		if n != nil {
			nodes = append(nodes, n)
		}
	}
	p.findReflectors(nodes)
	for _, n := range nodes {
		p.relink(n)
	}
	for _, o := range nodes {
		p.spread(o)
		for _, z := range nodes {
			if o != z {
				p.check(f, o, z)
			}
		}
	}
}

// findReflectors lists the nodes that run with a cluster ID; those without power
// as long as somebody holds routes of theirs.
func (p *plane) findReflectors(nodes []*node) {
	p.reflectors = p.reflectors[:0]
	index := map[string]int{}
	for _, n := range nodes {
		n.rr[p.family] = -1
		if n.clusterID == "" || !n.powered && !n.inUse() {
			continue
		}
		if _, ok := index[n.clusterID]; !ok {
			index[n.clusterID] = min(len(index), 255)
		}
		n.idBit = index[n.clusterID]
		n.rr[p.family] = len(p.reflectors)
		p.reflectors = append(p.reflectors, n)
	}
}

// statesAt returns what a reflector holds, to be frozen when its power goes.
func (p *plane) statesAt(n *node, slots []*node) map[*node][]path {
	i := n.rr[p.family]
	if i < 0 {
		return nil
	}
	out := map[*node][]path{}
	for _, o := range slots {
		if o != nil && o.slot < len(p.paths) && i < len(p.paths[o.slot]) {
			out[o] = slices.Clone(p.paths[o.slot][i])
		}
	}
	return out
}

func (f *Fabric) routesChanged(s *session) {
	p := f.planes[s.family]
	p.changed = append(p.changed, s)
}
