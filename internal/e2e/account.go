package e2e

import (
	"net/netip"
	"time"
)

// class says whose gap one is.
type class int

const (
	ordinary class = iota
	// changing: one end has got, lost or changed the role of a reflector.
	changing
	// failed: one end has no power, or no link.
	failed
)

// tally is what one class of pairs went through.
type tally struct {
	// lost are the pairs that lost a route, seconds how long in all, longest the
	// longest time one was away.
	lost    int
	seconds float64
	longest time.Duration
}

// account is what happened to the routes in a time.
type account struct {
	classes [3]tally
	// replaced are the short gaps in which BIRD deleted a route and added it again,
	// and the longest of them.
	replaced        int
	longestReplaced time.Duration
	// losses are the gaps that were counted as lost, of ordinary pairs.
	losses []gap
	// watched is how many pairs were ordinary, for more than half of the time.
	watched int
}

// outage is a time in which a node had no power or no link, up to the moment when
// it had all its routes again.
type outage struct {
	node     string
	from, to time.Time // to is zero while it lasts
}

// sides tells whose gap one is.
type sides struct {
	owners   map[netip.Prefix]string
	changing map[string]bool
	outages  []outage
}

func (s *sides) classOf(g *gap, now time.Time) class {
	owner := s.owners[g.network]
	for _, o := range s.outages {
		touches := (o.to.IsZero() || g.from.Before(o.to)) && !g.from.Add(g.length(now)).Before(o.from)
		if touches && (o.node == g.node || o.node == owner) {
			return failed
		}
	}
	if s.changing[g.node] || s.changing[owner] {
		return changing
	}
	return ordinary
}

// add sums the gaps up. Gaps that last count up to now; those that were there
// already count from then on.
func add(gaps []gap, s *sides, then, now time.Time) account {
	var a account
	counted := map[pair]map[class]bool{}
	for _, g := range gaps {
		if g.from.Before(then) {
			g.from = then
		}
		length := g.length(now)
		if !g.lost(now) {
			a.replaced++
			a.longestReplaced = max(a.longestReplaced, length)
			continue
		}
		c := s.classOf(&g, now)
		t := &a.classes[c]
		if !counted[g.pair][c] {
			if counted[g.pair] == nil {
				counted[g.pair] = map[class]bool{}
			}
			counted[g.pair][c] = true
			t.lost++
		}
		t.seconds += length.Seconds()
		t.longest = max(t.longest, length)
		if c == ordinary {
			a.losses = append(a.losses, g)
		}
	}
	return a
}

// watched counts the pairs that were ordinary for more than half of the time. Of
// the others' gaps, too, those count as ordinary that fall into the rest of it.
func watched(pairs []pair, s *sides, then, now time.Time) int {
	n := 0
	for _, p := range pairs {
		owner := s.owners[p.network]
		if s.changing[p.node] || s.changing[owner] {
			continue
		}
		var away time.Duration
		for _, o := range s.outages {
			if o.node == p.node || o.node == owner {
				away += o.within(then, now)
			}
		}
		if 2*away < now.Sub(then) {
			n++
		}
	}
	return n
}

// within is how much of a time the outage took.
func (o *outage) within(then, now time.Time) time.Duration {
	from, to := o.from, o.to
	if from.Before(then) {
		from = then
	}
	if to.IsZero() || to.After(now) {
		to = now
	}
	return max(0, to.Sub(from))
}
