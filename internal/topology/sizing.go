package topology

import (
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// How much further than the smallest number a size may go.
const (
	// forZones is how many reflectors more than needed are cheaper than a home label
	// on every client.
	forZones = 2
	// forBalance is how many more are tried where the zones do not divide evenly.
	forBalance = 8
	// finest is how many times more shards than reflectors there may be for balance.
	finest = 4
	// manyShards and more are only made where there are as many reflectors: every
	// node matches the selector of each.
	manyShards = 36
)

// size is how large a topology with k homes a client should be, planned from
// nothing.
type size struct {
	// m reflectors.
	m int
	// floor is what scaling and the limits ask for whatever the zones.
	floor int
	// byLabel: the zone label tells the groups. fine: else there are so many shards
	// a reflector.
	byLabel bool
	fine    int
	// apart: every client can have homes in two zones.
	apart bool
}

// sizer looks for the size.
type sizer struct {
	c census
	k int
	// sessions is the most of a reflector: the limit, or where that cannot be kept the
	// fewest that can be had. most is the most reflectors.
	sessions, most int
}

// sessionsWith is what a reflector of m has where nodes with k homes each are spread
// evenly: its clients and the other reflectors.
func sessionsWith(nodes, k, m int) int {
	k = min(k, m)
	return (nodes*k+m-1)/max(m, 1) + m - 1
}

// smallest is the least number of reflectors from least to most that keep to the
// limit of sessions; ok is false, and it is the number with the fewest sessions,
// where none does.
func smallest(nodes, k, sessions, least, most int) (m int, ok bool) {
	best := least
	for m = least; m <= most; m++ {
		with := sessionsWith(nodes, k, m)
		if with <= sessions {
			return m, true
		}
		if with < sessionsWith(nodes, k, best) {
			best = m
		}
	}
	return best, false
}

// grouping is how the clients may be grouped.
type grouping int

const (
	// byHome: some have homes already, or the zone label will not do.
	byHome grouping = iota
	// byEither: nothing stands that tells.
	byEither
	// byZone: the zone label tells the groups that stand.
	byZone
)

// size finds the smallest number of reflectors from least on with which a plan from
// nothing keeps to the limits, and how to group the clients.
func (s *sizer) size(least int, may grouping) size {
	for _, want := range []promise{{apart: true, even: true}, {apart: true}, {}} {
		if m, ok := s.sizeByZone(least, may, want.apart); ok {
			return size{m: m, floor: least, byLabel: true, fine: 1, apart: want.apart}
		}
		for _, try := range s.tries(least) {
			if s.works(try.m, s.shards(try.m, try.fine), want) {
				try.apart = want.apart
				return try
			}
		}
	}
	return size{m: least, floor: least, fine: 1}
}

// promise is what a size is asked for beside the limit of sessions.
type promise struct{ apart, even bool }

// tries are the sizes to try, the cheapest first: more reflectors against more
// shards, eight of which cost as much as a reflector, and each beyond manyShards as
// much as one.
func (s *sizer) tries(least int) []size {
	var out []size
	for m := least; m <= min(least+forBalance, s.most); m++ {
		for fine := 1; fine <= finest; fine++ {
			out = append(out, size{m: m, floor: least, fine: fine})
		}
	}
	cost := func(t size) int { return t.m*8 + t.m*t.fine + 8*max(0, t.m*(t.fine-1)-max(0, manyShards-t.m)) }
	slices.SortStableFunc(out, func(a, b size) int { return cost(a) - cost(b) })
	return out
}

// sizeByZone tries groups by zone. Those that stand may be uneven, as zones grow
// differently.
func (s *sizer) sizeByZone(least int, may grouping, apart bool) (m int, ok bool) {
	if may == byHome {
		return 0, false
	}
	for m = least; m <= min(least+forZones, s.most); m++ {
		if s.works(m, s.zones(m), promise{apart: apart, even: true}) {
			return m, true
		}
	}
	if may == byZone {
		for m = least; m <= s.most; m++ {
			if s.works(m, s.zones(m), promise{apart: apart}) {
				return m, true
			}
		}
	}
	return 0, false
}

// works tries the size on paper: are the loads within the limit, and even?
func (s *sizer) works(m int, groups []served, want promise) bool {
	a := &assignment{k: s.k, enough: s.k, apart: want.apart, groups: groups}
	spread := s.c.spread(m, s.k)
	for _, zone := range s.c.zones {
		for range spread[zone] {
			a.servers = append(a.servers, server{zone: zone})
		}
	}
	capacity := s.sessions - m + 1
	a.assign(capacity)
	return a.most() <= capacity && a.scattered() && (!want.even || m <= s.k || a.even(15))
}

// zones are the groups by zone, without those that become reflectors.
func (s *sizer) zones(m int) []served {
	spread := s.c.spread(m, s.k)
	var out []served
	for _, zone := range s.c.zones {
		if clients := s.c.nodes[zone] - spread[zone]; clients > 0 {
			out = append(out, served{zone: zone, size: clients})
		}
	}
	return out
}

// shards cuts the zones into m × fine shards in all, if none is too small for one.
func (s *sizer) shards(m, fine int) []served {
	want := s.c.shards(m * fine)
	var out []served
	for _, zone := range s.zones(m) {
		n := min(want[zone.zone], zone.size)
		for i := range n {
			out = append(out, served{zone: zone.zone, size: (zone.size + i) / n})
		}
	}
	return out
}

// shards divides n shards over the zones in proportion to their nodes, at least one
// each.
func (c census) shards(n int) map[string]int {
	out := map[string]int{}
	left := n
	for _, zone := range c.zones {
		if c.nodes[zone] > 0 {
			out[zone] = 1
			left--
		}
	}
	for ; left > 0 && len(out) > 0; left-- {
		most := ""
		for _, zone := range c.zones {
			// The zone with the largest shards, were there half of one more.
			if c.nodes[zone] > 0 && (most == "" || c.nodes[zone]*(2*out[most]+1) > c.nodes[most]*(2*out[zone]+1)) {
				most = zone
			}
		}
		out[most]++
	}
	return out
}

// least is what scaling and the limits ask for whatever the zones. What cannot be is
// a problem of the plan.
func (s *sizer) least(spec *v1alpha1.RouteReflectorAutoscalerSpec, plan *Plan) int {
	least := max(Count(spec.Scaling, plan.Nodes), min(s.k, s.most))
	if least > s.most {
		least = s.most
	}
	m, ok := smallest(s.c.total, s.k, s.sessions, least, s.most)
	if !ok {
		plan.problem(ReasonLimitExceeded,
			"%d nodes with %d route reflectors each would need %d sessions a route reflector with %d of them, limits.sessionsPerReflector allows %d: raise it or scaling.max (%d), or lower reflectorsPerClient",
			s.c.total, s.k, sessionsWith(s.c.total, s.k, m), m, s.sessions, spec.Scaling.Max)
		s.sessions = sessionsWith(s.c.total, s.k, m)
	}
	return m
}
