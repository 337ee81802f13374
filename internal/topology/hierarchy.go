package topology

import (
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/inventory"
)

// hierarchy plans the topology Hierarchy: in every rack (or zone) some reflectors
// with a cluster ID of their own, with which the rack's clients peer, and over them
// the spine, with which all reflectors of racks peer, and those clients that are in
// no rack or in one too small for reflectors of its own.
//
// A rack has as many reflectors as the spine: one more than may fail, at least two.
// Racks that are too large for them are cut into shards. So the racks decide how
// many reflectors there are; scaling.nodesPerReflector and scaling.ladder do not
// count here, only scaling.min and scaling.max as bounds.
//
// Where the limits are passed nothing is begun. A hierarchy that stands is kept up
// all the same, but racks without reflectors get none beyond scaling.max.
func hierarchy(request Request, f *field, plan *Plan) {
	h := newHierarchy(request, f, plan)
	if !h.possible() {
		plan.stay(request)
		return
	}
	h.draft()
	if !h.withinLimits() {
		if !h.standing {
			plan.stay(request)
			return
		}
		if h.total() > int(request.Spec.Scaling.Max) {
			h = newHierarchy(request, f, plan)
			h.noMore = true
			h.draft()
		}
	}
	h.write()
}

// draft decides who is who, and what each is for.
func (h *hierarchyPlanner) draft() {
	h.chooseSpine()
	h.readRacks()
	h.makeUnits()
	h.staff()
}

// total is the number of reflectors.
func (h *hierarchyPlanner) total() int {
	total := len(h.spine)
	for _, u := range h.units {
		total += len(u.reflectors)
	}
	return total
}

type hierarchyPlanner struct {
	request Request
	f       *field
	plan    *Plan
	// label tells the racks.
	label string
	// each is the number of reflectors of a rack, and of the spine.
	each int
	// room is how many clients a rack's reflectors may have.
	room int
	// standing: there are reflectors of racks.
	standing bool
	// noMore: racks without reflectors get none.
	noMore bool
	// taken are the nodes that have a part.
	taken map[string]bool
	spine []candidate
	// spineGroups are the groups that the spine serves beside the catch-all.
	spineGroups []string
	racks       []*rack
	units       []*unit
	groups      []Group
	homes       map[string]string
	// loose are the clients that peer with the spine.
	loose loose
}

// unit is a number of clients that share reflectors and a cluster ID: a rack, or one
// or more shards of one.
type unit struct {
	rack *rack
	// part is its number in the rack, from 1.
	part   int
	groups []string
	// size is the number of clients.
	size       int
	reflectors []candidate
	id         string
	// awaits: one of its reflectors is expected back, and nobody takes its place.
	awaits bool
}

func newHierarchy(request Request, f *field, plan *Plan) *hierarchyPlanner {
	h := &hierarchyPlanner{
		request: request, f: f, plan: plan, label: request.Spec.RackLabel,
		each: max(2, int(*request.Spec.Limits.ReflectorFailures)+1), taken: map[string]bool{}, homes: map[string]string{},
	}
	if h.label == "" {
		h.label = request.Spec.ZoneLabel
	}
	h.room = int(request.Spec.Limits.SessionsPerReflector) - h.each
	for _, c := range f.kept {
		h.standing = h.standing || tierOf(c.node) == TierRack
	}
	return h
}

// possible tells whether there are racks, and whether the limits allow a spine.
func (h *hierarchyPlanner) possible() bool {
	limits := h.request.Spec.Limits
	if paths := h.each * h.each * h.each; paths > int(limits.PathsPerRoute) {
		h.plan.problem(ReasonLimitExceeded,
			"topology Hierarchy: %d reflectors a rack and on the spine (limits.reflectorFailures %d and one more) give a client %d paths a route, limits.pathsPerRoute allows %d; what stands stays",
			h.each, *limits.ReflectorFailures, paths, limits.PathsPerRoute)
		return false
	}
	if h.room < 1 {
		h.plan.problem(ReasonLimitExceeded,
			"topology Hierarchy: limits.sessionsPerReflector %d leaves a rack's reflectors no session beside the %d with the spine; what stands stays",
			limits.SessionsPerReflector, h.each)
		return false
	}
	for i := range h.request.Nodes {
		if h.request.Nodes[i].Labels[h.label] != "" {
			return true
		}
	}
	field := "spec.rackLabel"
	if h.request.Spec.RackLabel == "" {
		field = "spec.zoneLabel (as spec.rackLabel is not set)"
	}
	h.plan.problem(ReasonUnknownRack, "topology Hierarchy: no node has the label %s, which %s says tells the racks; what stands stays", h.label, field)
	return false
}

