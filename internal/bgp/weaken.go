package bgp

import "strconv"

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
	after := newLosses(s.net[1], s.living[1], s.ordinary)
	if margin = after.margin(limit); margin == limit {
		return margin, Weakening{}
	}
	before, weak := newLosses(s.net[0], s.living[0], s.ordinary), newGaps()
	before.gather(weak, 0)
	// What is weak already need not be looked for again.
	before.known, after.known = weak, weak
	for f := 1; f <= limit; f++ {
		if tooMany(len(before.reflectors), f) || tooMany(len(after.reflectors), f) {
			if before.plenty(f) && !after.plenty(f) {
				return margin, Weakening{Reflectors: f}
			}
			return margin, Weakening{}
		}
		before.gather(weak, f)
		lost := newGaps()
		after.gather(lost, f)
		if pairs := s.pairs(lost); pairs.Count > 0 {
			return margin, Weakening{Reflectors: f, Pairs: pairs}
		}
	}
	return margin, Weakening{}
}

func (s *step) pairs(lost gaps) Loss {
	return s.collect(func(source int32, f Family, to set) { to.or(lost[f][source]) })
}

// gaps are classes that lack the route of a source, by family and source.
type gaps [families]map[int32]set

func newGaps() (g gaps) {
	for f := range g {
		g[f] = map[int32]set{}
	}
	return g
}

func (g gaps) add(f int, source int32, lacking set) {
	if g[f][source] == nil {
		g[f][source] = lacking
		return
	}
	g[f][source].or(lacking)
}

// gather adds to the gaps what the loss of any f reflectors brings about, and what is
// missing without one.
func (l *losses) gather(found gaps, f int) {
	l.found = found
	used := make([]set, l.net.roles.count())
	l.complete(used, nowhere)
	if f > 0 {
		l.withstands(used, l.reflectors, f)
	}
}
