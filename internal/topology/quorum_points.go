package topology

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tapetum.dev/tapetum/internal/inventory"
)

// pointName is a group without clients: the reflector that serves it is that point of
// the design. The other groups that it serves tell the same while nothing is
// missing; this also tells it of what is left after many were lost, or halfway
// through a change.
func pointName(d *design, point int) string {
	return pointPrefix + d.name() + "." + strconv.Itoa(point)
}

const pointPrefix = "quorum-"

// pointsOf reads pointName back, for one design. There is more than one while a
// reflector goes from a point to another.
func pointsOf(d *design, node *inventory.Node) []int {
	var out []int
	for _, group := range servedBy(node) {
		text, ok := strings.CutPrefix(group, pointPrefix+d.name()+".")
		if !ok {
			continue
		}
		if point, err := strconv.Atoi(text); err == nil && point >= 0 && point < d.points && strconv.Itoa(point) == text {
			out = append(out, point)
		}
	}
	return out
}

// standingDesigns are those that the reflectors stand for, the one with the most points
// first: halfway from one to another that is the one that stands, whichever has more
// reflectors by now. A plan to grow goes on, and one to shrink does so as it came to be,
// when the smaller has been enough for long. That no step of a change turns it round.
func (q *quorumPlanner) standingDesigns() []*design {
	byName := index(q.request.Nodes)
	stands := map[string]bool{}
	for _, name := range q.request.Standing {
		node := byName[name]
		if node == nil || tierOf(node) != TierQuorum {
			continue
		}
		for _, group := range servedBy(node) {
			if text, ok := strings.CutPrefix(group, pointPrefix); ok {
				design, _, _ := strings.Cut(text, ".")
				stands[design] = true
			}
		}
	}
	var out []*design
	for i := range slices.Backward(designs()) {
		if d := &designs()[i]; stands[d.name()] {
			out = append(out, d)
		}
	}
	return out
}

// fill finds a reflector for every point. Who stands at a point stays there, unless
// another zone must have it; who stands elsewhere takes a point of its zone before
// any new one does.
func (q *quorumPlanner) fill(result *quorumResult) {
	d := result.d
	at, idle, p := q.standing(d)
	result.at, result.bad = at, p.bad
	var all []*candidate
	for point, c := range result.at {
		if c != nil && p.zone[point] != q.zoneOf(c) {
			result.at[point] = nil
			result.moved[c.node.Name] = true
			idle = append(idle, c)
		}
	}
	taken := map[string]bool{}
	all = append(all, idle...)
	for i := range q.f.candidates {
		c := &q.f.candidates[i]
		all = append(all, c)
		if c.pinned {
			q.makeRoom(result, p, c, taken)
		}
	}
	// First who has been given the point already, by a change that is not done.
	q.fillFrom(result, p, taken, idle, func(c *candidate, point int) bool {
		return slices.Contains(pointsOf(d, c.node), point)
	})
	if result.awaits = q.awaits(result); result.awaits {
		return
	}
	q.fillFrom(result, p, taken, all, func(*candidate, int) bool { return true })
	q.fillWithStopgaps(result)
}

// awaits tells whether a point stays empty for a while, because the reflector that was at it is
// expected back: where each two blocks still meet in one reflector more than may fail.
func (q *quorumPlanner) awaits(result *quorumResult) bool {
	zone := q.request.Spec.ZoneLabel
	empty := 0
	for _, c := range result.at {
		switch {
		case c == nil:
			empty++
		case tierOf(c.node) != TierQuorum:
			return false
		}
	}
	return empty == 1 && len(result.moved) == 0 && result.d.meet > q.failures+1 && len(q.f.candidates) > 0 &&
		q.f.oneAway(zone) && q.f.awaits(q.plan, zone)
}

// fillFrom takes, for every point that nobody has, the first of its zone that may
// have it.
func (q *quorumPlanner) fillFrom(result *quorumResult, p *placement, taken map[string]bool, some []*candidate, may func(c *candidate, point int) bool) {
	for point, c := range result.at {
		if c != nil || p.zone[point] == unplaced {
			continue
		}
		zone := q.zones[p.zone[point]]
		for _, c := range some {
			if c.zone == zone && !taken[c.node.Name] && may(c, point) {
				taken[c.node.Name] = true
				result.at[point] = c
				break
			}
		}
	}
}

