package bgp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// naiveSession is a session from one side.
type naiveSession struct {
	from, to  string
	family    int
	out, back *naiveProtocol
	waiting   []string
}

func (s *naive) sessions() []naiveSession {
	var out []naiveSession
	for _, a := range s.names {
		for _, b := range s.names {
			for f := range 2 {
				if a == b || !s.nodes[a].addr[f].IsValid() || !s.nodes[b].addr[f].IsValid() {
					continue
				}
				if x, ok := s.session(a, b, f); ok {
					out = append(out, x)
				}
			}
		}
	}
	return out
}

func (s *naive) toward(a, b string, f int) []*naiveProtocol {
	var out []*naiveProtocol
	for _, p := range s.protocols[a] {
		if p.neighbor == s.nodes[b].addr[f] {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(p, q *naiveProtocol) int {
		return cmp.Or(cmp.Compare(naiveKinds[p.kind], naiveKinds[q.kind]), cmp.Compare(p.port, q.port))
	})
	return out
}

// naiveHolders are the protocols that hold BIRD's lock on their neighbor's address
// and port: the mesh's, though it may never come up.
func naiveHolders(list []*naiveProtocol) []*naiveProtocol {
	var out []*naiveProtocol
	locked := map[uint16]bool{}
	for _, p := range list { // the mesh's comes first
		port := cmp.Or(p.port, 179)
		if p.kind == "Mesh" {
			locked[port] = true
		} else if locked[port] {
			continue
		}
		out = append(out, p)
	}
	return out
}

func (s *naive) session(a, b string, f int) (naiveSession, bool) {
	ours, theirs := s.toward(a, b, f), s.toward(b, a, f)
	listens := func(n string, port uint16) bool { return cmp.Or(port, 179) == cmp.Or(s.nodes[n].port, 179) }
	best := naiveSession{from: a, to: b, family: f}
	var bestRank string
	for _, p := range naiveHolders(ours) {
		for _, q := range naiveHolders(theirs) {
			if p.peerAS != q.localAS || q.peerAS != p.localAS || p.peerAS == 0 || q.peerAS == 0 ||
				strings.Fields(p.options)[1] != strings.Fields(q.options)[1] || (p.passive || !listens(b, p.port)) && (q.passive || !listens(a, q.port)) {
				continue
			}
			if r := naiveRank(a < b, p, q); best.out == nil || r < bestRank {
				best.out, best.back, bestRank = p, q, r
			}
		}
	}
	found := best.out != nil
	for _, p := range ours {
		if p != best.out {
			best.waiting = append(best.waiting, p.name())
		}
	}
	return best, found
}

var naiveKinds = map[string]int{"Mesh": 0, "Node": 1, "Global": 2}

func naiveRank(forward bool, p, q *naiveProtocol) string {
	if !forward {
		p, q = q, p
	}
	return fmt.Sprintf("%v %d %5d %5d %5d %d", p.kind != q.kind, min(naiveKinds[p.kind], naiveKinds[q.kind]),
		min(p.port, q.port), max(p.port, q.port), p.port, naiveKinds[p.kind])
}
