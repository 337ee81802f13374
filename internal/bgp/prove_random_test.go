package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"tapetum.dev/tapetum/internal/calico"
)

// drawEdit changes one thing.
func drawEdit(t *rapid.T, in Input) Input {
	in = in.clone()
	n := rapid.IntRange(0, len(in.Nodes)-1).Draw(t, "edited node")
	switch rapid.IntRange(0, 8).Draw(t, "edit") {
	case 0:
		in.Nodes[n].ClusterID = rapid.SampledFrom(someIDs).Draw(t, "new ID")
	case 1:
		return in.label(n, rapid.SampledFrom([]string{"a", "-a", "a=x", "b=y", "-b"}).Draw(t, "new label"))
	case 2:
		return in.role(n, rapid.SampledFrom(someIDs).Draw(t, "new ID"), rapid.SampledFrom([]string{"a", "-a"}).Draw(t, "new label"))
	case 3:
		return in.peer("added", drawPeer(t, len(in.Nodes)))
	case 4:
		if len(in.Peers) > 0 {
			return in.without(in.Peers[0].Name)
		}
	case 5:
		if len(in.Peers) > 0 {
			in.Peers[0].Spec.MaxRestartTime = &metav1.Duration{Duration: 99 * time.Second}
		}
	case 6:
		return in.withMesh(rapid.Bool().Draw(t, "new mesh"))
	case 7:
		in.Filters = drawFilters(t)
	case 8:
		in.Nodes = slices.Delete(in.Nodes, n, n+1)
	}
	return in
}

func drawObserved(t *rapid.T, s *naive) Observed {
	o := Observed{Up: map[string]map[netip.Addr]bool{}, Down: map[string]bool{}}
	o.AssumeMesh = rapid.Bool().Draw(t, "assume mesh")
	o.AssumeUnobserved = rapid.Bool().Draw(t, "assume unobserved")
	for _, name := range s.names {
		if rarely(t, 8, "down") {
			o.Down[name] = true
		}
		if s.nodes[name].cluster != "" && !rarely(t, 4, "unobserved") {
			o.Up[name] = map[netip.Addr]bool{}
		}
	}
	for _, x := range s.sessions() {
		if o.Up[x.from] != nil && !rarely(t, 6, "session down") {
			o.Up[x.from][s.nodes[x.to].addr[x.family]] = true
		}
	}
	return o
}

// naiveStep is the slow model of a step.
type naiveStep struct {
	before, after *naive
	seen          Observed
	changing      map[string]bool
}

func (s *naiveStep) ordinary(name string) bool {
	return s.before.nodes[name] != nil && s.after.nodes[name] != nil && !s.seen.Down[name] && !s.changing[name]
}

func (s *naiveStep) status(x *naiveSession) string {
	observed := false
	for _, end := range [][2]string{{x.from, x.to}, {x.to, x.from}} {
		if up, ok := s.seen.Up[end[0]]; ok {
			observed = true
			if !up[s.before.nodes[end[1]].addr[x.family]] {
				return "down"
			}
		}
	}
	reflector := s.before.nodes[x.from].cluster != "" || s.before.nodes[x.to].cluster != ""
	if observed || reflector && s.seen.AssumeUnobserved || !reflector && s.seen.AssumeMesh {
		return "up"
	}
	return "doubtful"
}

func (s *naiveStep) later(x *naiveSession) (naiveSession, bool) {
	if s.after.nodes[x.from] == nil || s.after.nodes[x.to] == nil {
		return naiveSession{}, false
	}
	return s.after.session(x.from, x.to, x.family)
}

// kept: every protocol of this end is the same before and after, beyond doubt.
func (s *naiveStep) kept(x *naiveSession) bool {
	for _, p := range s.before.toward(x.from, x.to, x.family) {
		if !slices.ContainsFunc(s.after.toward(x.from, x.to, x.family), func(q *naiveProtocol) bool {
			return p.definition() == q.definition() && p.alternatives <= 1 && q.alternatives <= 1
		}) {
			return false
		}
	}
	return true
}

func (x *naiveSession) reversed() *naiveSession {
	return &naiveSession{from: x.to, to: x.from, family: x.family, out: x.back, back: x.out}
}

func (s *naiveStep) survives(x *naiveSession) bool {
	_, ok := s.later(x)
	return ok && s.kept(x) && s.kept(x.reversed())
}

