package faults

import (
	"math/rand/v2"
	"time"

	"tapetum.dev/tapetum/internal/lab/fabric"
)

// Span is a range of durations from which one is drawn evenly.
type Span struct{ Min, Max time.Duration }

func (s Span) draw(r *rand.Rand) time.Duration {
	if s.Max <= s.Min {
		return s.Min
	}
	return s.Min + time.Duration(r.Int64N(int64(s.Max-s.Min)+1))
}

// Timing says how long things take.
type Timing struct {
	// Call is one way of a request to the API server, Timeout how long a client waits
	// for an answer that does not come.
	Call    Span
	Timeout time.Duration
	// Watch is from a write to the moment a cache shows it.
	Watch Span
	// Pass is from a reason for a pass to its beginning.
	Pass time.Duration
	// Restart is from the death of a controller to the first pass of the next: a
	// lease must end first.
	Restart time.Duration
	// Round is from one round of reading Leases to the next.
	Round Span
	// Notice is from the death of a node to its NotReady, Boot from its power to Ready.
	Notice, Boot time.Duration
	// Answer is from a change of a CalicoNodeStatus to the report that it asks for.
	Answer time.Duration
	Fabric fabric.Timing
}

// DefaultTiming is that of an ordinary cluster.
func DefaultTiming() Timing {
	return Timing{
		Call: Span{time.Millisecond, 4 * time.Millisecond}, Timeout: 10 * time.Second,
		Watch: Span{5 * time.Millisecond, 60 * time.Millisecond}, Pass: time.Millisecond, Restart: 2 * time.Second,
		Round: Span{9 * time.Second, 11 * time.Second}, Notice: 40 * time.Second, Boot: 20 * time.Second, Answer: 150 * time.Millisecond,
		Fabric: fabric.DefaultTiming(),
	}
}

// FixedTiming draws nothing: two runs differ only by what happens in them.
func FixedTiming() Timing {
	t := DefaultTiming()
	t.Call, t.Watch, t.Round = Span{}, Span{10 * time.Millisecond, 10 * time.Millisecond}, Span{10 * time.Second, 10 * time.Second}
	t.Fabric.Lag = fabric.Span{Min: 100 * time.Millisecond, Max: 100 * time.Millisecond}
	t.Fabric.Connect = fabric.Span{Min: time.Second, Max: time.Second}
	t.Fabric.Feed = fabric.Span{Min: 100 * time.Millisecond, Max: 100 * time.Millisecond}
	t.Fabric.TailPerMille = 0
	return t
}