// chooseSpine takes the reflectors of the core, the most senior first, then new
// ones, then those of other tiers; in two zones where there are two.
func (h *hierarchyPlanner) chooseSpine() {
	var core, others []candidate
	for _, c := range h.f.kept {
		switch tierOf(c.node) {
		case TierCore, "":
			core = append(core, c)
		case TierMulti, TierQuorum:
			others = append(others, c)
		}
	}
	h.spine = h.pick(core, h.f.candidates, h.each)
	h.spine = h.pick(h.spine, others, h.each)
	for _, c := range h.f.stopgaps {
		if len(h.spine) < h.each && tierOf(c.node) == TierCore {
			h.spine = append(h.spine, c)
		}
	}
	for _, c := range h.spine {
		h.taken[c.node.Name] = true
	}
}

// pick takes the first of those that stand, and completes them with new ones: the
// pinned, then each from the zone that has the fewest, then the rack that has the
// fewest. Pinned ones take the place of others; and where all that stand are in one
// zone the last makes room for one of another.
func (h *hierarchyPlanner) pick(standing, fresh []candidate, n int) []candidate {
	if h.enough(standing, n) {
		return slices.Clone(standing[:n])
	}
	free := slices.DeleteFunc(slices.Clone(fresh), func(c candidate) bool {
		return h.taken[c.node.Name] || holds(standing, c)
	})
	out := stayOn(standing, free, n)
	if len(out) == n && n > 1 && zones(out) == 1 && !out[n-1].pinned {
		rest := slices.DeleteFunc(slices.Clone(standing), func(c candidate) bool { return holds(out, c) })
		for _, c := range slices.Concat(rest, free) {
			if c.zone != out[0].zone {
				out[n-1] = c
				break
			}
		}
	}
	for len(out) < n && len(free) > 0 {
		best := h.farthest(free, out)
		out = append(out, free[best])
		free = slices.Delete(free, best, best+1)
	}
	return out
}

// enough tells that the first n of those that stand need nobody else: nobody is
// pinned, and they are not all in one zone.
func (h *hierarchyPlanner) enough(standing []candidate, n int) bool {
	return len(h.f.pinned) == 0 && len(standing) >= n && (n < 2 || zones(standing[:n]) > 1)
}

// farthest is the first of the candidates that are the least near to the others.
func (h *hierarchyPlanner) farthest(free, others []candidate) int {
	best, least := 0, h.apart(&free[0], others)
	for i := range free {
		if near := h.apart(&free[i], others); near < least {
			best, least = i, near
		}
	}
	return best
}

// stayOn leaves out of those that stand the last ones that are too many, so that the
// free ones that are pinned have a place.
func stayOn(standing, free []candidate, n int) []candidate {
	for _, c := range free {
		if c.pinned {
			n--
		}
	}
	out := slices.Clone(standing)
	for i := len(out) - 1; i >= 0 && len(out) > max(n, 0); i-- {
		if !out[i].pinned {
			out = slices.Delete(out, i, i+1)
		}
	}
	return out
}

func holds(some []candidate, c candidate) bool {
	return slices.ContainsFunc(some, func(o candidate) bool { return o.node == c.node })
}

// apart ranks a candidate by how near to the others it is: less is better.
func (h *hierarchyPlanner) apart(c *candidate, others []candidate) int {
	near := 0
	if !c.pinned {
		near = (len(others) + 1) * (len(others) + 1)
	}
	for _, o := range others {
		if o.zone == c.zone {
			near += len(others) + 1
		}
		if o.node.Labels[h.label] == c.node.Labels[h.label] {
			near++
		}
	}
	return near
}

