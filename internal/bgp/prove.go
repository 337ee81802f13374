package bgp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"

	"tapetum.dev/tapetum/internal/inventory"
)

// Observed is what is known of the sessions' state.
type Observed struct {
	// Up holds, by reflector, the addresses of the peers whose sessions it reports
	// as up: established and fed. A node without an entry has not been observed.
	Up map[string]map[netip.Addr]bool
	// AssumeUnobserved: sessions of reflectors without an entry count as up.
	// AssumeMesh: so do sessions between two nodes that are no reflectors, which
	// nobody observes.
	AssumeUnobserved, AssumeMesh bool
	// DistrustAmbiguous: sessions for which two BGPPeers say different things carry
	// nothing that could be lost. Calico goes by either, and may restart them whenever a
	// node works its peerings out anew.
	DistrustAmbiguous bool
	// Down nodes do not count at all, neither as ends of pairs nor as reflectors.
	Down map[string]bool
}

// Limits are what a step may bring the network down to. A step may also leave a
// network that is beyond them already as it is.
type Limits struct {
	// ReflectorFailures is how many reflectors may fail without a pair lost.
	ReflectorFailures int
	// PathsPerRoute is the greatest number of paths for one route on a node that
	// is no reflector.
	PathsPerRoute int
	// PathsOnTheWay is the same for the moments in which some nodes have the new
	// filters and others still the old ones; 0: PathsPerRoute.
	PathsOnTheWay int
}

// DefaultLimits are those of the API's defaults.
var DefaultLimits = Limits{ReflectorFailures: 1, PathsPerRoute: 30}

// Loss counts ordered pairs of nodes and names the first.
type Loss struct {
	Count  int
	Sample []Pair
}

// Proof is what a step would do.
type Proof struct {
	// OK: no pair of ordinary nodes loses a route, and redundancy and paths stay
	// within the limits or do not get worse.
	OK bool
	// Restarts are sessions that exist before and after and go down in between, as
	// pairs of nodes; RestartCount counts sessions (by pair and family).
	Restarts     []Pair
	RestartCount int
	// LostDuring are pairs that a session which goes down may connect, and that no
	// sessions connect which are seen up and survive. LostAfter are pairs connected
	// before and not after, as configured.
	LostDuring, LostAfter Loss
	// MarginAfter is how many reflectors may fail, whichever they are, without a pair
	// of ordinary nodes lost; counted up to the limit, -1 where a pair has no route
	// already. Weakens tells whether it was more for any pair before.
	MarginAfter int
	Weakens     Weakening
	// HomesBefore and HomesAfter are the fewest living reflectors that an ordinary
	// node which is none has a session with.
	HomesBefore, HomesAfter int
	// PathsOnTheWay includes every mixture of old and new filters, PathsAfter has the
	// new ones alone. PathsBefore is only counted where these are more than the limit.
	PathsBefore, PathsOnTheWay, PathsAfter Paths
	// Reason says in a sentence why the step is not OK.
	Reason string
}

// Prove tells what the step from one state of the resources to another does to
// the routes of ordinary nodes: those that are not in changing.
func Prove(before, after Input, seen Observed, changing map[string]bool, limits ...Limits) Proof {
	limit := DefaultLimits
	if len(limits) > 0 {
		limit = limits[0]
	}
	s := newStep(before, after, seen, changing)
	var p Proof
	p.Restarts, p.RestartCount = s.restarts()
	p.LostDuring = s.lostDuring()
	p.LostAfter = s.lostAfter()
	p.MarginAfter, p.Weakens = s.weakens(limit.ReflectorFailures)
	p.HomesBefore, p.HomesAfter = s.homes(0), s.homes(1)
	if limit.PathsOnTheWay == 0 {
		limit.PathsOnTheWay = limit.PathsPerRoute
	}
	p.PathsAfter, p.PathsOnTheWay = s.pathsAfter()
	if p.PathsAfter.beyond(limit.PathsPerRoute) || p.PathsOnTheWay.beyond(limit.PathsOnTheWay) {
		p.PathsBefore = s.pathsBefore()
	}
	p.Reason = p.judge(limit)
	p.OK = p.Reason == ""
	return p
}

