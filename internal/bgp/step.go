package bgp

// status is what is known of a session.
type status uint8

const (
	statusDown status = iota
	statusDoubtful
	statusUp
)

// build makes the graphs of sessions that survive the step and of those that may
// carry routes now.
func (s *step) build(f Family) {
	now := s.net[0].graphs[f]
	known, doubtful := now.like(), now.like()
	for c := range now.edges {
		a := int32(c)
		for _, e := range now.edges[c] {
			st := s.status(a, e.to, f)
			if st == statusDown || e.ambiguous && s.seen.DistrustAmbiguous {
				continue
			}
			survives, changed := s.survives(a, &e, f)
			if survives && st == statusUp {
				known.edges[c] = append(known.edges[c], e)
			}
			e.removed = !survives || changed
			s.disturbed = s.disturbed || e.removed
			// What runs now has the old filters.
			e.laterExports, e.laterImports = e.exports, e.imports
			doubtful.edges[c] = append(doubtful.edges[c], e)
		}
	}
	s.known[f], s.doubtful[f] = known, doubtful
}

// status of the session between members of two classes. Members of a class are
// all seen up by the same reflectors.
func (s *step) status(a, b int32, f Family) status {
	n := s.net[0]
	observed := false
	for _, end := range [2][2]int32{{a, b}, {b, a}} {
		up, ok := s.seen.Up[n.name(end[0])]
		if !ok {
			continue
		}
		observed = true
		if !up[n.d.node(end[1]).addr[f]] {
			return statusDown
		}
	}
	assumed := s.seen.AssumeMesh
	if n.d.node(a).cluster != nowhere || n.d.node(b).cluster != nowhere {
		assumed = s.seen.AssumeUnobserved
	}
	if observed || assumed {
		return statusUp
	}
	return statusDoubtful
}

// survives tells whether a session goes on through the step, and whether filters
// of it change, which does not end it. It sets the later filters of the edge.
func (s *step) survives(a int32, e *edge, f Family) (survives, changed bool) {
	if !s.unmoved(a) || !s.unmoved(e.to) || !s.kept(a, e.to, f) || !s.kept(e.to, a, f) {
		return false, false
	}
	out, back := s.net[1].standing(a, e.to, f)
	if out == nil {
		return false, false
	}
	e.laterExports, e.laterImports = out.chains.exports, back.chains.imports
	return true, e.laterExports != e.exports || e.laterImports != e.imports
}

// unmoved nodes exist before and after with the same addresses: another IPv4
// address is another router ID in both families.
func (s *step) unmoved(c int32) bool {
	x, y := s.net[0].d.node(c), s.net[1].d.node(c)
	return x.present && y.present && x.addr == y.addr
}

// kept tells whether every protocol that a has for b is there afterwards as it
// was. Protocols that are added wait for the one that stands.
func (s *step) kept(a, b int32, f Family) bool {
	now, later := s.net[0].protocols(a, b, f), s.net[1].protocols(a, b, f)
	for i := range now {
		found := false
		for j := range later {
			found = found || now[i].def == later[j].def && !now[i].ambiguous && !later[j].ambiguous
		}
		if !found {
			return false
		}
	}
	return true
}

// protocols that members of a have for members of b.
func (n *Network) protocols(a, b int32, f Family) []proto {
	i, ok := n.d.index[uint64(a)<<32|uint64(b)]
	if !ok {
		return nil
	}
	return n.d.links[i].protos[f]
}

func (s *step) lostDuring() Loss {
	if !s.disturbed {
		return Loss{}
	}
	var known, doubtful [families]*search
	for f := range families {
		known[f] = newSearch(&walker{net: s.net[0], graph: s.known[f], living: s.living[0], every: true}, Family(f), s.ordinary)
		doubtful[f] = newSearch(&walker{net: s.net[0], graph: s.doubtful[f], living: s.living[0]}, Family(f), s.ordinary)
		doubtful[f].wantRemoved = true
	}
	return s.collect(func(source int32, f Family, lost set) {
		node := s.net[0].d.node(source)
		if !node.addr[f].IsValid() {
			return
		}
		for _, kind := range kindsOf(node, f) {
			known[f].run(source, kind)
			if known[f].left == 0 {
				continue
			}
			doubtful[f].run(source, kind)
			for i := range lost {
				lost[i] |= known[f].targets[i] &^ known[f].reached[i] & doubtful[f].reached[i]
			}
		}
	})
}

func (s *step) lostAfter() Loss {
	var now, later [families]*search
	for f := range families {
		now[f] = newSearch(&walker{net: s.net[0], graph: s.net[0].graphs[f], living: s.living[0], every: true}, Family(f), s.ordinary)
		later[f] = newSearch(&walker{net: s.net[1], graph: s.firm(Family(f)), living: s.living[1], every: true}, Family(f), s.ordinary)
	}
	missing, before := newSet(s.net[0].roles.count()), newSet(s.net[0].roles.count())
	return s.collect(func(source int32, f Family, lost set) {
		missing.clear()
		later[f].missing(source, f, missing)
		if missing.empty() {
			return
		}
		before.clear()
		now[f].missing(source, f, before)
		for i := range lost {
			lost[i] |= missing[i] &^ before[i]
		}
	})
}

