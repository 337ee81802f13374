package bgp

// plenty tells whether the living ends keep their routes whichever f reflectors are
// lost for the plainest of reasons: every two of them have a session with each
// other, or share more than f reflectors that pass routes of the one on to the
// other. It is enough, and not necessary; it takes no time where trying all choices
// of f of many reflectors would take for ever. Sessions with filters do not count.
func (l *losses) plenty(f int) bool {
	for family, s := range l.search {
		p := newPassage(l.net.graphs[family], l)
		for _, source := range l.sources {
			if !l.net.d.node(source).addr[family].IsValid() {
				continue
			}
			for target := range int32(l.net.roles.count()) {
				alone := source == target && l.living[source] < 2
				if s.targets.has(target) && !alone && !p.between(source, target, f) {
					return false
				}
			}
		}
	}
	return true
}

// passage knows the plain sessions of one family.
type passage struct {
	// to holds, by class, the plain edges by the class at their other end.
	to         []map[int32]*edge
	reflectors []int32
	living     []int32
	cluster    []int32
}

func newPassage(g *graph, l *losses) *passage {
	p := &passage{to: make([]map[int32]*edge, len(g.edges)), reflectors: l.reflectors, living: l.living, cluster: g.cluster}
	for c := range g.edges {
		p.to[c] = map[int32]*edge{}
		for i := range g.edges[c] {
			e := &g.edges[c][i]
			if e.exports == 0 && e.imports == 0 && !e.ebgp && !e.ambiguous && !e.removed {
				p.to[c][e.to] = e
			}
		}
	}
	return p
}

// between: a session of the two, or more than f reflectors between them.
func (p *passage) between(source, target int32, f int) bool {
	if p.to[source][target] != nil {
		return true
	}
	shared := int32(0)
	for _, r := range p.reflectors {
		if p.cluster[r] == p.cluster[target] {
			continue // it would find its own cluster ID in the route
		}
		back, on := p.to[r][source], p.to[r][target]
		if p.to[source][r] != nil && back != nil && on != nil && (back.client || on.client) {
			shared += p.living[r]
		}
	}
	return shared > int32(f)
}
