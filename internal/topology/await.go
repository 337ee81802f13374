package topology

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/inventory"
)

// ClockAwaited plus a node: since when a reflector that was cordoned is expected back.
const ClockAwaited = "Awaited/"

// awaits tells whether the place of one reflector stays empty for a while: it was cordoned,
// most likely to be upgraded and to come back within minutes, and any other that took
// its role now would be cordoned later, so that the role would move once more. Not where
// other nodes of its zone are cordoned too (they may all go) or one of those that could take
// its place, which have the same value of the label, has been upgraded already; nor for longer
// than the stabilization window. One at a time; that the others are enough is for the planner
// to see to.
func (f *field) awaits(plan *Plan, label string) bool {
	for _, name := range f.expected(label) {
		if !plan.elapsed(f.request, ClockAwaited+name) {
			return true
		}
		// It stays with one that still has the role, or the wait would begin again.
		if !slices.Contains(f.request.Standing, name) {
			delete(plan.Clocks, ClockAwaited+name)
		}
	}
	return false
}

// oneAway tells whether one reflector may be awaited, and all others stay: those that stand,
// and those that the last plan had, of which some may be gone for good. label is that of awaits.
func (f *field) oneAway(label string) bool {
	expected, standing := f.expected(label), set(f.request.Standing)
	return len(expected) == 1 && !slices.ContainsFunc(slices.Concat(f.request.Standing, f.request.Chosen), func(name string) bool {
		return name != expected[0] && (!standing[name] || f.leaving[name] != "")
	})
}

// least is how many reflectors a client must not have fewer of.
func (f *field) least() int { return int(*f.request.Spec.Limits.ReflectorFailures) + 1 }

// awaited is 1 where Single does with one reflector less for a while, else 0.
func (f *field) awaited(plan *Plan, want int) int {
	least := f.least()
	if want <= least || len(f.kept) < least || len(f.kept) >= want || len(f.kept)+len(f.candidates) < want ||
		!f.awaits(plan, f.request.Spec.ZoneLabel) {
		return 0
	}
	return 1
}

// expected are the nodes that may come back: those for which the plan waits already,
// or else those that are cordoned now, by name.
func (f *field) expected(label string) []string {
	var waiting, cordoned []string
	for _, clock := range slices.Sorted(maps.Keys(f.request.Clocks)) {
		// One that is away altogether may come back as a new node of its name.
		if name, is := strings.CutPrefix(clock, ClockAwaited); is && !f.able(name) {
			waiting = append(waiting, name)
		}
	}
	for _, c := range f.stopgaps {
		if c.node.Unschedulable && c.node.Ready && !f.upgraded(c, label) && !f.drained(c) && !slices.Contains(waiting, c.node.Name) {
			cordoned = append(cordoned, c.node.Name)
		}
	}
	slices.Sort(cordoned)
	return slices.Concat(waiting, cordoned)
}

// able tells whether the node can have the role (again).
func (f *field) able(name string) bool {
	is := func(c candidate) bool { return c.node.Name == name }
	return slices.ContainsFunc(f.kept, is) || slices.ContainsFunc(f.candidates, is) || slices.ContainsFunc(f.reserve, is)
}

// drained tells whether other nodes of its zone are cordoned too.
func (f *field) drained(c candidate) bool {
	return slices.ContainsFunc(f.request.Nodes, func(node inventory.Node) bool {
		return node.Name != c.node.Name && node.Unschedulable && node.Labels[f.request.Spec.ZoneLabel] == c.zone
	})
}

// upgraded tells whether a candidate with the same value of the label is newer than the
// reflector.
func (f *field) upgraded(than candidate, label string) bool {
	return slices.ContainsFunc(f.candidates, func(c candidate) bool {
		return c.node.Labels[label] == than.node.Labels[label] && compareVersions(c.node, than.node) > 0
	})
}

// compareVersions compares the kubelets of two nodes, then their operating systems.
func compareVersions(a, b *inventory.Node) int {
	return cmp.Or(CompareNatural(a.KubeletVersion, b.KubeletVersion), CompareNatural(a.Image, b.Image))
}
