package topology

import (
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/inventory"
)

// moves tells whether a reflector is going from one point to another, of whatever
// design.
func moves(node *inventory.Node) bool {
	points := 0
	for _, group := range servedBy(node) {
		if strings.HasPrefix(group, pointPrefix) {
			points++
		}
	}
	return points > 1
}

// standing finds the points where reflectors stand, those that stand at none, and
// zones for all points.
//
// A reflector that is on its way from a point to another has both, and does not tell
// which is the old one, from which the plan came to be that is carried out. It is the
// one that leads to a plan in which such reflectors have just one of their points.
func (q *quorumPlanner) standing(d *design) (at []*candidate, idle []*candidate, p *placement) {
	fresh, ok := placePoints(d, q.room)
	from, moving := q.origins(d, fresh)
	at, idle, p = q.standingAt(d, from)
	if len(moving) == 0 {
		return at, idle, p
	}
	astray := q.astray(d, p.zone)
	if ok && q.astray(d, fresh) < astray {
		astray, p = q.astray(d, fresh), newPlacement(d, fresh, q.room)
	}
	for _, c := range moving {
		best := from[c.node.Name]
		for _, point := range pointsOf(d, c.node) {
			from[c.node.Name] = point
			otherAt, otherIdle, other := q.standingAt(d, from)
			if n := q.astray(d, other.zone); n < astray {
				at, idle, p, astray, best = otherAt, otherIdle, other, n, point
			}
		}
		from[c.node.Name] = best
	}
	return at, idle, p
}

// origins guesses the point from which each reflector comes: where it has several,
// one whose zone is right by the search. These are moving.
func (q *quorumPlanner) origins(d *design, fresh []int) (from map[string]int, moving []*candidate) {
	from = map[string]int{}
	for i := range q.f.kept {
		c := &q.f.kept[i]
		points := pointsOf(d, c.node)
		if len(points) == 0 {
			continue
		}
		from[c.node.Name] = points[0]
		if len(points) == 1 {
			continue
		}
		moving = append(moving, c)
		for _, point := range slices.Backward(points) {
			if fresh != nil && fresh[point] == q.zoneOf(c) {
				from[c.node.Name] = point
			}
		}
	}
	return from, moving
}

// standingAt is standing if the reflectors come from these points.
func (q *quorumPlanner) standingAt(d *design, from map[string]int) (at []*candidate, idle []*candidate, p *placement) {
	at = make([]*candidate, d.points)
	zone := slices.Repeat([]int{unplaced}, d.points)
	room := slices.Clone(q.room)
	for i := range q.f.kept {
		c := &q.f.kept[i]
		point, ok := from[c.node.Name]
		if !ok || at[point] != nil {
			idle = append(idle, c)
			continue
		}
		at[point], zone[point] = c, q.zoneOf(c)
		room[zone[point]]--
	}
	return at, idle, q.place(d, zone, room)
}

// astray counts the reflectors that the zones for all points would have at none of
// theirs, or at both where they are to go from one to the other.
func (q *quorumPlanner) astray(d *design, zone []int) int {
	count := 0
	for i := range q.f.kept {
		c := &q.f.kept[i]
		points := pointsOf(d, c.node)
		right := 0
		for _, point := range points {
			if zone[point] == q.zoneOf(c) {
				right++
			}
		}
		if len(points) > 0 && right == 0 || right > 1 {
			count++
		}
	}
	return count
}
