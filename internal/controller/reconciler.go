package controller

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/topology"
)

const (
	// again is how soon the next pass follows one that has written something.
	again = time.Millisecond
	// settleRetry is how often the cache is asked whether it shows a write.
	settleRetry = 20 * time.Millisecond
	// settleWarning is after how long a cache that does not show a write is
	// reported. Nothing is planned in the meantime, however long it takes.
	settleWarning = 10 * time.Second
	// refusedRetry is when a step that the API server refuses is tried again.
	refusedRetry = time.Minute
	// maxQuestions bounds how often one pass asks for the load of more candidates.
	maxQuestions = 4
)

// Reconciler makes passes: each reads everything, decides, and writes at most one
// step.
type Reconciler struct {
	// Cached reads from the cache, Live from the API server, Writer writes there.
	Cached, Live client.Reader
	Writer       client.Client
	Recorder     events.EventRecorder
	Log          logr.Logger
	// Decide is rollout.Next, Now is time.Now.
	Decide func(rollout.Input) rollout.Output
	Now    func() time.Time
	// Kinds of Calico's that are served, and whether metadata has to be packed
	// (group crd.projectcalico.org/v1).
	Kinds        Kinds
	PackMetadata bool
	// Homes bounds how fast labels of clients are written; nil: not at all.
	Homes flowcontrol.RateLimiter
	// TagFilter tells what Calico can do; nil: nothing is known.
	TagFilter *tagFilter
	// Vitals knows early whether reflectors are alive; nil: nothing is known.
	Vitals *vitalWatch
	// Suspect is called when the API server does not know a kind any more, or
	// does not answer for it, so that discovery looks again.
	Suspect func()

	frozen atomic.Pointer[string]
	pass   sync.Mutex
	// unseen are the writes of the last pass that the cache may not show yet.
	unseen []pending
	since  time.Time
	warned bool
	// refusal is the last step that the API server refused, while it does.
	refusal *refusal
	// filterDropped remembers a BGPFilter that was not kept as it was written.
	filterDropped droppedFilter
	// lastSupport is what was last known of the tag filter.
	lastSupport topology.TagFilterSupport
	// waiting is when the last step of a rollout was written.
	waiting time.Time
	// outage remembers when the API server was away.
	outage outage
	// patience grows while the cache contradicts the API server.
	patience cachePatience
}

// Freeze makes every further pass write nothing but the reason; "" ends it.
func (r *Reconciler) Freeze(reason string) { r.frozen.Store(&reason) }

func (r *Reconciler) frozenReason() string {
	if reason := r.frozen.Load(); reason != nil {
		return *reason
	}
	return ""
}

// Reconcile makes one pass.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if request.Name != v1alpha1.SingletonName {
		return reconcile.Result{}, nil
	}
	r.pass.Lock()
	defer r.pass.Unlock()
	result, err := r.onePass(ctx)
	r.outage.note(err, r.now())
	if ctx.Err() != nil {
		return reconcile.Result{}, nil // stopping; whatever was under way is looked at again by the next leader
	}
	if apierrors.IsConflict(err) {
		// Somebody was faster. What they did is on its way to the cache.
		r.Log.V(1).Info("conflict, looking again", "reason", err.Error())
		return reconcile.Result{RequeueAfter: r.patience.next()}, nil
	}
	return result, err
}

func (r *Reconciler) onePass(ctx context.Context) (reconcile.Result, error) {
	if settled, err := r.settle(ctx); err != nil || !settled {
		return reconcile.Result{RequeueAfter: settleRetry}, err
	}
	in, err := r.gather(ctx)
	if err != nil {
		r.suspect(err)
		return reconcile.Result{}, err
	}
	if in.Autoscaler == nil {
		observeAbsent()
		return reconcile.Result{}, nil
	}
	out := r.decide(ctx, &in)
	if out.Step != nil || comesToRest(&in, &out) {
		if in, out, err = r.confirm(ctx, in, out); err != nil {
			r.suspect(err)
			return reconcile.Result{}, err
		}
	}
	observe(&out)
	return r.act(ctx, &in, &out)
}

