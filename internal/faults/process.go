package faults

import (
	"context"
	"iter"
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

// process is one controller process: the real Reconciler, its caches, and the queue
// that starts its passes. A pass is a coroutine that stands still at every request to
// the API server, so that anything can happen there.
type process struct {
	world      *World
	name       string
	reconciler *controller.Reconciler
	view       *view

	resume func() (pause, bool)
	stop   func()
	yield  func(pause) bool

	queued, running, dead bool
	// wakeAt is when the next pass is due by itself; zero: never.
	wakeAt   time.Time
	failures int
	// step is what was decided on last: what is written next is that, or status.
	step *rollout.Step
	// passes counts them.
	passes int
}

// pause is where a pass stands still: for so long, or until there is another.
type pause struct {
	time time.Duration
	idle bool
}

// crashed unwinds a pass whose process has died.
type crashed struct{}

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
	p.resume, p.stop = iter.Pull(p.run)
	w.processes = append(w.processes, p)
	p.wake()
	return p
}

// run makes passes for ever, one each time it is resumed after an idle pause.
func (p *process) run(yield func(pause) bool) {
	p.yield = yield
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(crashed); !ok {
				panic(r)
			}
		}
	}()
	for {
		p.passes++
		p.world.Passes++
		result, err := p.reconciler.Reconcile(context.Background(), reconcile.Request{NamespacedName: client.ObjectKey{Name: v1alpha1.SingletonName}})
		p.after(result, err)
		if !yield(pause{idle: true}) {
			return
		}
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
	p.advance()
}

// advance lets the pass go on to its next pause.
func (p *process) advance() {
	if p.dead {
		return
	}
	stands, alive := p.resume()
	switch {
	case !alive:
		p.dead = true
	case stands.idle:
		p.running = false
		if p.queued {
			p.world.at(p.world.now.Add(p.world.timing.Pass), p.begin)
		}
	default:
		p.world.at(p.world.now.Add(stands.time), p.advance)
	}
}

// sleep lets virtual time pass inside a pass.
func (p *process) sleep(d time.Duration) {
	if d > 0 && !p.yield(pause{time: d}) {
		panic(crashed{})
	}
}

// kill ends a process wherever it stands. Its memory is gone.
func (p *process) kill() {
	p.dead = true
	p.stop()
}

// homesLimit lets the labels of ten clients a second be written, as the controller's
// own limit does.
type homesLimit struct{ process *process }

func (homesLimit) TryAccept() bool { return true }
func (homesLimit) Stop()           {}
func (homesLimit) QPS() float32    { return 10 }
func (l homesLimit) Accept()       { l.process.sleep(100 * time.Millisecond) }

// Wait takes a turn.
func (l homesLimit) Wait(context.Context) error {
	l.Accept()
	return nil
}
