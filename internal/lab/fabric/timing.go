package fabric

import (
	"math/rand/v2"
	"time"
)

// Span is a range of durations from which one is drawn evenly.
type Span struct{ Min, Max time.Duration }

// Timing says how long things take. The defaults were measured on Calico's own
// confd and BIRD (1.6.8).
type Timing struct {
	// Lag is from a write to the moment a node's BIRD runs what confd rendered.
	Lag Span
	// Connect is from the moment both ends have a session configured until it is
	// up, fed with routes.
	Connect Span
	// Feed is the last part of Connect: Established, but not fed yet.
	Feed Span
	// TailPerMille of the sessions take Tail instead of Connect: they come up,
	// go down after Blip, and come up again.
	TailPerMille int
	Tail, Blip   Span
	// Hold is BGP's hold time: for so long a node keeps the routes of a neighbor
	// that has fallen silent. Keepalives are sent every third of it, so the last
	// one was heard up to a third of it before the power went.
	Hold time.Duration
	// Restart is for how long a node keeps the routes of a neighbor whose session has
	// closed without a word: BGP's graceful restart.
	Restart time.Duration
}

// DefaultTiming returns the measured figures.
func DefaultTiming() Timing {
	return Timing{
		Lag:          Span{100 * time.Millisecond, 200 * time.Millisecond},
		Connect:      Span{time.Second, 2 * time.Second},
		Feed:         Span{100 * time.Millisecond, 300 * time.Millisecond},
		TailPerMille: 10,
		Tail:         Span{5 * time.Second, 16 * time.Second},
		Blip:         Span{200 * time.Millisecond, time.Second},
		Hold:         240 * time.Second,
		Restart:      120 * time.Second,
	}
}

// tick is the grain of virtual time. What happens within one tick happens at
// once, and the routes are worked out once for all of it.
const tick = int64(10 * time.Millisecond)

// draw returns a duration of the span in whole ticks, as nanoseconds.
func draw(r *rand.Rand, s Span) int64 {
	d := int64(s.Min)
	if s.Max > s.Min {
		d += r.Int64N(int64(s.Max-s.Min) + 1)
	}
	return (d + tick - 1) / tick * tick
}