func (s *naiveStep) refiltered(x *naiveSession) bool {
	y, _ := s.later(x)
	e, i := s.before.currentFilters(x)
	f, j := s.after.currentFilters(&y)
	return fmt.Sprint(naiveRules(e), naiveRules(i)) != fmt.Sprint(naiveRules(f), naiveRules(j))
}

func naiveRules(rules []calico.BGPFilterRule) []string {
	var out []string
	for _, r := range rules {
		tags := ""
		for _, o := range r.Operations {
			tags += o.AddCommunity.Value
		}
		match := ""
		if r.Communities != nil {
			match = r.Communities.Values[0]
		}
		out = append(out, fmt.Sprint(r.CIDR, r.MatchOperator, match, r.PeerType, r.Source, tags, r.Action))
	}
	return out
}

// lostDuring for one assignment of new filters to nodes.
func (s *naiveStep) lostDuring(renewed func(node string) bool) (map[Pair]bool, bool) {
	var known, doubtful []naiveSession
	for _, x := range s.before.sessions() {
		if st := s.status(&x); st != "down" && !s.seen.Down[x.from] && !s.seen.Down[x.to] {
			doubtful = append(doubtful, x)
			if st == "up" && s.survives(&x) {
				known = append(known, x)
			}
		}
	}
	mixed := func(x *naiveSession) (exports, imports []calico.BGPFilterRule) {
		exports, imports = s.before.currentFilters(x)
		y, _ := s.later(x)
		e, i := s.after.currentFilters(&y)
		if renewed(x.from) {
			exports = e
		}
		if renewed(x.to) {
			imports = i
		}
		return exports, imports
	}
	removed := func(x *naiveSession) bool { return !s.survives(x) || s.refiltered(x) }
	lost := map[Pair]bool{}
	for _, origin := range s.before.names {
		for f := range 2 {
			if !s.ordinary(origin) || !s.before.nodes[origin].addr[f].IsValid() {
				continue
			}
			steady, ok := s.before.spread(origin, f, known, mixed, nil)
			now, fine := s.before.spread(origin, f, doubtful, s.before.currentFilters, removed)
			if !ok || !fine {
				return nil, false
			}
			for _, b := range s.before.blocks(origin, f) {
				for _, holder := range s.before.names {
					has := func(r *naiveRoute) bool { return r.block == b }
					had := func(r *naiveRoute) bool { return r.block == b && r.removed }
					if s.ordinary(holder) && holder != origin && !slices.ContainsFunc(steady[holder], has) && slices.ContainsFunc(now[holder], had) {
						lost[Pair{holder, origin}] = true
					}
				}
			}
		}
	}
	return lost, true
}

// familyPair is an ordered pair in one family.
type familyPair struct {
	family int
	Pair
}

func (s *naiveStep) connected(n *naive, sessions []naiveSession) (map[familyPair]bool, bool) {
	out := map[familyPair]bool{}
	sessions = slices.DeleteFunc(sessions, func(x naiveSession) bool { return s.seen.Down[x.from] || s.seen.Down[x.to] })
	for _, origin := range n.names {
		for f := range 2 {
			if !s.ordinary(origin) || !n.nodes[origin].addr[f].IsValid() {
				continue
			}
			held, ok := n.spread(origin, f, sessions, n.currentFilters, nil)
			if !ok {
				return nil, false
			}
			for holder, routes := range held {
				if s.ordinary(holder) && naiveHasAll(routes, n.blocks(origin, f)) {
					out[familyPair{f, Pair{holder, origin}}] = true
				}
			}
		}
	}
	return out, true
}

func (s *naiveStep) lostAfter() (map[Pair]bool, bool) {
	before, ok := s.connected(s.before, s.before.sessions())
	firm := slices.DeleteFunc(s.after.sessions(), func(x naiveSession) bool {
		if x.out.alternatives <= 1 && x.back.alternatives <= 1 {
			return false
		}
		if s.before.nodes[x.from] == nil || s.before.nodes[x.to] == nil {
			return true
		}
		y, ok := s.before.session(x.from, x.to, x.family)
		return !ok || y.out.alternatives <= 1 && y.back.alternatives <= 1
	})
	after, fine := s.connected(s.after, firm)
	lost := map[Pair]bool{}
	for k := range before {
		if !after[k] && k.From != k.To {
			lost[k.Pair] = true
		}
	}
	return lost, ok && fine
}

