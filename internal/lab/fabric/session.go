package fabric

type sessionState uint8

const (
	connecting  sessionState = iota
	established              // feeding: the state says Established, no routes yet
	up
	held  // one end is dead, the other keeps its routes until the hold time is over
	stale // one end is dead, its connection closed; the other keeps its routes for the restart time
)

// session is between two nodes, of one family. A session that cannot come up
// has no object.
type session struct {
	family int
	a, b   *node
	na, nb *neighbor // what a has towards b, and b towards a
	pa, pb protocol  // which protocol it is at either end
	state  sessionState
	gen    uint32
	blip   bool // of the tail: will go down once more
	since  int64
	begun  int64 // when both ends had it configured
}

func (s *session) carries() bool { return s.state == up || s.orphaned() }

// orphaned: one end is dead and the other keeps its routes.
func (s *session) orphaned() bool { return s.state == held || s.state == stale }

func (s *session) other(n *node) *node {
	if s.a == n {
		return s.b
	}
	return s.a
}

func (s *session) at(n *node) (*neighbor, protocol) {
	if s.a == n {
		return s.na, s.pa
	}
	return s.nb, s.pb
}

// rules of the filters that n runs on the session.
func (s *session) rules(n *node) *ruleset {
	if s.a == n {
		return s.pa.rules
	}
	return s.pb.rules
}

// deliver passes a route with the communities carried from one end to the other,
// through the filters of both. learned: the sender has it from BGP.
func (s *session) deliver(from, to *node, carried tags, learned bool) (tags, bool) {
	carried, ok := s.rules(from).export(carried, learned)
	if !ok {
		return 0, false
	}
	return s.rules(to).imported(carried)
}

// refilter gives n's end of a session new filters: the routes are sent anew, the
// session stays. Routes that are only replaced are not lost.
func (f *Fabric) refilter(s *session, n *node, rules *ruleset) {
	p := &s.pa
	if s.b == n {
		p = &s.pb
	}
	if p.rules == rules {
		return
	}
	p.rules = rules
	if s.carries() {
		f.routesChanged(s)
	}
}

// client tells whether n treats the other end as its client.
func (s *session) client(n *node) bool {
	_, p := s.at(n)
	return p.opt.client
}

// consider tries to bring a session to a neighbor up, or gives up an attempt
// that can no longer succeed.
func (f *Fabric) consider(n *node, family int, nb *neighbor) {
	if !n.powered || len(nb.line) == 0 {
		return
	}
	m := f.owner[family][nb.addr]
	if nb.sess != nil && !f.free(nb.sess, m) {
		return
	}
	if m == nil || m == n || !m.powered {
		return
	}
	other := m.neigh[family][n.addr[family]]
	if other == nil {
		return
	}
	if other.sess != nil {
		if !other.sess.orphaned() {
			return
		}
		f.close(other.sess)
	}
	s := &session{family: family, a: n, b: m, na: nb, nb: other, pa: nb.holder(), pb: other.holder(), since: f.now}
	if !f.possible(s) {
		return
	}
	nb.sess, other.sess = s, s
	f.connect(s)
}

// free ends a session that stands in the way of a new one, to the node that has
// the address now: one with a predecessor that fell silent, or an attempt that
// can no longer succeed. False: it stays.
func (f *Fabric) free(s *session, owner *node) bool {
	switch {
	case s.orphaned() && owner != s.a && owner != s.b:
		f.close(s)
	case s.state == connecting && !f.possible(s):
		f.drop(s)
	default:
		return false
	}
	return true
}

// possible tells whether the two ends can open a connection.
func (f *Fabric) possible(s *session) bool {
	a, b := s.pa.opt, s.pb.opt
	if !s.na.holder().same(s.pa) || !s.nb.holder().same(s.pb) {
		return false
	}
	if a.remoteAS != b.localAS || b.remoteAS != a.localAS || a.password != b.password || (a.ttl < 0) != (b.ttl < 0) {
		return false
	}
	return dials(s.pa, s.pb, s.nb) || dials(s.pb, s.pa, s.na)
}

// dials tells whether a connection opened by from reaches the protocol to. The
// receiving BIRD gives it to the first protocol by name, and refuses it where
// that one does not have the lock.
func dials(from, to protocol, at *neighbor) bool {
	return !from.opt.passive && orDefault(from.opt.remotePort) == orDefault(to.opt.listenPort) && at.firstByName().same(to)
}

func orDefault(port uint16) uint16 {
	if port == 0 {
		return defaultPort
	}
	return port
}

// connect schedules the session's coming up.
func (f *Fabric) connect(s *session) {
	s.gen++
	s.state, s.since, s.begun = connecting, f.now, f.now
	s.blip = f.rng.IntN(1000) < f.timing.TailPerMille
	f.schedule(s, f.now+draw(f.rng, f.timing.Connect))
}

func (f *Fabric) schedule(s *session, upAt int64) {
	feed := draw(f.rng, f.timing.Feed)
	f.push(event{at: max(upAt-feed, f.now), kind: evEstablish, sess: s, gen: s.gen})
	f.push(event{at: upAt, kind: evUp, sess: s, gen: s.gen})
}

func (f *Fabric) onSession(e event) {
	s := e.sess
	if s.gen != e.gen {
		return
	}
	switch e.kind {
	case evEstablish:
		s.state, s.since = established, f.now
	case evUp:
		s.state = up
		f.routesChanged(s)
		if s.blip {
			f.push(event{at: f.now + draw(f.rng, f.timing.Blip), kind: evBlip, sess: s, gen: s.gen})
		}
	case evBlip:
		s.blip = false
		s.state, s.since = connecting, f.now
		f.routesChanged(s)
		f.schedule(s, max(s.begun+draw(f.rng, f.timing.Tail), f.now+tick))
	case evHold:
		f.close(s)
	}
}

// drop forgets an attempt that has not come up.
func (f *Fabric) drop(s *session) {
	s.gen++
	s.na.sess, s.nb.sess = nil, nil
}

// close ends a session at both ends: the routes go at once, the lock goes to
// the next in line, and both ends try again.
func (f *Fabric) close(s *session) { f.end(s, nil) }

// closeBy: a node sends Cease because its configuration changed; its own line
// is already what it should be.
func (f *Fabric) closeBy(s *session, n *node) { f.end(s, n) }

func (f *Fabric) end(s *session, by *node) {
	carried, was := s.carries(), s.state
	f.drop(s)
	s.state = connecting
	if carried {
		f.routesChanged(s)
	}
	for _, n := range []*node{s.a, s.b} {
		nb, _ := s.at(n)
		if n == by || !n.powered {
			continue
		}
		if was != connecting {
			nb.release()
		}
		f.consider(n, s.family, nb)
	}
}
