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

func (c clusterIDs) within(o clusterIDs) bool {
	for i := range c {
		if c[i]&^o[i] != 0 {
			return false
		}
	}
	return true
}

// path is one path to a destination, as a reflector holds it: from which
// neighbor, whether that one is its client, and the cluster list. With add
// paths every path is passed on, so all that differ in these are kept.
type path struct {
	from   *node
	client bool
	ids    clusterIDs
}

// covers: whatever o could reach, p reaches as well.
func (p path) covers(o path) bool { return (p.client || !o.client) && p.ids.within(o.ids) }

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
	changed []*session // sessions that came up or went down
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
	return path{from: y, client: fromClient, ids: ids}, true
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
	for _, have := range s.held[i] {
		if have.covers(x) {
			return
		}
	}
	s.held[i] = append(s.held[i], x)
	s.todo = append(s.todo, arrival{at, x})
}

func (p *plane) spread(o *node) {
	s := spreader{plane: p, held: p.paths[o.slot]}
	if len(s.held) != len(p.reflectors) {
		s.held = make([][]path, len(p.reflectors))
	}
	for i := range s.held {
		s.held[i] = s.held[i][:0]
	}
	p.paths[o.slot] = s.held
	for _, y := range p.reflectors {
		if !y.powered {
			for _, x := range y.frozen[p.family][o] {
				s.add(y, x)
			}
		}
	}
	for _, l := range p.links[o.slot] {
		if l.reflector.powered {
			s.add(l.reflector, path{from: o, client: l.sess.client(l.reflector)})
		}
	}
	for len(s.todo) > 0 {
		next := s.todo[0]
		s.todo = s.todo[1:]
		s.passOn(next, o)
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
	ordinary, pairs := p.sortChanges()
	if p.dirty {
		p.rebuild(f)
		return
	}
	for _, s := range pairs {
		p.check(f, s.a, s.b)
		p.check(f, s.b, s.a)
	}
	for _, n := range ordinary {
		p.relink(n)
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
func (p *plane) sortChanges() (ordinary []*node, pairs []*session) {
	for _, s := range p.changed {
		direct := p.session(s.a, s.b) != nil
		p.rows[s.a.slot][s.b.slot].direct = direct
		p.rows[s.b.slot][s.a.slot].direct = direct
		switch ra, rb := s.a.rr[p.family] >= 0, s.b.rr[p.family] >= 0; {
		case ra && rb:
			p.dirty = true
		case ra:
			ordinary = append(ordinary, s.b)
		case rb:
			ordinary = append(ordinary, s.a)
		default:
			pairs = append(pairs, s)
		}
	}
	p.changed = p.changed[:0]
	slices.SortFunc(ordinary, func(a, b *node) int { return a.slot - b.slot })
	return slices.Compact(ordinary), pairs
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