// act writes the status, then the step. In this order, because the status holds
// clocks that the step sets back: should the process end in between, a gate must
// not seem to have been open for long. What only a step that has been written
// makes true, that it was a repair, follows after it.
func (r *Reconciler) act(ctx context.Context, in *rollout.Input, out *rollout.Output) (reconcile.Result, error) {
	policy, step := in.Autoscaler, out.Step
	if step == nil || !allowed(policy, step.Action) {
		return reconcile.Result{RequeueAfter: out.RequeueAfter}, r.writeStatus(ctx, policy, &out.Status)
	}
	before := out.Status.DeepCopy()
	before.Reverts = policy.Status.Reverts
	spent := policy.Status.Brakes.DeepCopy()
	if r.refusal != nil && sameStep(r.refusal.step, step) {
		r.refusal.tell(before) // most likely it is refused again: do not say this and that in turn
	}
	if err := r.writeStatus(ctx, policy, before); err != nil {
		return reconcile.Result{}, err
	}
	gone, err := r.writeStep(ctx, in, step)
	switch {
	case gone:
		return reconcile.Result{}, nil
	case err == nil:
		r.refusal = nil
		before.Reverts = out.Status.Reverts
		return reconcile.Result{RequeueAfter: again}, r.writeStatus(ctx, policy, before)
	case final(err):
		r.Log.Error(err, "step refused", "action", string(step.Action), "object", step.Object)
		r.refusal = &refusal{step: step, err: err}
		r.refusal.tell(before)
		unspent(before, spent)
		return reconcile.Result{RequeueAfter: refusedRetry}, r.writeStatus(ctx, policy, before)
	case refused(err):
		// Nothing was written, so no role has changed and no step was forced.
		unspent(before, spent)
		return reconcile.Result{}, errors.Join(err, r.writeStatus(ctx, policy, before))
	}
	return reconcile.Result{}, err
}

// unspent puts back what a step that was not written would have used up: its place in
// the budget of role changes, and a person's word to force it. Both are noted before the
// write, so that after a crash a role change too many counts, and none too few.
func unspent(status *v1alpha1.RouteReflectorAutoscalerStatus, before *v1alpha1.BrakesStatus) {
	if status.Brakes == nil {
		return
	}
	status.Brakes.RoleChanges, status.Brakes.Force = nil, nil
	if before != nil {
		status.Brakes.RoleChanges, status.Brakes.Force = before.RoleChanges, before.Force
	}
}

// allowed keeps the promise of the modes whatever rollout says: DryRun and Paused
// write nothing but status. Letting go of a policy that is being deleted is the
// exception, or it could never go away.
func allowed(policy *v1alpha1.RouteReflectorAutoscaler, action rollout.Action) bool {
	mode := policy.Spec.Mode
	return mode == "" || mode == v1alpha1.ModeApply || action == rollout.RemoveFinalizer
}

// settle tells whether the cache shows all of the last writes.
func (r *Reconciler) settle(ctx context.Context) (bool, error) {
	for len(r.unseen) > 0 {
		write := &r.unseen[0]
		settled, err := write.settled(ctx, r.Cached, r.Live)
		if err != nil {
			return false, err
		}
		if !settled {
			if waited := r.Now().Sub(r.since); waited > settleWarning && !r.warned {
				r.warned = true
				r.Log.Info("cache does not show the last write yet, waiting", "object", write.object.GetName(),
					"resourceVersion", write.version, "waited", waited.String())
			}
			return false, nil
		}
		r.unseen = r.unseen[1:]
	}
	return true, nil
}

// remember notes a write whose effect the cache must show before the next pass.
func (r *Reconciler) remember(p pending) {
	r.unseen = append(r.unseen, p)
	r.since, r.warned = r.Now(), false
}

