package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// freezer stands in for the Reconciler while Calico's kinds cannot be used from
// the start: it only says so in the status. What was in force stays as reported.
type freezer struct {
	cached   client.Reader
	writer   client.Client
	recorder events.EventRecorder
	log      logr.Logger
	reason   string
}

// setUpFrozen adds a freezer to a manager.
func setUpFrozen(mgr manager.Manager, finding Finding, kick <-chan event.GenericEvent, log logr.Logger) error {
	f := &freezer{
		cached: mgr.GetCache(), writer: mgr.GetClient(), recorder: mgr.GetEventRecorder(controllerName),
		log: log, reason: finding.Frozen,
	}
	err := builder.ControllerManagedBy(mgr).
		Named(controllerName).
		For(&v1alpha1.RouteReflectorAutoscaler{}, builder.WithPredicates(policyChanged())).
		WatchesRawSource(source.Channel(kick, toPolicy())).
		WithLogConstructor(func(*reconcile.Request) logr.Logger { return log.V(1) }).
		Complete(f)
	if err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	return nil
}

// Reconcile writes the reason into the status.
func (f *freezer) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if request.Name != v1alpha1.SingletonName {
		return reconcile.Result{}, nil
	}
	policy, err := readPolicy(ctx, f.cached)
	if err != nil || policy == nil {
		return reconcile.Result{}, err
	}
	changed := policy.DeepCopy()
	changed.Status.Conditions = mergeConditions(policy.Status.Conditions, frozenConditions(f.reason), policy.Generation)
	changed.Status.NextStep = "frozen: " + f.reason
	tidy(&changed.Status)
	if equality.Semantic.DeepEqual(policy.Status, changed.Status) {
		return reconcile.Result{}, nil
	}
	patch := client.MergeFromWithOptions(policy, client.MergeFromWithOptimisticLock{})
	err = f.writer.Status().Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager))
	countWrite("status", err)
	switch {
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, nil
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: time.Second}, nil
	case err != nil:
		return reconcile.Result{}, err
	}
	f.recorder.Eventf(policy, nil, "Warning", rollout.ReasonFrozen, "Report", "%s", toNote(f.reason))
	return reconcile.Result{}, nil
}

func frozenConditions(reason string) []metav1.Condition {
	return []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: rollout.ReasonFrozen, Message: reason},
		{Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionFalse, Reason: rollout.ReasonFrozen, Message: "nothing is written: see Degraded"},
		{Type: v1alpha1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: rollout.ReasonFrozen, Message: reason},
	}
}
