package faults

import (
	"math/rand/v2"
	"time"
)

// Disturbance is something that a watch, or the list that it begins with, does to the
// caches of a controller.
type Disturbance uint8

// Disturbances.
const (
	// Stall: events arrive late, all at once; those of other kinds overtake them.
	Stall Disturbance = iota
	// Drop: events are lost until a new list is taken, which shows only their sum.
	Drop
	// Old: the list of an API server that is behind: back in time, for a while.
	Old
	// Empty, Partial: a list that lacks all or some objects, for a while.
	Empty
	Partial
	// Restart: the controller dies, and the next one begins with an old list.
	Restart
	disturbancesEnd
)

var disturbanceNames = [disturbancesEnd]string{"stall", "drop", "old list", "empty list", "partial list", "restart on old lists"}

func (d Disturbance) String() string { return disturbanceNames[d] }

// Disturbances are all of them.
var Disturbances = []Disturbance{Stall, Drop, Old, Empty, Partial, Restart}

// Disturb does something to the caches of a controller, drawn from r.
func (w *World) Disturb(what Disturbance, r *rand.Rand) {
	living := w.living()
	if len(living) == 0 {
		return
	}
	p := living[r.IntN(len(living))]
	kind := disturbedKinds[r.IntN(len(disturbedKinds))]
	d := time.Second/2 + time.Duration(r.Int64N(int64(20*time.Second)))
	back := 1 + r.IntN(30)
	w.tell("disturbance of %s: %s of %s for %v", p.name, what, kind, d.Round(time.Millisecond))
	if kind == "Lease" && what != Restart {
		w.holdLeases(what == Drop || what == Partial, d, r)
		return
	}
	switch what {
	case Stall:
		p.view.stall(kind, d)
	case Drop:
		p.view.drop(kind, d)
	case Old:
		p.view.pretend(kind, d, w.store.since(kind, back))
	case Empty:
		p.view.pretend(kind, d, &table{})
	case Partial:
		p.view.pretend(kind, d, partial(w.store.table(kind), r))
	case Restart:
		w.Kill(p.name, func(next *process) {
			for _, kind := range cachedKinds {
				next.view.pretend(kind, d, w.store.since(kind, r.IntN(back)))
			}
		})
	}
}

// disturbedKinds are those of which something can be wrong: what is cached, and Leases.
var disturbedKinds = append(cachedKinds[:len(cachedKinds):len(cachedKinds)], "Lease")

// holdLeases has the Lease of one reflector, or those of all nodes, stand still for a time.
func (w *World) holdLeases(one bool, d time.Duration, r *rand.Rand) {
	names := w.NodeNames()
	if reflectors := w.Reflectors(); one && len(reflectors) > 0 {
		names = []string{pick(reflectors, r)}
	}
	since := w.now
	for _, name := range names {
		w.still[name] = since
	}
	w.In(d, func() {
		for _, name := range names {
			if w.still[name].Equal(since) {
				delete(w.still, name)
			}
		}
	})
}

func partial(t *table, r *rand.Rand) *table {
	out := &table{}
	for i, key := range t.keys {
		if r.IntN(2) == 0 {
			out.set(key, t.objects[i])
		}
	}
	return out
}

// drop loses the events of a time, then takes a new list.
func (v *view) drop(kind string, d time.Duration) {
	s := v.streams[kind]
	s.queue = nil
	s.deaf = v.world.now.Add(d)
	v.world.at(s.deaf, func() { v.relist(s) })
}

// relist takes a new list, unless a fault goes on.
func (v *view) relist(s *stream) {
	if !v.world.now.Before(s.deaf) {
		v.list(s, v.world.trimmed(v.world.store.table(s.kind)))
	}
}

func (w *World) living() []*process {
	var out []*process
	for _, p := range w.processes {
		if !p.dead {
			out = append(out, p)
		}
	}
	return out
}

// Kill ends a controller, wherever its pass stands. Another starts after it; prepare,
// where not nil, is told of it before its first pass.
func (w *World) Kill(name string, prepare func(next *process)) {
	for _, p := range w.living() {
		if p.name == name {
			w.tell("%s dies", name)
			p.kill()
			w.restart(name, prepare)
		}
	}
}
