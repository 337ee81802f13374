package bgp

import "slices"

// lossCount counts ordered pairs of nodes and keeps the first ones by name.
type lossCount struct {
	roles  *roles
	living []int32
	lost   func(node string) bool
	count  int
	pairs  []Pair
	// unordered: each pair is meant in both orders and kept in one.
	unordered bool
}

func newLoss(r *roles, living []int32, lost func(node string) bool) *lossCount {
	return &lossCount{roles: r, living: living, lost: lost}
}

// add counts the pairs of all members of missing with all members of source.
func (l *lossCount) add(source int32, missing set) {
	pairs := missingPairs(l.living, source, missing)
	if pairs == 0 {
		return
	}
	l.count += pairs
	missing.each(func(c int32) { l.remember(c, source) })
}

// remember keeps the first pairs between two classes, which are enough: the first
// pairs of all are among them.
func (l *lossCount) remember(from, to int32) {
	kept := 0
	for _, a := range l.roles.members(from) {
		for _, b := range l.roles.members(to) {
			if !l.wanted(a, b) {
				continue
			}
			p := Pair{l.roles.names[a], l.roles.names[b]}
			if len(l.pairs) >= sampleSize && comparePairs(l.pairs[sampleSize-1], p) <= 0 {
				return // members come in order: no later one is smaller
			}
			l.insert(p)
			if kept++; kept == sampleSize {
				return
			}
		}
	}
}

// wanted: two living nodes, which are in order where order means nothing.
func (l *lossCount) wanted(a, b int32) bool {
	if a == b || l.unordered && a > b {
		return false
	}
	return l.lost == nil || !l.lost(l.roles.names[a]) && !l.lost(l.roles.names[b])
}

func (l *lossCount) insert(p Pair) {
	at, found := slices.BinarySearchFunc(l.pairs, p, comparePairs)
	if found {
		return
	}
	l.pairs = slices.Insert(l.pairs, at, p)
	if len(l.pairs) > sampleSize {
		l.pairs = l.pairs[:sampleSize]
	}
}

func (l *lossCount) sample() []Pair { return l.pairs }
