package bgp

import (
	"math/bits"
	"slices"
)

// search finds the classes that a route reaches.
type search struct {
	*walker
	targets set
	reached set
	left    int
	queue   []carried
	visited set
	states  [][]carried
	touched []int32
	// wantRemoved: only what arrives over a removed session counts.
	wantRemoved bool
	// used are the classes that passed the route on to what was reached.
	used set
}

// newSearch looks for the living members of classes in ends (nil: all) that have
// an address in the family.
func newSearch(w *walker, f Family, ends set) *search {
	n := w.net.roles.count()
	s := &search{walker: w, targets: newSet(n), reached: newSet(n), visited: newSet(n), used: newSet(n)}
	for c := range int32(n) {
		if w.living[c] > 0 && (ends == nil || ends.has(c)) && w.net.d.node(c).addr[f].IsValid() {
			s.targets.add(c)
		}
	}
	return s
}

// missing adds the classes that lack a route of the source.
func (s *search) missing(source int32, f Family, to set) {
	node := s.net.d.node(source)
	if !node.addr[f].IsValid() {
		return
	}
	for _, kind := range kindsOf(node, f) {
		s.run(source, kind)
		for i := range to {
			to[i] |= s.targets[i] &^ s.reached[i]
		}
	}
}

var oneKind = []uint64{0}

func kindsOf(n *node, f Family) []uint64 {
	if len(n.routes[f]) == 0 {
		return oneKind
	}
	return n.routes[f]
}

// run searches until all targets are reached or nothing is left to try. The class
// of the source counts as reached when its other members are.
func (s *search) run(source int32, kind uint64) {
	if !s.wantRemoved && s.quick(source, kind) {
		return
	}
	s.full(source, kind)
}

func (s *search) start(source int32, kind uint64) {
	s.reached.clear()
	s.used.clear()
	s.left = s.targets.count()
	if s.targets.has(source) && s.living[source] == 1 {
		s.reached.add(source)
		s.left--
	}
	origin := s.origin(source, kind)
	origin.parent = nowhere
	s.queue = append(s.queue[:0], origin)
}

// quick goes on from each class with the first route that reaches it only. In a
// healthy network that is enough to reach everything; it proves nothing where it
// does not.
func (s *search) quick(source int32, kind uint64) bool {
	s.start(source, kind)
	s.visited.clear()
	if s.living[source] == 1 {
		s.visited.add(source)
	}
	var x carried
	for i := 0; i < len(s.queue) && s.left > 0; i++ {
		from := s.queue[i]
		edges := s.graph.edges[from.at]
		for j := range edges {
			e := &edges[j]
			if s.visited.has(e.to) || !s.send(&from, e, &x) {
				continue
			}
			s.visited.add(e.to)
			if s.targets.has(e.to) && !s.reached.has(e.to) {
				s.reached.add(e.to)
				s.left--
				s.use(int32(i))
			}
			if s.graph.passes[e.to] {
				x.parent = int32(i)
				s.queue = append(s.queue, x)
			}
		}
	}
	return s.left == 0
}

// use notes the classes on the way to an entry of the queue.
func (s *search) use(i int32) {
	for ; i != nowhere && !s.queue[i].useful; i = s.queue[i].parent {
		s.queue[i].useful = true
		s.used.add(s.queue[i].at)
	}
}

// full goes on from a node with every route that may get anywhere an earlier one
// could not.
func (s *search) full(source int32, kind uint64) {
	if s.states == nil {
		s.states = make([][]carried, s.net.roles.count())
	}
	for _, c := range s.touched {
		s.states[c] = s.states[c][:0]
	}
	s.touched = s.touched[:0]
	s.start(source, kind)
	for i := range s.used {
		s.used[i] = ^uint64(0) // not worked out
	}
	for i := 0; i < len(s.queue) && s.left > 0; i++ {
		from := s.queue[i]
		s.spread(&from)
	}
}

func (s *search) spread(from *carried) {
	edges := s.graph.edges[from.at]
	var x carried
	for i := range edges {
		e := &edges[i]
		if s.reached.has(e.to) && !s.graph.passes[e.to] || !s.send(from, e, &x) {
			continue
		}
		if (x.removed || !s.wantRemoved) && s.targets.has(e.to) && !s.reached.has(e.to) {
			s.reached.add(e.to)
			s.left--
		}
		if s.graph.passes[e.to] && !s.dominated(&x) {
			if len(s.states[x.at]) == 0 {
				s.touched = append(s.touched, x.at)
			}
			s.states[x.at] = append(s.states[x.at], x)
			s.queue = append(s.queue, x)
		}
	}
}

// dominated tells whether earlier routes at the same node get wherever x can. One
// that came from another neighbor cannot go back there, so it takes two.
func (s *search) dominated(x *carried) bool {
	other := int32(nowhere)
	for i := range s.states[x.at] {
		y := &s.states[x.at][i]
		if !y.better(x) {
			continue
		}
		if y.prev == x.prev || s.living[y.prev] > 1 || other != nowhere && other != y.prev {
			return true
		}
		other = y.prev
	}
	return false
}

// better tells whether y may go everywhere that x may, but for poison reverse.
func (y *carried) better(x *carried) bool {
	switch {
	case x.fromClient && !y.fromClient, x.fromEBGP && !y.fromEBGP, x.removed && !y.removed,
		y.localAS != x.localAS, y.must != x.must, y.may != x.may,
		y.originator != x.originator && y.originator != nowhere:
		return false
	}
	return subset(y.clusters, x.clusters) && slices.Equal(y.path, x.path)
}

func subset(a, b []int32) bool {
	for _, c := range a {
		if !slices.Contains(b, c) {
			return false
		}
	}
	return true
}

func (s set) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s set) remove(c int32) { s[c>>6] &^= 1 << (uint(c) & 63) }

func (s set) without(other set) set {
	out := slices.Clone(s)
	for i := range out {
		out[i] &^= other[i]
	}
	return out
}

func (s set) or(other set) {
	for i, word := range other {
		s[i] |= word
	}
}
