package topology

import (
	"maps"
	"slices"
)

// Reasons of problems of Quorum and Hierarchy.
const (
	// ReasonZoneLoss tells that the plan does not survive the loss of any one zone.
	ReasonZoneLoss = "ZoneNotCovered"
	// ReasonUnknownRack tells that no node has the label that tells the racks.
	ReasonUnknownRack = "UnknownRackLabel"
)

// quorum plans the topology Quorum: one cluster ID, and every client peers with the
// reflectors of one block of a design. Each two blocks meet in as many reflectors
// as may fail and one more, so that a route never needs to pass two.
//
// What stands keeps its design, its points and its groups' blocks; a reflector that
// is lost is replaced at its point. Where no design fits, what stands stays.
func quorum(request Request, f *field, plan *Plan) {
	q := newQuorum(request, f, plan)
	best := q.choose()
	if best == nil {
		plan.stay(request)
		return
	}
	q.say(best)
	q.write(best)
}

// quorumPlanner is what the choice of a design depends on.
type quorumPlanner struct {
	request Request
	f       *field
	plan    *Plan
	// zones that have a node which can be a reflector, or is one for want of others, sorted.
	zones []string
	// room is how many such nodes each zone has, without stopgaps.
	room []int
	// able are all of them, with stopgaps.
	able int
	// failures, sessions and paths are the limits.
	failures, sessions, paths int
	// most is scaling.max; want is at least how many there should be.
	want, most int
	// over is the last design that would do but for clients that are not even over
	// the zones.
	over *quorumResult
}

func newQuorum(request Request, f *field, plan *Plan) *quorumPlanner {
	limits := request.Spec.Limits
	q := &quorumPlanner{
		request: request, f: f, plan: plan,
		failures: int(*limits.ReflectorFailures), sessions: int(limits.SessionsPerReflector), paths: int(limits.PathsPerRoute),
		want: Count(request.Spec.Scaling, plan.Nodes), most: int(request.Spec.Scaling.Max),
	}
	count := map[string]int{}
	for _, some := range [][]candidate{f.kept, f.candidates} {
		for _, c := range some {
			count[c.zone]++
		}
	}
	for _, c := range f.stopgaps {
		count[c.zone] += 0
	}
	q.zones = slices.Sorted(maps.Keys(count))
	for _, zone := range q.zones {
		q.room = append(q.room, count[zone])
		q.able += count[zone]
	}
	q.able += len(f.stopgaps)
	return q
}

// quorumResult is a plan with one design.
type quorumResult struct {
	d *design
	// at are the reflectors by point; nil where there is none to be had.
	at []*candidate
	// bad counts the meetings that lie in one zone.
	bad int
	// awaits: the reflector of a point is expected back.
	awaits bool
	// moved are standing reflectors that give up their place to one of another zone.
	moved map[string]bool
	// pinned nodes took the place of these.
	pinned []string
	shares partition
	// suits is the design whose shards these are; nil: d.
	suits *design
	// block of each group, by its name.
	block map[string]int
	// most is the greatest number of sessions of a reflector.
	most int
}

// meets tells whether the design keeps to all limits that do not depend on nodes.
func (q *quorumPlanner) meets(d *design) bool {
	return d.meet > q.failures && d.block <= q.paths && d.points <= q.most && d.points >= int(q.request.Spec.Scaling.Min)
}

// fits tells whether the design would do for so many nodes.
func (q *quorumPlanner) fits(d *design, nodes int) bool {
	return q.meets(d) && d.points-1+(nodes*d.block+d.points-1)/d.points <= q.sessions
}

// choose finds the design: the one that a change under way leads to, else the one that
// stands, as long as it fits, else the smallest that also survives the loss of any zone,
// else the smallest. nil where none fits; the plan then has the problem.
func (q *quorumPlanner) choose() *quorumResult {
	all := q.standingDesigns()
	if result := q.underWay(all); result != nil {
		q.remember(result)
		return result
	}
	var stands *design
	if len(all) > 0 {
		stands = all[0]
	}
	if stands != nil && q.fits(stands, q.plan.Nodes) && stands.points >= q.floor() {
		result := q.make(stands)
		if result.most <= q.sessions && !q.shrinks(stands) {
			return result
		}
	}
	if result := q.search(); result != nil {
		q.remember(result)
		return result
	}
	return q.hold(stands)
}

