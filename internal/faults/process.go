package faults

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/controller"
	"tapetum.dev/tapetum/internal/rollout"
)

// What controller-runtime's queue does after errors (internal/controller asks for it).
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 15 * time.Second
)

// process is one controller process: the real Reconciler, its caches, the queue
// that starts its passes, and the rounds in which it reads Leases.
type process struct {
	world      *World
	name       string
	reconciler *controller.Reconciler
	view       *view

	passing, rounds *thread
	// current is the one that runs.
	current *thread

	queued, running, dead bool
	// wakeAt is when the next pass is due by itself; zero: never.
	wakeAt   time.Time
	failures int
	// step is what was decided on last: what is written next is that, or status.
	step *rollout.Step
	// passes counts them.
	passes int
}

func (w *World) startProcess(name string) *process {
	p := &process{world: w, name: name, view: newView(w)}
	p.view.wake = p.wake
	decide := w.Decide
	if decide == nil {
		decide = rollout.Next
	}
	api := &api{world: w, process: p}
	p.reconciler = controller.NewReconciler(controller.World{
		Cached: p.view, Live: api, Writer: api, Log: logr.Discard(), Now: func() time.Time { return w.now },
		Homes: homesLimit{p}, Kick: p.wake,
		Decide: func(in rollout.Input) rollout.Output {
			out := decide(in)
			p.step = out.Step
			return out
		},
	})
	p.passing, p.rounds = p.thread(p.pass, p.rest), p.thread(p.round, p.nextRound)
	w.processes = append(w.processes, p)
	p.wake()
	w.In(0, p.rounds.advance)
	return p
}

// pass is one pass.
func (p *process) pass() {
	p.passes++
	p.world.Passes++
	result, err := p.reconciler.Reconcile(context.Background(), reconcile.Request{NamespacedName: client.ObjectKey{Name: v1alpha1.SingletonName}})
	p.after(result, err)
}

// rest is what follows a pass: another, where one is asked for.
func (p *process) rest() {
	p.running = false
	if p.queued {
		p.world.at(p.world.now.Add(p.world.timing.Pass), p.begin)
	}
}

// after is what controller-runtime does with the result of a pass.
func (p *process) after(result reconcile.Result, err error) {
	switch {
	case err != nil:
		p.world.tell("%s: %v", p.name, err)
		d := min(lastRetry, firstRetry<<min(p.failures, 10))
		p.failures++
		p.wakeIn(d)
	case result.RequeueAfter > 0:
		p.failures = 0
		p.wakeIn(result.RequeueAfter)
	default:
		p.failures = 0
	}
}

// wakeIn asks for a pass later; of several the earliest counts.
func (p *process) wakeIn(d time.Duration) {
	at := p.world.now.Add(d)
	if !p.wakeAt.IsZero() && !at.Before(p.wakeAt) {
		return
	}
	p.wakeAt = at
	p.world.at(at, func() {
		if p.wakeAt.Equal(at) {
			p.wakeAt = time.Time{}
			p.wake()
		}
	})
}

// wake asks for a pass now.
func (p *process) wake() {
	if p.dead || p.queued {
		return
	}
	p.queued = true
	if !p.running {
		p.world.at(p.world.now.Add(p.world.timing.Pass), p.begin)
	}
}

func (p *process) begin() {
	if p.dead || p.running || !p.queued {
		return
	}
	p.queued, p.running = false, true
	p.passing.advance()
}

// kill ends a process wherever it stands. Its memory is gone.
func (p *process) kill() {
	p.dead = true
	p.passing.stop()
	p.rounds.stop()
}

// homesLimit lets the labels of ten clients a second be written, as the controller's
// own limit does.
type homesLimit struct{ process *process }

func (homesLimit) TryAccept() bool { return true }
func (homesLimit) Stop()           {}
func (homesLimit) QPS() float32    { return 10 }
func (l homesLimit) Accept()       { l.process.current.sleep(100 * time.Millisecond) }

// Wait takes a turn.
func (l homesLimit) Wait(context.Context) error {
	l.Accept()
	return nil
}