// gather reads everything from the cache.
func (r *Reconciler) gather(ctx context.Context) (rollout.Input, error) {
	in := rollout.Input{Now: r.now(), Frozen: r.frozenReason(), APIBackSince: r.outage.backSince}
	var err error
	if in.Autoscaler, err = readPolicy(ctx, r.Cached); err != nil || in.Autoscaler == nil {
		return in, err
	}
	if in.Nodes, err = readNodes(ctx, r.Cached); err != nil {
		return in, err
	}
	if err = readCalico(ctx, r.Cached, r.Kinds, &in); err != nil {
		return in, err
	}
	if r.Vitals != nil {
		in.Vitals = r.Vitals.of(ctx, in.Nodes, in.Autoscaler.Spec.WithDefaults().ZoneLabel)
	}
	in.TagFilter, err = r.tagFilterSupport(ctx, &in)
	return in, err
}

// now has the resolution of the clocks in the status, so that what is decided on
// equals what is read back.
func (r *Reconciler) now() time.Time { return r.Now().UTC().Truncate(time.Microsecond) }

// decide asks rollout, and answers what it asks back. A load that cannot be read
// is asked for once a pass only.
func (r *Reconciler) decide(ctx context.Context, in *rollout.Input) rollout.Output {
	out := r.Decide(*in)
	asked := map[string]bool{}
	for range maxQuestions {
		unasked := slices.DeleteFunc(slices.Clone(out.AskLoad), func(node string) bool { return asked[node] })
		switch {
		case len(unasked) > 0:
			for _, node := range unasked {
				asked[node] = true
			}
			load := r.readLoad(ctx, unasked)
			maps.Copy(load, in.Load)
			in.Load = load
		case out.Step != nil && out.Step.Repair && !known(in.Modifiers, out.Step.Object):
			in.Modifiers = map[string]string{out.Step.Object: r.readModifier(ctx, out.Step)}
		default:
			return out
		}
		out = r.Decide(*in)
	}
	return out
}

func known(modifiers map[string]string, object string) bool {
	_, ok := modifiers[object]
	return ok
}

// comesToRest: the status would say for the first time that nothing is left to do. On a
// cache that is behind that may be wrong, and what is missing would then seem undone by
// somebody.
func comesToRest(in *rollout.Input, out *rollout.Output) bool {
	return out.AtRest() && in.Autoscaler.Status.NextStep != out.Status.NextStep
}

// confirm decides again on what the API server has now. Only a step that comes
// out the same is written; if it does not, the cache will show why in a moment.
func (r *Reconciler) confirm(ctx context.Context, in rollout.Input, out rollout.Output) (rollout.Input, rollout.Output, error) {
	policy, err := readPolicy(ctx, r.Live)
	if err != nil {
		return in, out, err
	}
	fresh := in
	fresh.Now, fresh.Autoscaler, fresh.Frozen = r.now(), policy, r.frozenReason()
	if policy == nil {
		out.Step, out.Status = nil, *in.Autoscaler.Status.DeepCopy()
		out.RequeueAfter = r.patience.next()
		return in, out, nil
	}
	if err := readCalico(ctx, r.Live, r.Kinds, &fresh); err != nil {
		return in, out, err
	}
	if fresh.Nodes, err = r.freshNodes(ctx, in.Nodes, out.Step); err != nil {
		return in, out, err
	}
	decided := r.decide(ctx, &fresh)
	if !sameStep(out.Step, decided.Step) {
		r.Log.V(1).Info("another decision on a fresh look, not written", "decision", out.Status.NextStep, "fresh", decided.Status.NextStep)
		// Nor is its status: it tells of a step that is not taken, and would count a
		// repair that was none.
		decided.Step, decided.Status = nil, *policy.Status.DeepCopy()
		decided.RequeueAfter = r.patience.next()
		return fresh, decided, nil
	}
	r.patience = 0
	return fresh, decided, nil
}