// makeRoom gives a pinned node the point of the newest reflector of its zone that is
// not, where no point of the zone is free.
func (q *quorumPlanner) makeRoom(result *quorumResult, p *placement, pinned *candidate, taken map[string]bool) {
	newest := unplaced
	for point, c := range result.at {
		switch {
		case p.zone[point] != q.zoneOf(pinned):
		case c == nil:
			return
		case !c.pinned && (newest == unplaced || newer(*c, *result.at[newest])):
			newest = point
		}
	}
	if newest != unplaced {
		result.pinned = append(result.pinned, result.at[newest].node.Name)
		result.at[newest] = pinned
		taken[pinned.node.Name] = true
	}
}

// fillWithStopgaps keeps reflectors that should go at the points that nobody else
// can take: at their own, else at any.
func (q *quorumPlanner) fillWithStopgaps(result *quorumResult) {
	var rest []*candidate
	for i := range q.f.stopgaps {
		c := &q.f.stopgaps[i]
		if points := pointsOf(result.d, c.node); len(points) > 0 && result.at[points[0]] == nil {
			result.at[points[0]] = c
			continue
		}
		rest = append(rest, c)
	}
	for point, c := range result.at {
		if c == nil && len(rest) > 0 {
			result.at[point], rest = rest[0], rest[1:]
		}
	}
}

func (q *quorumPlanner) zoneOf(c *candidate) int { return slices.Index(q.zones, c.zone) }

// place finds zones for the points. What stands where the search from nothing would
// have put it is completed that way; anything else is completed point by point, and
// where any zone can be lost by moving points, these are moved: few, or to where the
// search would have put all.
func (q *quorumPlanner) place(d *design, zone, room []int) *placement {
	fresh, ok := placePoints(d, q.room)
	if fresh != nil && slices.Contains(zone, unplaced) && agree(zone, fresh) {
		return newPlacement(d, fresh, room)
	}
	if slices.Contains(zone, unplaced) {
		for most := 0; most == 0 || !ok && most <= mostBad; most++ {
			if whole := complete(d, zone, fresh, q.limits(d, zone), most); whole != nil {
				return newPlacement(d, whole, room)
			}
		}
	}
	p := newPlacement(d, zone, room)
	p.fill(q.lostZones(d))
	mended := newPlacement(d, p.zone, p.room)
	mended.mend()
	switch {
	case mended.bad == 0:
		return mended
	case ok:
		return newPlacement(d, fresh, room)
	}
	return p
}

// limits is how many points each zone may have, so that they are even as far as what
// stands is.
func (q *quorumPlanner) limits(d *design, zone []int) []int {
	out := even(d.points, q.room)
	if out == nil {
		return nil
	}
	count := make([]int, len(out))
	for _, z := range zone {
		if z != unplaced {
			count[z]++
		}
	}
	for z := range out {
		out[z] = max(min(out[z]+1, q.room[z]), count[z])
	}
	return out
}

// agree tells whether the points that have a zone have the same in both.
func agree(some, all []int) bool {
	for point, zone := range some {
		if zone != unplaced && zone != all[point] {
			return false
		}
	}
	return true
}

// lostZones are the zones of the reflectors that stand at a point and cannot stay.
func (q *quorumPlanner) lostZones(d *design) []int {
	out := slices.Repeat([]int{unplaced}, d.points)
	byName := index(q.request.Nodes)
	for _, name := range q.request.Standing {
		node := byName[name]
		if node == nil || q.f.leaving[name] == "" {
			continue
		}
		for _, point := range pointsOf(d, node) {
			out[point] = slices.Index(q.zones, node.Labels[q.request.Spec.ZoneLabel])
		}
	}
	return out
}

// reach is which designs there are for a policy, by number of points; 0: none.
type reach struct {
	// smallest keeps to the limits but those of scaling; any to these too; enough also to
	// the limit of sessions, and is as many as scaling asks for.
	smallest, any, enough int
	// least sessions of a reflector of those that keep to all other limits, and with which.
	least int
	lean  string
}

