package bgp

import (
	"math/bits"
	"slices"
)

// Visibility tells which nodes have a route to which.
type Visibility struct {
	Complete bool
	// MissingPairs counts ordered pairs; Sample names the first of them.
	MissingPairs int
	Sample       []Pair
}

// Visibility is computed without the nodes that are lost (nil: none). A pair is
// missing if in an address family that both nodes have one lacks a route to an
// address block of the other.
func (n *Network) Visibility(lost func(node string) bool) Visibility {
	return n.visibility(n.living(lost), lost)
}

// living counts the members of each class that are not lost.
func (n *Network) living(lost func(node string) bool) []int32 {
	out := make([]int32, n.roles.count())
	for c := range int32(len(out)) {
		if !n.d.node(c).present {
			continue
		}
		if lost == nil {
			out[c] = n.roles.size(c)
			continue
		}
		for _, m := range n.roles.members(c) {
			if !lost(n.roles.names[m]) {
				out[c]++
			}
		}
	}
	return out
}

func (n *Network) visibility(living []int32, lost func(node string) bool) Visibility {
	loss := newLoss(n.roles, living, lost)
	n.eachMissing(living, nil, func(source int32, missing set) bool {
		loss.add(source, missing)
		return true
	})
	return Visibility{Complete: loss.count == 0, MissingPairs: loss.count, Sample: loss.sample()}
}

// complete is Visibility().Complete, which ends at the first missing pair.
func (n *Network) complete(living []int32, ends set) bool {
	ok := true
	n.eachMissing(living, ends, func(source int32, missing set) bool {
		ok = missingPairs(living, source, missing) == 0
		return ok
	})
	return ok
}

// eachMissing gives for every class the classes that lack one of its routes,
// until yield returns false. missing is valid during the call only. ends limits
// both sides (nil: all).
func (n *Network) eachMissing(living []int32, ends set, yield func(source int32, missing set) bool) {
	var search [families]*search
	for f := range search {
		search[f] = newSearch(&walker{net: n, graph: n.graphs[f], living: living, every: true}, ends)
	}
	missing := newSet(n.roles.count())
	for source := range int32(n.roles.count()) {
		if living[source] == 0 || ends != nil && !ends.has(source) {
			continue
		}
		missing.clear()
		for f := range search {
			search[f].missing(source, Family(f), missing)
		}
		if !yield(source, missing) {
			return
		}
	}
}

// set is a set of classes.
type set []uint64

func newSet(n int) set         { return make(set, (n+63)/64) }
func (s set) has(c int32) bool { return s[c>>6]&(1<<(uint(c)&63)) != 0 }
func (s set) add(c int32)      { s[c>>6] |= 1 << (uint(c) & 63) }
func (s set) clear()           { clear(s) }
func (s set) each(f func(int32)) {
	for i, w := range s {
		for ; w != 0; w &= w - 1 {
			f(int32(i*64 + bits.TrailingZeros64(w)))
		}
	}
}

// search finds the classes that a route reaches. It goes on from a node only with
// routes that can get anywhere an earlier one could not.
type search struct {
	*walker
	targets [families]set
	reached set
	left    int
	queue   []carried
	states  [][]carried
	touched []int32
	// wantRemoved: only what arrives over a removed session counts.
	wantRemoved bool
}

func newSearch(w *walker, ends set) *search {
	n := w.net.roles.count()
	s := &search{walker: w, reached: newSet(n), states: make([][]carried, n)}
	for f := range s.targets {
		s.targets[f] = newSet(n)
		for c := range int32(n) {
			if w.living[c] > 0 && (ends == nil || ends.has(c)) && w.net.d.node(c).addr[f].IsValid() {
				s.targets[f].add(c)
			}
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
		s.run(source, kind, s.targets[f])
		for i := range to {
			to[i] |= s.targets[f][i] &^ s.reached[i]
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
func (s *search) run(source int32, kind uint64, targets set) {
	s.reset()
	s.left = 0
	for _, w := range targets {
		s.left += bits.OnesCount64(w)
	}
	if targets.has(source) && s.living[source] == 1 {
		s.reached.add(source)
		s.left--
	}
	s.queue = append(s.queue, s.origin(source, kind))
	for i := 0; i < len(s.queue) && s.left > 0; i++ {
		s.spread(&s.queue[i], targets)
	}
}

func (s *search) reset() {
	s.reached.clear()
	s.queue = s.queue[:0]
	for _, c := range s.touched {
		s.states[c] = s.states[c][:0]
	}
	s.touched = s.touched[:0]
}

func (s *search) spread(r *carried, targets set) {
	edges := s.graph.edges[r.at]
	from := *r
	for i := range edges {
		e := &edges[i]
		if s.reached.has(e.to) && !s.graph.passes[e.to] {
			continue
		}
		x, ok := s.send(&from, e)
		if !ok {
			continue
		}
		if (x.removed || !s.wantRemoved) && targets.has(e.to) && !s.reached.has(e.to) {
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
// that came from another neighbour cannot go back there, so it takes two.
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
	if y.fromClient != x.fromClient && !y.fromClient || y.fromEBGP != x.fromEBGP && !y.fromEBGP {
		return false
	}
	if y.localAS != x.localAS || y.must != x.must || y.may != x.may || x.removed && !y.removed {
		return false
	}
	if y.originator != x.originator && y.originator != nowhere {
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

// missingPairs counts the ordered pairs of living nodes.
func missingPairs(living []int32, source int32, missing set) int {
	pairs := 0
	missing.each(func(c int32) {
		n := living[c]
		if c == source {
			n--
		}
		pairs += int(n) * int(living[source])
	})
	return pairs
}
