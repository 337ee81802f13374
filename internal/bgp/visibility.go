package bgp

import "math/bits"

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
		search[f] = newSearch(&walker{net: n, graph: n.graphs[f], living: living, every: true}, Family(f), ends)
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
