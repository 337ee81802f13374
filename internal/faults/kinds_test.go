package faults

import (
	"testing"
	"time"
)

// TestWatches lets the caches of the controller lag, lose events, go back in time
// and show too little, in every transition.
func TestWatches(t *testing.T) {
	for i, what := range Disturbances {
		t.Run(what.String(), func(t *testing.T) {
			someTransitions(t, i, func(t *testing.T, tr transition, seed uint64) {
				r := seeded(seed, tr.String()+what.String())
				p := plague{length: 4 * time.Minute, pause: pauses[what], disturb: func(w *World) { w.Disturb(what, r) }}
				tr.verify(t, begin(seed), p, what.String())
			})
		})
	}
}

// pauses are how far apart disturbances are at most. A wrong list each few seconds looks
// as if somebody undid everything again and again: then the controller rightly stops and
// asks for a person.
var pauses = map[Disturbance]time.Duration{
	Stall: 6 * time.Second, Drop: 6 * time.Second,
	Old: time.Minute, Empty: time.Minute, Partial: time.Minute, Restart: time.Minute,
}

// someTransitions runs something with all seeds for all transitions in the long version,
// else for one in four, other ones for each kind of fault.
func someTransitions(t *testing.T, kind int, run func(*testing.T, transition, uint64)) {
	for i, tr := range transitions() {
		if !long && i%4 != kind%4 {
			continue
		}
		t.Run(tr.String(), func(t *testing.T) {
			t.Parallel()
			for _, seed := range seeds(1, 20) {
				run(t, tr, seed)
			}
		})
	}
}

// TestRequests lets one request in five to the API server fail, in every way.
func TestRequests(t *testing.T) {
	kinds := append([]Fault{None}, WriteFaults...)
	for i, fault := range append(kinds[1:], Expire) {
		t.Run(fault.String(), func(t *testing.T) {
			someTransitions(t, i, func(t *testing.T, tr transition, seed uint64) {
				r := seeded(seed, tr.String()+fault.String())
				p := plague{length: 2 * time.Minute}
				var until time.Time
				p.inject = func(w *World, request *Request) Fault {
					if until.IsZero() {
						until = w.Now().Add(p.length)
					}
					if w.Now().After(until) || r.IntN(5) > 0 || !possible(fault, request) {
						return None
					}
					return fault
				}
				tr.verify(t, begin(seed), p, fault.String())
			})
		})
	}
}

// possible: such a fault can happen to such a request.
func possible(fault Fault, r *Request) bool {
	of := ReadFaults
	if r.Writes() {
		of = WriteFaults
	}
	for _, f := range of {
		if f == fault {
			return true
		}
	}
	return false
}

// TestTwoLeaders lets two controllers work at once, each with caches of its own, the
// one between any two requests of the other.
func TestTwoLeaders(t *testing.T) {
	someTransitions(t, 0, func(t *testing.T, tr transition, seed uint64) {
		c := begin(seed)
		c.Leaders = 2
		tr.verify(t, c, plague{}, "two leaders")
	})
}
