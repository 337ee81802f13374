package faults

import (
	"context"
	"iter"
	"time"
)

// thread is one line of work of a process: a coroutine that stands still at every
// request to the API server, so that anything can happen there.
type thread struct {
	process *process
	resume  func() (pause, bool)
	stop    func()
	yield   func(pause) bool
	// idle is called when a piece of work is done.
	idle func()
	// until is when no answer is waited for any longer; zero: for each as long as it takes.
	until time.Time
}

// pause is where a thread stands still: for so long, or until there is more to do.
type pause struct {
	time time.Duration
	idle bool
}

// crashed unwinds a thread whose process has died.
type crashed struct{}

// thread returns one that does a piece of work each time it is resumed after an idle
// pause.
func (p *process) thread(work, idle func()) *thread {
	t := &thread{process: p, idle: idle}
	t.resume, t.stop = iter.Pull(func(yield func(pause) bool) {
		t.yield = yield
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(crashed); !ok {
					panic(r)
				}
			}
		}()
		for {
			work()
			if !yield(pause{idle: true}) {
				return
			}
		}
	})
	return t
}

// advance lets a thread go on to its next pause.
func (t *thread) advance() {
	p := t.process
	if p.dead {
		return
	}
	p.current = t
	stands, alive := t.resume()
	switch {
	case !alive:
		p.kill()
	case stands.idle:
		t.idle()
	default:
		p.world.at(p.world.now.Add(stands.time), t.advance)
	}
}

// sleep lets virtual time pass inside a piece of work.
func (t *thread) sleep(d time.Duration) {
	if d > 0 && !t.yield(pause{time: d}) {
		panic(crashed{})
	}
}

// roundTimeout bounds a round of Leases, as it is bounded in internal/controller.
const roundTimeout = 8 * time.Second

// nextRound begins a round of Leases some time after the last.
func (p *process) nextRound() { p.world.In(p.world.timing.Round.draw(p.world.rng), p.rounds.advance) }

// round reads the Leases of the nodes that matter.
func (p *process) round() {
	p.rounds.until = p.world.now.Add(roundTimeout)
	p.reconciler.Vitals.Round(deadline{context.Background(), p})
}

// deadline is the context of a round: it ends by virtual time.
type deadline struct {
	context.Context
	process *process
}

// Err tells whether its time is over.
func (d deadline) Err() error {
	if d.process.world.now.Before(d.process.rounds.until) {
		return nil
	}
	return context.DeadlineExceeded
}
