package bgp

import (
	"slices"
	"strconv"
)

// Weakening is what a step takes of the redundancy: pairs that would lose their
// route with so many reflectors, and would not have lost it before.
type Weakening struct {
	// Reflectors is the number of lost reflectors that is enough; 0: nothing is weakened.
	Reflectors int
	// Pairs is empty where there are too many choices of lost reflectors to try.
	Pairs Loss
}

func (w Weakening) String() string {
	pairs := "pairs of nodes"
	if w.Pairs.Count > 0 {
		pairs = example(w.Pairs)
	}
	reflectors := "the loss of one reflector"
	if w.Reflectors > 1 {
		reflectors = "the loss of " + strconv.Itoa(w.Reflectors) + " reflectors"
	}
	return reflectors + " could cost " + pairs + " the route, and cannot now"
}

// weakens compares how many reflectors may fail before and after, up to a limit,
// for each pair by itself: pairs that can be lost already say nothing of others. It
// returns the margin of all pairs afterwards as well.
func (s *step) weakens(limit int) (margin int, w Weakening) {
	margin = s.net[1].margin(s.living[1], s.ordinary, limit)
	if margin == limit {
		return margin, Weakening{}
	}
	weak := newGaps(s.roles().count())
	s.losses(0).gather(weak, 0)
	for f := 1; f <= limit; f++ {
		before, after := s.losses(0), s.losses(1)
		if tooMany(len(before.reflectors), f) || tooMany(len(after.reflectors), f) {
			if before.plenty(f) && !after.plenty(f) {
				return margin, Weakening{Reflectors: f}
			}
			return margin, Weakening{}
		}
		before.known = weak // what is weak already need not be looked for again
		before.gather(weak, f)
		lost := newGaps(s.roles().count())
		after.known = weak
		after.gather(lost, f)
		if pairs := s.pairs(lost); pairs.Count > 0 {
			return margin, Weakening{Reflectors: f, Pairs: pairs}
		}
	}
	return margin, Weakening{}
}

func (s *step) roles() *roles { return s.net[0].roles }

func (s *step) losses(i int) *losses {
	return newLosses(s.net[i], slices.Clone(s.living[i]), s.ordinary)
}

func (s *step) pairs(lost *gaps) Loss {
	return s.collect(func(source int32, f Family, to set) {
		for i, word := range lost.of(int(f), source) {
			to[i] |= word
		}
	})
}

// gaps are classes that lack the route of a source, by family and source.
type gaps struct {
	classes int
	from    [families]map[int32]set
}

func newGaps(classes int) *gaps {
	g := &gaps{classes: classes}
	for f := range g.from {
		g.from[f] = map[int32]set{}
	}
	return g
}

func (g *gaps) of(f int, source int32) set {
	if g == nil {
		return nil
	}
	return g.from[f][source]
}

func (g *gaps) add(f int, source int32, lacking set) {
	if g.from[f][source] == nil {
		g.from[f][source] = newSet(g.classes)
	}
	for i, word := range lacking {
		g.from[f][source][i] |= word
	}
}

// gather adds to the gaps what the loss of any f reflectors brings about, and what is
// missing without one.
func (l *losses) gather(found *gaps, f int) {
	l.found = found
	used := make([]set, l.net.roles.count())
	l.complete(used, nowhere)
	if f > 0 {
		l.withstands(used, l.reflectors, f)
	}
}
