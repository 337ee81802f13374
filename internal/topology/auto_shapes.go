package topology

import (
	"fmt"
	"sync"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// shapeOf says in numbers what a topology would be, without choosing nodes. It uses
// the sizes that the planners use, so that the choice and the plan agree.
func shapeOf(topology v1alpha1.Topology, spec *v1alpha1.RouteReflectorAutoscalerSpec, c *counts, support TagFilterSupport) shape {
	var s shape
	switch topology {
	case v1alpha1.TopologyMesh:
		return meshShape(spec, c)
	case v1alpha1.TopologySingle:
		s = singleShape(spec, c)
	case v1alpha1.TopologyMulti:
		s = multiShape(spec, c, support)
	case v1alpha1.TopologyQuorum:
		s = quorumShape(spec, c)
	case v1alpha1.TopologyHierarchy:
		s = hierarchyShape(spec, c)
	}
	// The formulas count reflectors as clients, too many where most nodes are reflectors.
	s.degree = min(s.degree, max(c.nodes-1, 0))
	s.judge(spec, c)
	return s
}

// no is a shape that cannot be.
func no(format string, args ...any) shape { return shape{problem: fmt.Sprintf(format, args...)} }

// judge compares a shape with the limits.
func (s *shape) judge(spec *v1alpha1.RouteReflectorAutoscalerSpec, c *counts) {
	limit, most := int(spec.Limits.SessionsPerReflector), int(spec.Scaling.Max)
	switch {
	case s.problem != "":
	case s.reflectors > most:
		s.problem, s.outgrown = fmt.Sprintf("needs %d route reflectors, scaling.max allows %d", s.reflectors, most), true
	case s.reflectors > c.able:
		s.problem = fmt.Sprintf("needs %d route reflectors, only %d %s can be one", s.reflectors, c.able, some(c.able, "node", "nodes"))
	case s.degree > limit:
		s.problem = fmt.Sprintf("needs %s sessions a route reflector, %s are allowed", thousands(s.degree), thousands(limit))
		s.outgrown = true
	case s.paths > int(spec.Limits.PathsPerRoute):
		s.problem = fmt.Sprintf("gives a client %d paths a route, %d are allowed", s.paths, spec.Limits.PathsPerRoute)
		s.outgrown = true
	case !s.anyZone && c.reach(false) > 1:
		s.problem = "does not survive the loss of any one zone"
	}
}

// meshShape: every node with every other, which the user allows up to a number.
func meshShape(spec *v1alpha1.RouteReflectorAutoscalerSpec, c *counts) shape {
	s := shape{sessions: c.nodes * max(c.nodes-1, 0) / 2, degree: max(c.nodes-1, 0), paths: 1, anyZone: true}
	if limit := int(*spec.MeshUpTo); c.nodes > limit {
		s.problem = fmt.Sprintf("is for up to %s nodes (spec.meshUpTo)", thousands(limit))
		s.outgrown = true
	}
	return s
}

// singleShape: all reflectors serve all clients, and are pinned to each other.
func singleShape(spec *v1alpha1.RouteReflectorAutoscalerSpec, c *counts) shape {
	need := int(*spec.Limits.ReflectorFailures) + 1
	m := max(min(Count(spec.Scaling, c.nodes), c.able), need)
	clients := max(c.nodes-m, 0)
	pins := m * (m - 1) / 2
	return shape{
		reflectors: m, homes: m, degree: max(c.nodes-1, 0), sessions: clients*m + pins, paths: m,
		peers: 1 + pins, anyZone: m > 1 && c.reach(false) > 1,
	}
}

// multiShape: k reflectors a client, in groups as many as reflectors. Without the tag
// filter it may be as many as unfilteredIDs, with the paths that the planner counts on.
func multiShape(spec *v1alpha1.RouteReflectorAutoscalerSpec, c *counts, support TagFilterSupport) shape {
	k, need := int(spec.ReflectorsPerClient), int(*spec.Limits.ReflectorFailures)+1
	if k < need {
		return no("reflectorsPerClient %d does not survive %d failures (limits.reflectorFailures)", k, need-1)
	}
	least := max(Count(spec.Scaling, c.nodes), k)
	m, _ := smallest(c.nodes, k, int(spec.Limits.SessionsPerReflector), least, int(spec.Scaling.Max))
	most, paths := min(int(spec.Scaling.Max), c.filtering), k*k
	if !support.Cluster {
		if m > unfilteredIDs {
			return no("needs %d route reflectors, and more than %d only with the tag filter, which this cluster cannot have: %s",
				m, unfilteredIDs, orUnknown(support.Why))
		}
		most, paths = min(most, unfilteredIDs), unfilteredPaths(k, unfilteredIDs)
	} else if m > c.filtering {
		return no("needs %d route reflectors, only %d %s can be one and carry the tag filter", m, c.filtering, some(c.filtering, "node", "nodes"))
	}
	m, groups, writes := multiGroups(spec, c, k, m, most)
	return shape{
		reflectors: m, ownRoutes: m, homes: k, degree: sessionsWith(c.nodes, k, m),
		sessions: max(c.nodes-m, 0)*k + m*(m-1)/2, paths: paths,
		groups: groups, peers: groups + 2, writes: writes, anyZone: k > 1 && c.reach(true) > 1,
	}
}

// multiGroups says into how many groups the clients of so many reflectors are cut,
// and how many of them need a label for it: none where all reflectors serve all, or
// where the zones are even enough, for which there may be a reflector or two more,
// up to most.
func multiGroups(spec *v1alpha1.RouteReflectorAutoscalerSpec, c *counts, k, m, most int) (reflectors, groups, writes int) {
	if m <= k {
		return m, 0, 0
	}
	if c.zoned && m <= len(c.zones)*k {
		s := sizer{c: c.census(), k: k, sessions: int(spec.Limits.SessionsPerReflector), most: most}
		if with, ok := s.sizeByZone(m, byEither, c.reach(true) > 1); ok {
			return with, len(c.zones), 0
		}
	}
	return m, m, max(c.nodes-m, 0)
}

// quorumShape: the smallest design that would do, as the planner chooses it.
func quorumShape(spec *v1alpha1.RouteReflectorAutoscalerSpec, c *counts) shape {
	q := quorumPlanner{
		request:  Request{Spec: *spec},
		failures: int(*spec.Limits.ReflectorFailures), sessions: int(spec.Limits.SessionsPerReflector), paths: int(spec.Limits.PathsPerRoute),
		want: Count(spec.Scaling, c.nodes), most: min(int(spec.Scaling.Max), c.able),
	}
	for _, zone := range c.zones {
		if zone.able > 0 {
			q.room = append(q.room, zone.able)
		}
	}
	floor, needs := q.floor(), 0
	for i := range designs() {
		d := &designs()[i]
		switch {
		case !q.meets(d) || d.points < floor:
		case !q.fits(d, c.nodes):
			if with := designSessions(d, c.nodes); needs == 0 || with < needs {
				needs = with
			}
		case placeable(d, q.room):
			return designShape(d, c)
		}
	}
	if needs > q.sessions {
		out := no("needs %s sessions a route reflector with the best of its designs that would do, %s are allowed", thousands(needs), thousands(q.sessions))
		out.outgrown = true
		return out
	}
	return no("has no design that keeps to the limits and survives the loss of any one zone")
}

func designSessions(d *design, nodes int) int {
	return (nodes*d.block+d.points-1)/d.points + d.points - 1
}

func designShape(d *design, c *counts) shape {
	clients := max(c.nodes-d.points, 0)
	return shape{
		reflectors: d.points, ownRoutes: d.points, homes: d.block, degree: designSessions(d, c.nodes),
		sessions: clients*d.block + d.points*(d.points-1)/2, paths: d.block,
		groups: d.points, peers: d.points + 2, writes: clients, anyZone: true,
	}
}

// placed remembers for which designs there are zones for all points: to find out
// takes milliseconds, and the answer never changes.
var placed sync.Map

// placeable tells whether zones with so much room each have a place for the points
// of a design such that any of the zones may be lost.
func placeable(d *design, room []int) bool {
	if len(room) < 2 {
		return len(room) == 1 && room[0] >= d.points
	}
	key := fmt.Sprint(d.name(), even(d.points, room))
	if known, ok := placed.Load(key); ok {
		return known.(bool)
	}
	_, ok := placePoints(d, room)
	placed.Store(key, ok)
	return ok
}

// hierarchyShape: so many reflectors a rack or part of one, and as many on the spine.
// Clients that are in no rack, or in one with too few able nodes, peer with the spine.
func hierarchyShape(spec *v1alpha1.RouteReflectorAutoscalerSpec, c *counts) shape {
	each := max(2, int(*spec.Limits.ReflectorFailures)+1)
	room := int(spec.Limits.SessionsPerReflector) - each
	if room < 1 {
		return no("leaves a rack's route reflector no session beside those with the spine (limits.sessionsPerReflector %d)", spec.Limits.SessionsPerReflector)
	}
	s := shape{homes: each, paths: each * each * each, relays: 1, anyZone: c.reach(false) > 1}
	loose := c.loose
	for _, rack := range c.racks {
		if rack.able <= each {
			loose += rack.nodes
			continue
		}
		shards := 1
		if rack.nodes-each > room {
			shards = (rack.nodes + room - 1) / room
			s.writes += rack.nodes
		}
		s.groups += shards
		s.degree = max(s.degree, (max(rack.nodes-each, 0)+shards-1)/shards+each)
	}
	if s.groups == 0 {
		return no("has no rack with more than %d %s that can be route reflectors", each, some(each, "node", "nodes"))
	}
	s.ownRoutes = each * s.groups
	s.reflectors = s.ownRoutes + each
	if least := int(spec.Scaling.Min); s.reflectors < least {
		return no("needs %d route reflectors, scaling.min asks for %d", s.reflectors, least)
	}
	s.degree = max(s.degree, s.reflectors-1+loose)
	s.peers = s.groups + 2 + each*(each-1)/2
	s.sessions = max(c.nodes-s.reflectors, 0)*each + s.ownRoutes*each + each*(each-1)/2
	return s
}

func orUnknown(why string) string {
	if why == "" {
		return "it is not known whether Calico can do it"
	}
	return why
}