func TestProofAgreesWithNaiveModel(t *testing.T) {
	checkOften(t, func(t *rapid.T) {
		before := drawInput(t, 5)
		after := drawEdit(t, before)
		s := &naiveStep{before: newNaive(before), after: newNaive(after), changing: map[string]bool{}}
		s.seen = drawObserved(t, s.before)
		if rarely(t, 3, "changing") {
			s.changing[nodeName(rapid.IntRange(0, 4).Draw(t, "changing node"))] = true
		}
		p := Prove(before, after, s.seen, s.changing)
		compareRestarts(t, s, RestartedSessions(before, after))
		if lost, ok := s.lostAfter(); ok && p.LostAfter.Count != len(lost) {
			t.Fatalf("lost after: %v, naive model: %v", p.LostAfter, lost)
		}
		compareDuring(t, s, p.LostDuring)
		compareWeakened(t, s, p.Weakens)
	})
}

// compareWeakened tries the loss of each one reflector, before and after.
func compareWeakened(t *rapid.T, s *naiveStep, got Weakening) {
	before, ok := s.weak(s.before)
	after, fine := s.weak(s.after)
	if !ok || !fine {
		return
	}
	want := map[Pair]bool{}
	for pair := range after {
		if !before[pair] {
			want[pair.Pair] = true
		}
	}
	if got.Pairs.Count != len(want) || got.Reflectors > 1 || got.Reflectors == 1 != (len(want) > 0) {
		t.Fatalf("weakened: %+v, naive model: %v", got, want)
	}
}

// weak are the pairs without a route, or without one when some reflector is lost.
func (s *naiveStep) weak(n *naive) (map[familyPair]bool, bool) {
	weak := map[familyPair]bool{}
	for _, lost := range append([]string{""}, n.names...) {
		if lost != "" && (n.nodes[lost].cluster == "" || s.seen.Down[lost]) {
			continue
		}
		sessions := slices.DeleteFunc(n.sessions(), func(x naiveSession) bool { return x.from == lost || x.to == lost })
		connected, ok := s.connected(n, sessions)
		if !ok {
			return nil, false
		}
		for _, origin := range n.names {
			for _, holder := range n.names {
				for f := range 2 {
					pair := familyPair{f, Pair{holder, origin}}
					if origin != holder && origin != lost && holder != lost && s.ordinary(origin) && s.ordinary(holder) &&
						n.nodes[origin].addr[f].IsValid() && n.nodes[holder].addr[f].IsValid() && !connected[pair] {
						weak[pair] = true
					}
				}
			}
		}
	}
	return weak, true
}

func compareRestarts(t *rapid.T, s *naiveStep, got []Restart) {
	var want []Restart
	for _, x := range s.before.sessions() {
		if y, ok := s.later(&x); ok && !s.survives(&x) && !s.kept(&x) {
			want = append(want, Restart{x.from, x.to, Family(x.family), x.out.name(), y.out.name()})
		}
	}
	slices.SortFunc(want, func(a, b Restart) int {
		return comparePairs(Pair{a.Local, a.Remote + a.Family.String()}, Pair{b.Local, b.Remote + b.Family.String()})
	})
	if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
		t.Fatalf("restarts (-naive +model):\n%s", diff)
	}
}

// compareDuring: without changed filters the proof is exact; with them it must
// cover every subset of nodes that have the new ones.
func compareDuring(t *rapid.T, s *naiveStep, got Loss) {
	if cmp.Equal(s.before.in.Filters, s.after.in.Filters) && !slices.ContainsFunc(s.before.sessions(), func(x naiveSession) bool { return s.survives(&x) && s.refiltered(&x) }) {
		lost, ok := s.lostDuring(func(string) bool { return false })
		if ok && got.Count != len(lost) {
			t.Fatalf("lost during: %v, naive model: %v", got, lost)
		}
		return
	}
	for subset := range 1 << len(s.before.names) {
		lost, ok := s.lostDuring(func(node string) bool { return subset>>slices.Index(s.before.names, node)&1 == 1 })
		if !ok {
			return
		}
		for p := range lost {
			if !slices.Contains(got.Sample, p) {
				t.Fatalf("nodes %b with new filters: %v is lost, the proof has %v", subset, p, got)
			}
		}
	}
}
