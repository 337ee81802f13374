package bgp

import "slices"

// SurvivesReflectors tells whether all living nodes keep a route to each other
// whichever up to f reflectors are lost. It tries all combinations
// where there are not too many (maxChoices); else it says no unless every two nodes
// share more than f reflectors. Where there are no reflectors there is none to lose.
func (n *Network) SurvivesReflectors(f int) bool {
	survives, _ := n.Survival(f)
	return survives
}

// Survival is SurvivesReflectors, and whether that is known: it says no where there are
// too many combinations to try, too.
func (n *Network) Survival(f int) (survives, known bool) {
	l := newLosses(n, n.living(nil), nil)
	margin := l.margin(f)
	return margin == f, margin < 0 || margin == f || !tooMany(len(l.reflectors), margin+1)
}

// margin is how many reflectors may be lost, whichever they are, without any of
// the living ends losing a route to another; f at most, and -1 where a route is missing
// already. Without reflectors it is f.
func (l *losses) margin(f int) int {
	used := make([]set, l.net.roles.count())
	if !l.complete(used, nowhere) {
		return -1
	}
	if len(l.reflectors) == 0 {
		return f
	}
	for j := 1; j <= min(f, len(l.reflectors)); j++ {
		if tooMany(len(l.reflectors), j) {
			if l.plenty(f) {
				return f
			}
			return j - 1
		}
		if !l.withstands(used, l.reflectors, j) {
			return j - 1
		}
	}
	return f
}

// maxChoices bounds how many choices of lost reflectors are tried one by one: two of
// up to 141, three of up to 40.
const maxChoices = 10_000

// tooMany tells whether there are more choices of f of m than are tried.
func tooMany(m, f int) bool {
	choices := 1
	for i := range f {
		choices = choices * (m - i) / (i + 1)
		if choices > maxChoices {
			return true
		}
	}
	return false
}

// losses tries the loss of reflectors. It looks again only at those sources whose
// routes went through a reflector that is lost: all others still arrive.
type losses struct {
	net        *Network
	living     []int32
	search     [families]*search
	sources    []int32
	reflectors []int32
	// known are not looked for: they are missing anyway. found, where it has been made,
	// takes up what is missing, and the search goes on.
	known, found gaps
}

func newLosses(n *Network, living []int32, ends set) *losses {
	l := &losses{net: n, living: living}
	for f := range families {
		l.search[f] = newSearch(&walker{net: n, graph: n.graphs[f], living: living, every: true}, Family(f), ends)
	}
	for c := range int32(n.roles.count()) {
		if living[c] == 0 {
			continue
		}
		if ends == nil || ends.has(c) {
			l.sources = append(l.sources, c)
		}
		if n.d.node(c).cluster != nowhere {
			l.reflectors = append(l.reflectors, c)
		}
	}
	return l
}

// complete tells whether all sources that used the lost class are still seen by
// all (all sources if nothing is lost), and notes what they use now.
func (l *losses) complete(used []set, lost int32) bool {
	for _, source := range l.sources {
		if l.living[source] == 0 || lost != nowhere && !used[source].has(lost) {
			continue
		}
		uses := newSet(l.net.roles.count())
		node := l.net.d.node(source)
		for f, s := range l.search {
			if !node.addr[f].IsValid() {
				continue
			}
			for _, kind := range kindsOf(node, Family(f)) {
				if !l.arrives(f, source, kind) {
					return false
				}
				uses.or(s.used)
			}
		}
		used[source] = uses
	}
	return true
}

// arrives tells whether the route of a source reaches all that are asked for, or what is
// missing has been taken up.
func (l *losses) arrives(f int, source int32, kind uint64) bool {
	s := l.search[f]
	asked := s.targets
	if lacking := l.known[f][source]; lacking != nil {
		s.targets = asked.without(lacking)
	}
	gathers := l.found[f] != nil
	if s.run(source, kind); s.left > 0 && gathers {
		l.found.add(f, source, s.targets.without(s.reached))
	}
	s.targets = asked
	return s.left == 0 || gathers
}

// withstands tries all choices of f of the reflectors.
func (l *losses) withstands(used []set, reflectors []int32, f int) bool {
	for i, c := range reflectors {
		if len(reflectors)-i < f {
			return true
		}
		kept := l.living[c]
		l.living[c] = 0
		var targeted [families]bool
		for f, s := range l.search {
			targeted[f] = s.targets.has(c)
			s.targets.remove(c)
		}
		later := slices.Clone(used)
		ok := l.complete(later, c) && (f == 1 || l.withstands(later, reflectors[i+1:], f-1))
		for f, s := range l.search {
			if targeted[f] {
				s.targets.add(c)
			}
		}
		l.living[c] = kept
		if !ok {
			return false
		}
	}
	return true
}

// SurvivesZones tells whether the living nodes keep a route to each other
// whichever zone is lost as a whole. With one zone there is nothing to lose.
func (n *Network) SurvivesZones(zoneOf func(node string) string) bool {
	return len(n.fatalZones(zoneOf)) == 0
}

// fatalZones are the zones whose loss separates nodes of others, sorted.
func (n *Network) fatalZones(zoneOf func(node string) string) []string {
	lost := map[string][]int32{}
	for class := range int32(n.roles.count()) {
		if !n.d.node(class).present {
			continue
		}
		for _, m := range n.roles.members(class) {
			zone := zoneOf(n.roles.names[m])
			if lost[zone] == nil {
				lost[zone] = make([]int32, n.roles.count())
			}
			lost[zone][class]++
		}
	}
	if len(lost) < 2 {
		return nil
	}
	var fatal []string
	all := n.living(nil)
	for zone, members := range lost {
		living := slices.Clone(all)
		for c := range living {
			living[c] -= members[c]
		}
		if !n.complete(living, nil) {
			fatal = append(fatal, zone)
		}
	}
	slices.Sort(fatal)
	return fatal
}

// singlePoints are the reflectors whose loss alone separates other nodes; none are
// named where nodes are separated already.
func (n *Network) singlePoints() []string {
	l := newLosses(n, n.living(nil), nil)
	used := make([]set, n.roles.count())
	if !l.complete(used, nowhere) {
		return nil
	}
	var out []string
	for _, c := range l.reflectors {
		if !l.withstands(used, []int32{c}, 1) {
			out = append(out, n.name(c))
		}
	}
	slices.Sort(out)
	return out
}
