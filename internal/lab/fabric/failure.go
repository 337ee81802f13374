package fabric

import "time"

// Kill cuts a node's power. Its neighbors do not notice: they keep its routes
// until the hold time is over. It tells whether there is such a node, running.
func (f *Fabric) Kill(now time.Time, name string) bool { return f.die(now, name, held) }

// Crash ends a node's BIRD, and with it its connections: its neighbors notice at once,
// and keep its routes for the restart time (BGP's graceful restart). It tells whether
// there is such a node, running. Revive starts it again.
func (f *Fabric) Crash(now time.Time, name string) bool { return f.die(now, name, stale) }

func (f *Fabric) die(now time.Time, name string, leaves sessionState) bool {
	f.Advance(now)
	n := f.byName[name]
	if n == nil || !n.powered {
		return false
	}
	f.powerOff(n, leaves)
	f.settle()
	return true
}

// Revive gives a node its power back: it boots, and what its neighbors still
// held of it is gone. It tells whether there is such a node, without power.
func (f *Fabric) Revive(now time.Time, name string) bool {
	f.Advance(now)
	n := f.byName[name]
	if n == nil || n.powered {
		return false
	}
	for family := range families {
		for _, nb := range n.neighbors(family) {
			if nb.sess != nil {
				f.close(nb.sess)
			}
		}
		n.neigh[family], n.frozen[family] = nil, nil
		f.planes[family].reset(f, n)
		f.planes[family].dirty = true
	}
	n.powered = true
	n.mesh, n.self, n.peerings, n.clusterID, n.meshPart = nil, host{}, nil, "", meshPart{}
	f.sendVersion(n)
	f.settle()
	return true
}

// retire: the Node object is gone, and the machine with it.
func (f *Fabric) retire(n *node) {
	n.gone = true
	if n.powered {
		f.powerOff(n, held)
	}
	delete(f.byName, n.name)
	f.leaving = append(f.leaving, n)
}

// powerOff leaves the node's sessions at their other ends as told.
func (f *Fabric) powerOff(n *node, leaves sessionState) {
	n.powered = false
	n.boot++
	for family := range families {
		p := f.planes[family]
		if n.clusterID != "" {
			p.flush(f) // what happened in this tick is in what it leaves behind
			n.frozen[family] = p.statesAt(n, f.slots)
			p.dirty = true
		}
		for _, nb := range n.neighbors(family) {
			f.orphan(nb, leaves)
		}
		p.reset(f, n)
	}
}

// orphan: one end of a session is dead.
func (f *Fabric) orphan(nb *neighbor, leaves sessionState) {
	s := nb.sess
	switch {
	case s == nil:
	case s.state == up:
		s.state = leaves
		s.gen++
		keeps := Span{f.timing.Hold * 2 / 3, f.timing.Hold}
		if leaves == stale {
			keeps = Span{f.timing.Restart, f.timing.Restart}
		}
		f.push(event{at: f.now + draw(f.rng, keeps), kind: evHold, sess: s, gen: s.gen})
	case s.orphaned(): // neither end is alive
		f.close(s)
	default:
		f.drop(s)
	}
}

// inUse: somebody still holds routes of a node without power.
func (n *node) inUse() bool {
	for family := range families {
		for _, nb := range n.neigh[family] {
			if nb.sess != nil {
				return true
			}
		}
	}
	return false
}
