package topology

import (
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/inventory"
)

// ClockAwaited plus a node: since when a reflector that was cordoned is expected back.
const ClockAwaited = "Awaited/"

// awaited is 1 where Single does with one reflector less for a while, else 0: one was cordoned,
// most likely to be upgraded and to come back within minutes, and any other that took
// its role now would be cordoned later, so that the role would move once more. Not where
// clients would be left with no more than may fail, nor where other nodes of its zone are
// cordoned too (they may all go) or one has been upgraded already, nor for longer than the
// stabilization window. One at a time.
func (f *field) awaited(plan *Plan, want int) int {
	least := int(*f.request.Spec.Limits.ReflectorFailures) + 1
	if want <= least || len(f.kept) < least || len(f.kept) >= want || len(f.kept)+len(f.candidates) < want {
		return 0
	}
	for _, name := range f.expected() {
		if !plan.elapsed(f.request, ClockAwaited+name) {
			return 1
		}
		// It stays with one that still has the role, or the wait would begin again.
		if !slices.Contains(f.request.Standing, name) {
			delete(plan.Clocks, ClockAwaited+name)
		}
	}
	return 0
}

// expected are the nodes that may come back: those for which the plan waits already,
// or else those that are cordoned now, by name.
func (f *field) expected() []string {
	byName := index(f.request.Nodes)
	var waiting, cordoned []string
	for _, clock := range slices.Sorted(maps.Keys(f.request.Clocks)) {
		name, is := strings.CutPrefix(clock, ClockAwaited)
		if !is {
			continue
		}
		// One that is away altogether may come back as a new node of its name.
		if node := byName[name]; node == nil || !node.Ready || node.Unschedulable {
			waiting = append(waiting, name)
		}
	}
	for _, c := range f.stopgaps {
		if c.node.Unschedulable && c.node.Ready && !f.upgraded(c) && !f.drained(c) && !slices.Contains(waiting, c.node.Name) {
			cordoned = append(cordoned, c.node.Name)
		}
	}
	slices.Sort(cordoned)
	return slices.Concat(waiting, cordoned)
}

// drained tells whether other nodes of its zone are cordoned too.
func (f *field) drained(c candidate) bool {
	return slices.ContainsFunc(f.request.Nodes, func(node inventory.Node) bool {
		return node.Name != c.node.Name && node.Unschedulable && node.Labels[f.request.Spec.ZoneLabel] == c.zone
	})
}

// upgraded tells whether a candidate of the zone is newer than the reflector.
func (f *field) upgraded(than candidate) bool {
	return slices.ContainsFunc(f.candidates, func(c candidate) bool {
		kubelet := CompareNatural(c.node.KubeletVersion, than.node.KubeletVersion)
		return c.zone == than.zone && (kubelet > 0 || kubelet == 0 && CompareNatural(c.node.Image, than.node.Image) > 0)
	})
}
