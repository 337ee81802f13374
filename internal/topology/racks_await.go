package topology

import "slices"

// await finds the unit, if any, that waits for one of its reflectors, which was cordoned. Where
// the others are too few for its clients without it, these peer with the spine too.
func (h *hierarchyPlanner) await() {
	short := h.short()
	if short == nil || !h.f.oneAway(h.label) {
		return
	}
	h.count()
	guests := len(short.reflectors) < h.f.least()
	sessions := len(h.units)*h.each + h.loose.all + h.each - 1 + short.size
	if guests && sessions > int(h.request.Spec.Limits.SessionsPerReflector) || !h.f.awaits(h.plan, h.label) {
		return
	}
	short.awaits = true
	if guests {
		h.spineGroups = append(h.spineGroups, short.groups...)
	}
}

// short is the unit that lacks one reflector; nil where none does, or anything else is
// missing, or the spine is not the one that stands.
func (h *hierarchyPlanner) short() *unit {
	var short *unit
	for _, u := range h.units {
		switch missing := h.each - len(u.reflectors); {
		case missing == 1 && short == nil:
			short = u
		case missing > 0:
			return nil
		}
	}
	comes := func(c candidate) bool { return tierOf(c.node) != TierCore }
	if len(h.spine) < h.each || slices.ContainsFunc(h.spine, comes) {
		return nil
	}
	return short
}
