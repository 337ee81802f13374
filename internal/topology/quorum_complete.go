package topology

import "slices"

// completeSteps bounds the search of complete, which mostly takes as many steps as
// there are points.
const completeSteps = 20_000

// mostBad is how many meetings in one zone are put up with before anything goes.
const mostBad = 8

// completer looks for zones for the points that have none, such that as few meetings
// as can be lie in one zone: of all ways the first, where each point has its zones in
// a fixed order. So who takes the place that was found for it changes nothing for the
// others: the way stays the first, however much of it has been carried out.
type completer struct {
	*placement
	// fresh says with which zone each point begins; nil: with the first.
	fresh []int
	// most meetings that may lie in one zone, and steps left.
	most, steps int
}

// complete returns the zones of all points, nil where there is no way or the search
// takes too long.
func complete(d *design, zone, fresh, limit []int, most int) []int {
	if len(limit) < 2 {
		return nil
	}
	c := &completer{placement: newPlacement(d, zone, limit), fresh: fresh, most: most, steps: completeSteps}
	for _, z := range zone {
		if z != unplaced {
			c.room[z]--
		}
	}
	if c.bad > most || slices.Min(c.room) < 0 || !c.from(0) {
		return nil
	}
	return c.zone
}

// from places the points from this one on.
func (c *completer) from(point int) bool {
	for point < len(c.zone) && c.zone[point] != unplaced {
		point++
	}
	if point == len(c.zone) {
		return true
	}
	for i := range c.room {
		to := i
		if c.fresh != nil {
			to = (c.fresh[point] + i) % len(c.room)
		}
		if c.steps--; c.steps < 0 {
			return false
		}
		if bad, _ := c.cost(point, to); c.room[to] < 1 || c.bad+bad > c.most {
			continue
		}
		c.put(point, to)
		if c.from(point + 1) {
			return true
		}
		c.put(point, unplaced)
	}
	return false
}
