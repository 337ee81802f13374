package topology

import (
	"slices"
)

// single plans the topology Single: one cluster ID, every client peers with all
// reflectors, the reflectors with each other. Whatever the number of reflectors,
// each has a session with every other node.
func single(request Request, f *field, plan *Plan) {
	available := len(f.kept) + len(f.stopgaps) + len(f.candidates)
	want := singleCount(request, plan)
	if want > available {
		reason := "only that many nodes can be route reflectors"
		if len(plan.Ineligible) > 0 {
			reason += " (" + plan.Describe() + ")"
		}
		plan.problem(ReasonTooFewEligible, "%d of %d route reflectors: %s", available, want, reason)
		want = available
	}

	want -= f.awaited(plan, want)
	kept := f.kept
	if len(kept) > want && !plan.elapsed(request, ClockScaleDown) {
		want = len(kept)
	}
	kept = retire(kept, want, plan)
	kept = makeRoom(kept, f.candidates, want, plan)
	kept = unbundle(kept, f.candidates, want, plan)
	chosen := f.promote(kept, want)
	if len(kept)+len(chosen) < want {
		// Nobody can replace these yet: working reflectors stay on as stopgaps.
		missing := min(want-len(kept)-len(chosen), len(f.stopgaps))
		for _, c := range f.stopgaps[:missing] {
			delete(f.leaving, c.node.Name)
			kept = append(kept, c)
		}
	}
	// The first reflector interrupts its own routes. Which one is first is not kept
	// from one pass to the next, so until it stands the load decides anew.
	first := len(kept) == 0 && len(chosen) > 0
	if first || slices.ContainsFunc(chosen, func(c candidate) bool { return !c.chosen }) {
		plan.AskLoad = f.asks(nil)
	}

	for _, c := range slices.Concat(kept, chosen) {
		plan.Reflectors = append(plan.Reflectors, reflector(request, c.node))
	}
	for name, reason := range f.leaving {
		plan.Leaving[name] = reason
	}
}

// singleCount is how many reflectors Single should have: what scaling says, or
// what the limits need if that is more; never more than the paths a client may hold.
func singleCount(request Request, plan *Plan) int {
	spec := request.Spec
	want := Count(spec.Scaling, plan.Nodes)
	if need := int(*spec.Limits.ReflectorFailures) + 1; need > want {
		want = min(need, int(spec.Scaling.Max))
		if want < need {
			plan.problem(ReasonLimitExceeded,
				"limits.reflectorFailures %d needs %d route reflectors, scaling.max allows %d: raise scaling.max",
				*spec.Limits.ReflectorFailures, need, want)
		}
	}
	if most := int(spec.Limits.PathsPerRoute); want > most {
		plan.problem(ReasonLimitExceeded,
			"%d route reflectors would give every client %d paths a route, limits.pathsPerRoute allows %d: held at %d; raise nodesPerReflector",
			want, want, most, most)
		want = most
	}
	if sessions := plan.Nodes - 1; sessions > int(spec.Limits.SessionsPerReflector) {
		plan.problem(ReasonLimitExceeded,
			"topology Single gives every route reflector a session with each of the other %d nodes, limits.sessionsPerReflector allows %d: raise it, or set spec.topology to Auto or one with fewer sessions",
			sessions, spec.Limits.SessionsPerReflector)
	}
	return want
}

// retire drops the newest reflectors down to the number wanted, but never so that
// those left stand in one zone where they stood in several.
func retire(kept []candidate, want int, plan *Plan) []candidate {
	kept = slices.Clone(kept)
	for len(kept) > want {
		victim := newest(kept, func(i int) bool {
			return want == 1 || zones(kept) == 1 || zones(slices.Delete(slices.Clone(kept), i, i+1)) > 1
		})
		plan.Leaving[kept[victim].node.Name] = "fewer route reflectors are enough"
		kept = slices.Delete(kept, victim, victim+1)
	}
	return kept
}

// newest is the last that may go and is not pinned; else the last.
func newest(kept []candidate, may func(i int) bool) int {
	for i := len(kept) - 1; i >= 0; i-- {
		if !kept[i].pinned && may(i) {
			return i
		}
	}
	for i := len(kept) - 1; i >= 0; i-- {
		if !kept[i].pinned {
			return i
		}
	}
	return len(kept) - 1
}

// makeRoom gives up the newest reflectors that are not pinned for pinned nodes that
// are no reflectors yet.
func makeRoom(kept, candidates []candidate, want int, plan *Plan) []candidate {
	waiting := 0
	for _, c := range candidates {
		if c.pinned {
			waiting++
		}
	}
	kept = slices.Clone(kept)
	for len(kept) > max(want-waiting, 0) {
		victim := newest(kept, func(int) bool { return true })
		if kept[victim].pinned {
			break
		}
		plan.Leaving[kept[victim].node.Name] = "a pinned node takes its place"
		kept = slices.Delete(kept, victim, victim+1)
	}
	return kept
}

// unbundle gives up the newest reflector when all stand in one zone though
// another zone has a candidate: the loss of that zone would take them all.
func unbundle(kept, candidates []candidate, want int, plan *Plan) []candidate {
	if len(kept) < want || len(kept) < 2 || zones(kept) > 1 {
		return kept
	}
	elsewhere := slices.ContainsFunc(candidates, func(c candidate) bool { return c.zone != kept[0].zone })
	if !elsewhere {
		return kept
	}
	last := newest(kept, func(int) bool { return true })
	if kept[last].pinned {
		return kept
	}
	plan.Leaving[kept[last].node.Name] = "all route reflectors stand in one zone"
	return slices.Delete(slices.Clone(kept), last, last+1)
}

// promote picks new reflectors, each from the zone that has the fewest; among
// such zones the one with the best candidate.
func (f *field) promote(kept []candidate, want int) []candidate {
	count := map[string]int{}
	for _, c := range kept {
		count[c.zone]++
	}
	// Candidates are sorted: the pinned ones come first, the head of a zone's queue
	// is its best, and the zones come in the order of their best.
	var chosen []candidate
	var order []string
	queue := map[string][]candidate{}
	for _, c := range f.candidates {
		if c.pinned && len(kept)+len(chosen) < want {
			count[c.zone]++
			chosen = append(chosen, c)
			continue
		}
		if queue[c.zone] == nil {
			order = append(order, c.zone)
		}
		queue[c.zone] = append(queue[c.zone], c)
	}
	for len(kept)+len(chosen) < want {
		best, found := "", false
		for _, zone := range order {
			if len(queue[zone]) > 0 && (!found || f.sooner(zone, best, count, queue)) {
				best, found = zone, true
			}
		}
		if !found {
			break
		}
		count[best]++
		chosen = append(chosen, queue[best][0])
		queue[best] = queue[best][1:]
	}
	return chosen
}

// sooner: zone a has fewer reflectors than zone b, or as many and a better candidate.
func (f *field) sooner(a, b string, count map[string]int, queue map[string][]candidate) bool {
	if count[a] != count[b] {
		return count[a] < count[b]
	}
	return f.compare(queue[a][0], queue[b][0]) < 0
}

func zones(candidates []candidate) int {
	seen := map[string]bool{}
	for _, c := range candidates {
		seen[c.zone] = true
	}
	return len(seen)
}
