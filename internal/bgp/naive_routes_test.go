package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
)

// naiveRule is a filter rule; block tells the route it is about.
func (s *naive) rules(filters []string, f int, export bool) []calico.BGPFilterRule {
	var out []calico.BGPFilterRule
	for _, name := range filters {
		filter := s.filters[name]
		switch {
		case filter == nil:
		case f == 0 && export:
			out = append(out, filter.Spec.ExportV4...)
		case f == 0:
			out = append(out, filter.Spec.ImportV4...)
		case export:
			out = append(out, filter.Spec.ExportV6...)
		default:
			out = append(out, filter.Spec.ImportV6...)
		}
	}
	return out
}

// naiveRoute is a path of one address block as a node holds it.
type naiveRoute struct {
	block      netip.Prefix // zero: unknown
	own        bool
	from       *naiveSession // as seen by the holder
	hops       []string      // origin first, holder last
	originator string
	clusters   []string
	path       []uint32
	tags       string
	removed    bool
}

func (s *naive) filter(rules []calico.BGPFilterRule, r *naiveRoute, ebgp, own bool) bool {
	for _, rule := range rules {
		if rule.CIDR != "" {
			if r.block.IsValid() {
				cidr := netip.MustParsePrefix(rule.CIDR)
				if in := cidr.Overlaps(r.block) && cidr.Bits() <= r.block.Bits(); in == (rule.MatchOperator == "NotIn") {
					continue
				}
			} else if rule.Action == "Reject" {
				continue
			}
		}
		if rule.Communities != nil && !strings.Contains(r.tags, rule.Communities.Values[0]) ||
			rule.PeerType == "eBGP" && !ebgp || rule.PeerType == "iBGP" && ebgp || rule.Source != "" && own {
			continue
		}
		for _, o := range rule.Operations {
			if o.AddCommunity != nil && !strings.Contains(r.tags, o.AddCommunity.Value) {
				tags := append(strings.Fields(r.tags), o.AddCommunity.Value)
				slices.Sort(tags)
				r.tags = strings.Join(tags, " ")
			}
		}
		return rule.Action == "Accept"
	}
	return true
}

// naiveFilters gives the export rules of the sender and import rules of the
// receiver of a session.
type naiveFilters func(x *naiveSession) (exports, imports []calico.BGPFilterRule)

func (s *naive) currentFilters(x *naiveSession) (exports, imports []calico.BGPFilterRule) {
	return s.rules(x.out.filters, x.family, true), s.rules(x.back.filters, x.family, false)
}

// transfer is one message: BIRD's export at the sender and import at the receiver.
func (s *naive) transfer(r *naiveRoute, x *naiveSession, filters naiveFilters) *naiveRoute {
	if r.from != nil && r.from.to == x.to {
		return nil
	}
	mine := s.nodes[x.from].cluster
	ebgp := x.out.peerAS != x.out.localAS
	y := *r
	y.own = false
	y.hops = append(slices.Clone(r.hops), x.to)
	y.clusters, y.path = slices.Clone(r.clusters), slices.Clone(r.path)
	y.from = &naiveSession{from: x.to, to: x.from, family: x.family, out: x.back, back: x.out}
	if !r.own {
		if x.out.client && slices.Contains(r.clusters, mine) {
			return nil
		}
		src := r.from.out
		if src.peerAS == src.localAS && !ebgp && src.localAS == x.out.localAS {
			if !src.client && !x.out.client {
				return nil
			}
			if y.originator == "" {
				y.originator = r.from.to
			}
			y.clusters = append(y.clusters, mine)
		}
	}
	if ebgp {
		y.clusters, y.originator = nil, ""
		y.path = append(y.path, x.out.localAS)
	}
	exports, imports := filters(x)
	if !s.filter(exports, &y, ebgp, r.own) {
		return nil
	}
	loops := 0
	for _, as := range y.path {
		if as == x.back.localAS {
			loops++
		}
	}
	if loops > x.back.allow || y.originator == x.to || x.back.client && slices.Contains(y.clusters, s.nodes[x.to].cluster) {
		return nil
	}
	if !s.filter(imports, &y, ebgp, false) {
		return nil
	}
	return &y
}

// spread passes messages until none is left: all paths of the routes of one node
// in one family, by holder. false when there are too many.
func (s *naive) spread(origin string, f int, sessions []naiveSession, filters naiveFilters, removed func(*naiveSession) bool) (map[string][]*naiveRoute, bool) {
	held := map[string][]*naiveRoute{}
	var queue []*naiveRoute
	for _, b := range s.blocks(origin, f) {
		queue = append(queue, &naiveRoute{own: true, block: b, hops: []string{origin}})
	}
	for steps := 0; len(queue) > 0; steps++ {
		r := queue[0]
		queue = queue[1:]
		for i := range sessions {
			x := &sessions[i]
			if x.family != f || x.from != r.hops[len(r.hops)-1] {
				continue
			}
			if y := s.transfer(r, x, filters); y != nil {
				y.removed = r.removed || removed != nil && removed(x)
				held[x.to] = append(held[x.to], y)
				queue = append(queue, y)
			}
		}
		if steps > 4000 {
			return nil, false
		}
	}
	return held, true
}

// blocks that filters with CIDRs may tell apart; one unknown block otherwise.
func (s *naive) blocks(node string, f int) []netip.Prefix {
	var out []netip.Prefix
	for _, b := range s.nodes[node].blocks {
		if naiveFamily(b.Addr()) == f {
			out = append(out, b)
		}
	}
	if len(out) == 0 {
		return []netip.Prefix{{}}
	}
	return out
}

// missing are the ordered pairs without a route, in any family, to any block, when
// some nodes are lost.
func (s *naive) missing(lost func(string) bool) (map[Pair]bool, bool) {
	gone := func(name string) bool { return lost != nil && lost(name) }
	sessions := slices.DeleteFunc(s.sessions(), func(x naiveSession) bool { return gone(x.from) || gone(x.to) })
	out := map[Pair]bool{}
	for _, origin := range s.names {
		for f := range 2 {
			if gone(origin) || !s.nodes[origin].addr[f].IsValid() {
				continue
			}
			held, ok := s.spread(origin, f, sessions, s.currentFilters, nil)
			if !ok {
				return nil, false
			}
			for _, holder := range s.names {
				if holder != origin && !gone(holder) && s.nodes[holder].addr[f].IsValid() && !naiveHasAll(held[holder], s.blocks(origin, f)) {
					out[Pair{holder, origin}] = true
				}
			}
		}
	}
	return out, true
}

func naiveHasAll(held []*naiveRoute, blocks []netip.Prefix) bool {
	for _, b := range blocks {
		if !slices.ContainsFunc(held, func(r *naiveRoute) bool { return r.block == b }) {
			return false
		}
	}
	return true
}

func (r *naiveRoute) String() string { return fmt.Sprint(strings.Join(r.hops, " "), " ", r.tags) }