// firm are the sessions after the step but for those that have become ambiguous.
func (s *step) firm(f Family) *graph {
	g := s.net[1].graphs[f]
	firm := g.like()
	for c := range g.edges {
		firm.edges[c] = g.edges[c]
		for i := range g.edges[c] {
			if g.edges[c][i].ambiguous {
				firm.edges[c] = s.withoutNewlyAmbiguous(int32(c), f)
				break
			}
		}
	}
	return firm
}

func (s *step) withoutNewlyAmbiguous(c int32, f Family) []edge {
	var out []edge
	for _, e := range s.net[1].graphs[f].edges[c] {
		p, q := s.net[0].standing(c, e.to, f)
		if !e.ambiguous || p != nil && (p.ambiguous || q.ambiguous) {
			out = append(out, e)
		}
	}
	return out
}

// collect counts the pairs that lost finds for every ordinary source.
func (s *step) collect(find func(source int32, f Family, lost set)) Loss {
	down := func(name string) bool { return s.seen.Down[name] }
	count := newLoss(s.net[0].roles, s.living[0], down)
	lost := newSet(s.net[0].roles.count())
	s.ordinary.each(func(source int32) {
		lost.clear()
		for f := range families {
			find(source, Family(f), lost)
		}
		for i := range lost {
			lost[i] &= s.ordinary[i]
		}
		count.add(source, lost)
	})
	return Loss{count.count, count.sample()}
}

func (s set) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

// homes is the fewest living reflectors that an ordinary node has sessions with.
func (s *step) homes(at int) int {
	n, fewest := s.net[at], -1
	s.ordinary.each(func(c int32) {
		if n.d.node(c).cluster != nowhere {
			return
		}
		var seen [families]int
		has := -1
		for f := range families {
			if !n.d.node(c).addr[f].IsValid() {
				continue
			}
			for i := range n.graphs[f].edges[c] {
				to := n.graphs[f].edges[c][i].to
				if s.living[at][to] > 0 && n.d.node(to).cluster != nowhere {
					seen[f]++
				}
			}
			if has < 0 || seen[f] < has {
				has = seen[f]
			}
		}
		if has >= 0 && (fewest < 0 || has < fewest) {
			fewest = has
		}
	})
	return max(fewest, 0)
}

func (s *step) pathsBefore() Paths {
	return s.net[0].paths(func(f Family) *walker {
		return &walker{net: s.net[0], graph: s.net[0].graphs[f], living: s.living[0]}
	})
}

// pathsAfter counts with the new filters, and, where filters of sessions change, with
// any mixture of old and new.
func (s *step) pathsAfter() (after, onTheWay Paths) {
	after = s.net[1].paths(func(f Family) *walker {
		return &walker{net: s.net[1], graph: s.net[1].graphs[f], living: s.living[1]}
	})
	var mixed [families]*graph
	differs := false
	for f := range families {
		var other bool
		mixed[f], other = s.mixed(Family(f))
		differs = differs || other
	}
	if !differs {
		return after, after
	}
	return after, s.net[1].paths(func(f Family) *walker {
		return &walker{net: s.net[1], graph: mixed[f], living: s.living[1]}
	})
}

// mixed lets a session use its old filters as well as its new ones. Not those of a node
// that becomes a reflector by the step: the same change of its node makes it one and
// gives it the new filters, and as long as it is none, it passes nothing on.
func (s *step) mixed(f Family) (mixed *graph, differs bool) {
	g := s.net[1].graphs[f]
	mixed = g.like()
	for c := range g.edges {
		mixed.edges[c] = g.edges[c]
		own := false
		for i := range g.edges[c] {
			e := g.edges[c][i]
			exports, imports, had := s.oldFilters(int32(c), &e, f)
			if !had || exports == e.exports && imports == e.imports {
				continue
			}
			if !own {
				mixed.edges[c], own, differs = append([]edge(nil), g.edges[c]...), true, true
			}
			mixed.edges[c][i].laterExports, mixed.edges[c][i].laterImports = exports, imports
		}
	}
	return mixed, differs
}

func (s *step) oldFilters(c int32, e *edge, f Family) (exports, imports int32, had bool) {
	out, back := s.net[0].standing(c, e.to, f)
	if out == nil {
		return 0, 0, false
	}
	exports, imports = out.chains.exports, back.chains.imports
	if s.becomesReflector(c) {
		exports = e.exports
	}
	if s.becomesReflector(e.to) {
		imports = e.imports
	}
	return exports, imports, true
}

func (s *step) becomesReflector(c int32) bool {
	return s.net[0].d.node(c).cluster == nowhere && s.net[1].d.node(c).cluster != nowhere
}
