package bgp

import (
	"cmp"
	"slices"
	"strings"
)

// Restart is one end of a session that exists before and after a change of the
// resources but does not survive it, because this end's definition changes.
type Restart struct {
	Local, Remote string
	Family        Family
	// Name and NewName are the protocol's names on Local before and after; they
	// differ where Calico renames it.
	Name, NewName string
}

// RestartedSessions are the ends of sessions whose protocol definitions differ
// between two states of the resources, so that the session restarts. A session
// with two changed ends is there twice.
func RestartedSessions(before, after Input) []Restart {
	s := newStep(before, after, Observed{AssumeUnobserved: true, AssumeMesh: true}, nil)
	var out []Restart
	s.eachRestart(func(a, b int32, f Family) {
		if s.kept(a, b, f) && s.unmoved(a) {
			return
		}
		p, _ := s.net[0].standing(a, b, f)
		q, _ := s.net[1].standing(a, b, f)
		r := s.net[0].roles
		for _, x := range r.members(a) {
			for _, y := range r.members(b) {
				if x == y {
					continue
				}
				out = append(out, Restart{
					Local: r.names[x], Remote: r.names[y], Family: f,
					Name:    protocolName(p.def.kind, s.net[0].view.nodes[y].addr[f], p.def.port),
					NewName: protocolName(q.def.kind, s.net[1].view.nodes[y].addr[f], q.def.port),
				})
			}
		}
	})
	slices.SortFunc(out, func(a, b Restart) int {
		return cmp.Or(strings.Compare(a.Local, b.Local), strings.Compare(a.Remote, b.Remote), cmp.Compare(a.Family, b.Family))
	})
	return out
}

// eachRestart gives both directions of all sessions that restart.
func (s *step) eachRestart(yield func(a, b int32, f Family)) {
	for f := range families {
		g := s.net[0].graphs[f]
		for c := range g.edges {
			for i := range g.edges[c] {
				e := g.edges[c][i]
				if out, _ := s.net[1].standing(int32(c), e.to, Family(f)); out == nil {
					continue
				}
				if survives, _ := s.survives(int32(c), &e, Family(f)); !survives {
					yield(int32(c), e.to, Family(f))
				}
			}
		}
	}
}

// restarts samples and counts the sessions that restart.
func (s *step) restarts() ([]Pair, int) {
	r := s.net[0].roles
	sample := newLoss(r, s.living[0], nil)
	sample.unordered = true
	count := 0
	s.eachRestart(func(a, b int32, _ Family) {
		n := int(r.size(a)) * int(r.size(b))
		if a == b {
			n = int(r.size(a)) * int(r.size(a)-1)
		}
		count += n
		sample.remember(a, b)
	})
	return sample.sample(), count / 2
}