func (p *Proof) judge(limit Limits) string {
	switch {
	case p.LostDuring.Count > 0:
		return "while sessions restart, " + example(p.LostDuring) + " would lose the route"
	case p.LostAfter.Count > 0:
		return "afterwards " + example(p.LostAfter) + " would have no route"
	case p.Weakens.Reflectors > 0:
		return "afterwards " + p.Weakens.String()
	case p.PathsAfter.more(p.PathsBefore) && p.PathsAfter.beyond(limit.PathsPerRoute):
		return tooManyPaths(p.PathsAfter, "", limit.PathsPerRoute)
	case p.PathsOnTheWay.more(p.PathsBefore) && p.PathsOnTheWay.beyond(limit.PathsOnTheWay):
		return tooManyPaths(p.PathsOnTheWay, " while some nodes still have the old filters", limit.PathsOnTheWay)
	}
	return ""
}

func tooManyPaths(p Paths, when string, limit int) string {
	return "node " + p.Holder + " would hold " + p.String() + " paths to node " + p.Origin + when + ", the limit is " + strconv.Itoa(limit)
}

func example(l Loss) string {
	text := strconv.Itoa(l.Count) + " pairs of nodes"
	if l.Count == 1 {
		text = "a pair of nodes"
	}
	if len(l.Sample) > 0 {
		text += " (such as " + l.Sample[0].From + " to " + l.Sample[0].To + ")"
	}
	return text
}

func (p Paths) more(q Paths) bool {
	if p.Capped || q.Capped {
		return p.Capped && !q.Capped
	}
	return p.Max > q.Max
}

func (p Paths) beyond(limit int) bool { return p.Capped || p.Max > limit }

func (p Paths) String() string {
	if p.Capped {
		return "more than " + strconv.Itoa(p.Max)
	}
	return strconv.Itoa(p.Max)
}

// step holds both states over the same classes.
type step struct {
	seen   Observed
	net    [2]*Network
	living [2][]int32
	// ordinary classes: there before and after, alive and of no new role.
	ordinary set
	// known holds only sessions that survive and are up; doubtful all that are not
	// known to be down, with those marked that do not survive or whose filters
	// change.
	known, doubtful [families]*graph
	// disturbed: some session is marked.
	disturbed bool
}

func newStep(before, after Input, seen Observed, changing map[string]bool) *step {
	t := newTables()
	names := namesOf(before)
	if !sameNames(before.Nodes, after.Nodes) {
		names = union(names, namesOf(after))
	}
	views := []*view{compile(before, t, names), compile(after, t, names)}
	views[0].readRoutes(before.Blocks, names)
	views[1].readRoutes(after.Blocks, names)
	mask := newUpMask(views[0], names, seen)
	r := divide(views, names, func(key []byte, n int32) []byte {
		key = append(key, flag(seen.Down[names[n]])|flag(changing[names[n]])<<1)
		return mask.append(key, n)
	})
	s := &step{seen: seen}
	for i := range s.net {
		s.net[i] = assemble(views[i], i, r)
		s.living[i] = make([]int32, r.count())
	}
	s.ordinary = newSet(r.count())
	for c := range int32(r.count()) {
		name := names[r.first(c)]
		if seen.Down[name] {
			continue
		}
		for i := range s.net {
			if views[i].nodes[r.first(c)].present {
				s.living[i][c] = r.size(c)
			}
		}
		if s.living[0][c] > 0 && s.living[1][c] > 0 && !changing[name] {
			s.ordinary.add(c)
		}
	}
	for f := range families {
		s.build(Family(f))
	}
	return s
}

// sameNames tells whether both lists name the same nodes in the same order, as
// they do in most steps.
func sameNames(a, b []inventory.Node) bool {
	return slices.EqualFunc(a, b, func(x, y inventory.Node) bool { return x.Name == y.Name })
}

// upMask tells nodes apart by which reflectors report their sessions as up.
type upMask struct {
	words int
	bits  []uint64
}

func newUpMask(v *view, names []string, seen Observed) *upMask {
	m := &upMask{words: (len(seen.Up)*families + 63) / 64}
	m.bits = make([]uint64, m.words*len(names))
	observers := make([]string, 0, len(seen.Up))
	for name := range seen.Up {
		observers = append(observers, name)
	}
	slices.Sort(observers)
	for i, name := range observers {
		if at, ok := slices.BinarySearch(names, name); ok {
			v.named[int32(at)] = true
		}
		for addr, up := range seen.Up[name] {
			n, ok := v.byAddr[addr]
			if !ok || !up {
				continue
			}
			bit := i*families + int(familyOf(addr.Is4()))
			m.bits[int(n)*m.words+bit>>6] |= 1 << (uint(bit) & 63)
		}
	}
	return m
}

func (m *upMask) append(key []byte, n int32) []byte {
	for _, w := range m.bits[int(n)*m.words : int(n+1)*m.words] {
		key = binary.LittleEndian.AppendUint64(key, w)
	}
	return key
}