// hold keeps the design that stands, though no design fits. New clients need a home all
// the same. With these homes one may fit that would have given them others: the next plan
// would go to it, so this one does.
func (q *quorumPlanner) hold(stands *design) *quorumResult {
	if stands == nil || !q.meets(stands) {
		q.refuse()
		return nil
	}
	result := q.make(stands)
	if q.fresh(result) {
		if other := q.where(result).search(); other != nil && other.d != stands {
			other.suits = stands
			q.remember(other)
			return other
		}
	}
	q.refuse()
	return result
}

// search is choose from nothing.
func (q *quorumPlanner) search() *quorumResult {
	var fallback *quorumResult
	for i := range designs() {
		d := &designs()[i]
		fits := q.fits(d, q.plan.Nodes) && d.points >= q.floor() && d.points <= q.able
		if !fits || fallback != nil && !q.placeable(d) {
			continue
		}
		result := q.make(d)
		switch {
		case result.most > q.sessions:
			q.over = result
		case result.bad == 0:
			return result
		case fallback == nil:
			fallback = result
		}
	}
	return fallback
}

// floor is how many reflectors scaling asks for, as far as there are such designs.
func (q *quorumPlanner) floor() int {
	largest := 0
	for i := range designs() {
		if d := &designs()[i]; q.meets(d) {
			largest = d.points
		}
	}
	return min(q.want, largest)
}

// shrinks tells whether a smaller design is to take the place of the one that stands.
// As with the mesh it must do for a quarter more nodes, and have done so for the
// stabilization window.
func (q *quorumPlanner) shrinks(stands *design) bool {
	for i := range designs() {
		d := &designs()[i]
		if d.points >= stands.points {
			return false
		}
		if q.fits(d, q.plan.Nodes*5/4) && d.points >= q.floor() && (q.open() < 2 || q.placeable(d)) {
			return q.plan.elapsed(q.request, ClockScaleDown)
		}
	}
	return false
}

// open is in how many zones there are nodes that can be reflectors.
func (q *quorumPlanner) open() int {
	return len(slices.DeleteFunc(slices.Clone(q.room), func(room int) bool { return room == 0 }))
}

// placeable tells whether the zones have a place for the points such that any of
// them may be lost.
func (q *quorumPlanner) placeable(d *design) bool {
	_, ok := placePoints(d, q.room)
	return ok
}

// write puts the result into the plan.
func (q *quorumPlanner) write(result *quorumResult) {
	groups := make([][]string, result.d.points)
	for _, group := range result.shares.groups {
		for _, point := range result.d.blocks[result.block[group.Name]] {
			groups[point] = append(groups[point], group.Name)
		}
	}
	for _, point := range result.d.blocks[catchAllBlock] {
		groups[point] = append(groups[point], GroupAll)
	}
	var roles []role
	for point, c := range result.at {
		if c == nil {
			continue
		}
		r := reflector(q.request, c.node)
		r.Tier = TierQuorum
		r.Serves = append([]string{pointName(result.d, point)}, groups[point]...)
		slices.Sort(r.Serves)
		roles = append(roles, role{*c, r})
	}
	q.f.enroll(q.plan, roles, result.why)
	q.plan.Groups, q.plan.Homes = result.shares.groups, result.shares.homes
	if result.suits != nil {
		q.reflectorsGetNone(result)
	}
}

// reflectorsGetNone takes away the homes that nodes would have as clients of another
// design. Who has one already keeps it.
func (q *quorumPlanner) reflectorsGetNone(result *quorumResult) {
	for _, c := range result.at {
		if c == nil {
			continue
		}
		if _, ok := homeOf(c.node); !ok {
			delete(q.plan.Homes, c.node.Name)
		}
	}
}

func (r *quorumResult) why(name string) string {
	if r.moved[name] {
		return "its place is needed in another zone, so that any zone can be lost"
	}
	if slices.Contains(r.pinned, name) {
		return "a pinned node takes its place"
	}
	return "fewer route reflectors are enough"
}
