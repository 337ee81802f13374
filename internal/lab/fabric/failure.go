package fabric

import "time"

// Kill cuts a node's power. Its neighbors do not notice: they keep its routes
// until the hold time is over. It tells whether there is such a node, running.
func (f *Fabric) Kill(now time.Time, name string) bool {
	f.Advance(now)
	n := f.byName[name]
	if n == nil || !n.powered {
		return false
	}
	f.powerOff(n)
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
		f.powerOff(n)
	}
	delete(f.byName, n.name)
	f.leaving = append(f.leaving, n)
}

func (f *Fabric) powerOff(n *node) {
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
			f.fallSilent(nb)
		}
		p.reset(f, n)
	}
}

// fallSilent: one end of a session has lost its power.
func (f *Fabric) fallSilent(nb *neighbor) {
	s := nb.sess
	switch {
	case s == nil:
	case s.state == up:
		s.state = held
		s.gen++
		hold := Span{f.timing.Hold * 2 / 3, f.timing.Hold}
		f.push(event{at: f.now + draw(f.rng, hold), kind: evHold, sess: s, gen: s.gen})
	case s.state == held: // neither end is alive
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
