package bgp

import "slices"

// SurvivesReflectors tells whether all living nodes keep a route to each other
// whichever up to f reflectors are lost. It tries all combinations. Where there
// are no reflectors there is none to lose.
func (n *Network) SurvivesReflectors(f int) bool {
	return n.margin(n.living(nil), nil, f) == f
}

// margin is how many reflectors may be lost, whichever they are, without any of
// the living ends losing a route to another (nil: all are ends); f at most, and
// -1 where a route is missing already.
func (n *Network) margin(living []int32, ends set, f int) int {
	var reflectors []int32
	for c := range int32(n.roles.count()) {
		if living[c] > 0 && n.d.node(c).cluster != nowhere {
			reflectors = append(reflectors, c)
		}
	}
	if len(reflectors) == 0 {
		return f
	}
	for j := 0; j <= min(f, len(reflectors)); j++ {
		if !n.survives(living, ends, reflectors, j) {
			return j - 1
		}
	}
	return f
}

// survives tries all choices of f of the classes.
func (n *Network) survives(living []int32, ends set, classes []int32, f int) bool {
	if f == 0 {
		return n.complete(living, ends)
	}
	for i, c := range classes {
		kept := living[c]
		living[c] = 0
		ok := n.survives(living, ends, classes[i+1:], f-1)
		living[c] = kept
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

// singlePoints are the reflectors whose loss alone separates other nodes.
func (n *Network) singlePoints() []string {
	living := n.living(nil)
	if !n.complete(living, nil) {
		return nil // nothing to lose: what is broken is said elsewhere
	}
	var out []string
	for _, name := range n.Reflectors() {
		at, _ := slices.BinarySearch(n.roles.names, name)
		c := n.roles.classOf[at]
		kept := living[c]
		living[c] = 0
		if !n.complete(living, nil) {
			out = append(out, name)
		}
		living[c] = kept
	}
	return out
}