// withinLimits notes what is beyond the limits.
func (h *hierarchyPlanner) withinLimits() bool {
	before := len(h.plan.Problems)
	spec := h.request.Spec
	busiest := 0
	for _, u := range h.units {
		busiest = max(busiest, u.size+len(h.spine))
	}
	total, most := h.total(), int(spec.Limits.SessionsPerReflector)
	racks := total - len(h.spine)
	units := some(len(h.units), "rack or part of one", "racks or parts of racks")
	if limit := int(spec.Scaling.Max); total > limit {
		h.plan.problem(ReasonLimitExceeded,
			"topology Hierarchy needs %d route reflectors (%d for %d %s, %d of the spine), scaling.max allows %d: raise it, or tell larger racks by spec.rackLabel",
			total, racks, len(h.units), units, len(h.spine), limit)
	}
	if limit := int(spec.Scaling.Min); total < limit {
		h.plan.problem(ReasonLimitExceeded,
			"topology Hierarchy comes to %s (%d for %d %s, %d of the spine), scaling.min asks for %d: lower it, or tell racks by spec.rackLabel of which more have at least %d nodes that can be reflectors",
			counted(total, "route reflector"), racks, len(h.units), units, len(h.spine), limit, h.each+1)
	}
	if sessions := racks + h.loose.all + len(h.spine) - 1; sessions > most {
		h.plan.problem(ReasonLimitExceeded,
			"topology Hierarchy gives a reflector of the spine %d sessions (%d reflectors of racks, %d clients without a rack of at least %d nodes that can be reflectors, %d of the spine), limits.sessionsPerReflector allows %d: %s",
			sessions, racks, h.loose.all, h.each+1, len(h.spine)-1, most, h.remedy())
	}
	if busiest > most {
		h.plan.problem(ReasonLimitExceeded,
			"topology Hierarchy gives a rack's reflector %d sessions, limits.sessionsPerReflector allows %d: raise it", busiest, most)
	}
	return len(h.plan.Problems) == before
}

// write puts the result into the plan.
func (h *hierarchyPlanner) write() {
	h.promise()
	var roles []role
	add := func(c candidate, tier, id string, serves []string) {
		slices.Sort(serves)
		roles = append(roles, role{c, Reflector{Node: c.node.Name, Zone: c.zone, ClusterID: id, Tier: tier, Serves: serves}})
	}
	for _, c := range h.spine {
		add(c, TierCore, h.request.Spec.ClusterID, append([]string{GroupAll}, h.spineGroups...))
	}
	for _, u := range h.units {
		for _, c := range u.reflectors {
			add(c, TierRack, u.id, u.serves())
		}
	}
	h.f.enroll(h.plan, roles, func(string) string { return "fewer route reflectors are enough" })
	slices.SortFunc(h.groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	h.plan.Groups, h.plan.Homes = h.groups, h.homes
}

// promise notes which zones cannot be lost, and who lacks reflectors.
func (h *hierarchyPlanner) promise() {
	if len(h.spine) < h.each {
		h.plan.problem(ReasonTooFewEligible, "%d of %d route reflectors of the spine: only that many nodes can be route reflectors (%s)",
			len(h.spine), h.each, h.plan.Describe())
	}
	if zones(h.spine) == 1 && h.spread(h.request.Nodes) > 1 {
		h.plan.problem(ReasonZoneLoss, "all route reflectors of the spine stand in zone %q, as no node elsewhere can be one: its loss parts all racks", h.spine[0].zone)
	}
	for _, u := range h.units {
		if u.awaits {
			continue
		}
		if len(u.reflectors) < h.each {
			h.plan.problem(ReasonTooFewEligible, "%d of %d route reflectors of rack %q: only that many of its nodes can be route reflectors",
				len(u.reflectors), h.each, u.rack.value)
		} else if zones(u.reflectors) == 1 && u.rack.zones > 1 {
			h.plan.problem(ReasonZoneLoss, "rack %q reaches over %d zones and all its route reflectors stand in zone %q, as no node elsewhere can be one: its other clients are cut off when that zone is lost",
				u.rack.value, u.rack.zones, u.reflectors[0].zone)
		}
	}
}

// spread is the number of zones with nodes that speak BGP.
func (h *hierarchyPlanner) spread(nodes []inventory.Node) int {
	seen := map[string]bool{}
	for i := range nodes {
		if nodes[i].HasBGP() && !nodes[i].Deleting {
			seen[nodes[i].Labels[h.request.Spec.ZoneLabel]] = true
		}
	}
	return len(seen)
}