func (q *quorumPlanner) reach() reach {
	var r reach
	first := func(at *int, d *design, fits bool) {
		if *at == 0 && fits {
			*at = d.points
		}
	}
	for i := range designs() {
		d := &designs()[i]
		first(&r.smallest, d, d.meet > q.failures && d.block <= q.paths)
		first(&r.any, d, q.meets(d))
		first(&r.enough, d, q.fits(d, q.plan.Nodes) && d.points >= q.floor())
		if sessions := designSessions(d, q.plan.Nodes); q.meets(d) && (r.lean == "" || sessions < r.least) {
			r.least, r.lean = sessions, fmt.Sprintf("%d reflectors in blocks of %d", d.points, d.block)
		}
	}
	return r
}

// refuse says why no design fits.
func (q *quorumPlanner) refuse() {
	r := q.reach()
	scaling := q.request.Spec.Scaling
	switch {
	case r.smallest == 0:
		q.plan.problem(ReasonLimitExceeded,
			"topology Quorum: no block design survives %d failures with at most %d paths a route; lower limits.reflectorFailures or raise limits.pathsPerRoute; what stands stays",
			q.failures, q.paths)
	case r.any == 0:
		q.plan.problem(ReasonLimitExceeded,
			"topology Quorum: no block design that survives %d failures has %d to %d route reflectors (scaling.min, scaling.max); the smallest has %d; what stands stays",
			q.failures, scaling.Min, scaling.Max, r.smallest)
	case r.least > q.sessions:
		q.plan.problem(ReasonLimitExceeded,
			"topology Quorum: %d nodes need %d sessions a route reflector with the widest block design in reach (%s), limits.sessionsPerReflector allows %d; use Multi or Hierarchy, or raise scaling.max or the limit; what stands stays",
			q.plan.Nodes, r.least, r.lean, q.sessions)
	case q.over != nil:
		q.plan.problem(ReasonLimitExceeded,
			"topology Quorum: %d nodes, uneven over the zones, need %d sessions a route reflector with the widest block design in reach (%d reflectors in blocks of %d), limits.sessionsPerReflector allows %d; use Multi or Hierarchy, or raise the limit; what stands stays",
			q.plan.Nodes, q.over.most, q.over.d.points, q.over.d.block, q.sessions)
	default:
		q.plan.problem(ReasonTooFewEligible,
			"topology Quorum: only %d %s can be route reflectors%s, and the smallest block design that keeps to the limits and has the %d that spec.scaling asks for has %d; what stands stays",
			q.able, some(q.able, "node", "nodes"), q.others(), q.want, r.enough)
	}
}

// say notes what the result lacks.
func (q *quorumPlanner) say(result *quorumResult) {
	missing := 0
	zones := map[string]bool{}
	for _, c := range result.at {
		if c == nil {
			missing++
			continue
		}
		zones[c.zone] = true
	}
	d := result.d
	if missing > 0 && !result.awaits {
		q.plan.problem(ReasonTooFewEligible, "%d of %d route reflectors: only that many nodes can be route reflectors%s",
			d.points-missing, d.points, q.others())
	}
	if result.bad > 0 || len(zones) < 2 && q.nodeZones() > 1 {
		q.plan.problem(ReasonZoneLoss,
			"topology Quorum with %d route reflectors in blocks of %d does not survive the loss of any one zone: over %d %s with nodes that can be one, some blocks share reflectors of one zone only, and no design without such blocks keeps to the limits; use Multi, or let nodes of more zones be route reflectors",
			d.points, d.block, len(zones), some(len(zones), "zone", "zones"))
	}
	if result.most > q.sessions {
		q.plan.problem(ReasonLimitExceeded, "topology Quorum: a route reflector has %d sessions, limits.sessionsPerReflector allows %d",
			result.most, q.sessions)
	}
}

// others tells why the others cannot be reflectors, in parentheses.
func (q *quorumPlanner) others() string {
	if len(q.plan.Ineligible) == 0 {
		return ""
	}
	return " (" + q.plan.Describe() + ")"
}

func (q *quorumPlanner) nodeZones() int {
	seen := map[string]bool{}
	for i := range q.request.Nodes {
		if node := &q.request.Nodes[i]; node.HasBGP() && !node.Deleting {
			seen[node.Labels[q.request.Spec.ZoneLabel]] = true
		}
	}
	return len(seen)
}
