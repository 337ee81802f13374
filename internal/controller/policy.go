package controller

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// writePolicy changes the annotations or finalizers of the
// RouteReflectorAutoscaler; its specification is the user's.
func (r *Reconciler) writePolicy(ctx context.Context, policy *v1alpha1.RouteReflectorAutoscaler, step *rollout.Step) (pending, error) {
	changed := policy.DeepCopy()
	switch step.Action {
	case rollout.SaveMesh:
		kept, err := json.Marshal(step.Mesh)
		if err != nil {
			return pending{}, fmt.Errorf("mesh fields: %w", err)
		}
		metav1.SetMetaDataAnnotation(&changed.ObjectMeta, v1alpha1.MeshAnnotation, string(kept))
	case rollout.ForgetMesh:
		delete(changed.Annotations, v1alpha1.MeshAnnotation)
	case rollout.AddFinalizer:
		controllerutil.AddFinalizer(changed, v1alpha1.Finalizer)
	case rollout.RemoveFinalizer:
		controllerutil.RemoveFinalizer(changed, v1alpha1.Finalizer)
	}
	goes := !policy.DeletionTimestamp.IsZero() && len(changed.Finalizers) == 0
	patch := client.MergeFromWithOptions(policy.DeepCopy(), client.MergeFromWithOptimisticLock{})
	err := r.Writer.Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager))
	if err != nil {
		return written(changed, err), err
	}
	policy.ResourceVersion = changed.ResourceVersion
	if goes {
		return pending{object: changed, gone: true, uid: string(policy.UID)}, nil
	}
	return written(changed, nil), nil
}

// writeStatus writes the status if it says anything new, and brings policy up to
// what was written.
func (r *Reconciler) writeStatus(ctx context.Context, policy *v1alpha1.RouteReflectorAutoscaler, status *v1alpha1.RouteReflectorAutoscalerStatus) error {
	wanted := status.DeepCopy()
	tidy(wanted)
	wanted.Conditions = mergeConditions(policy.Status.Conditions, wanted.Conditions, policy.Generation)
	if equality.Semantic.DeepEqual(&policy.Status, wanted) {
		return nil
	}
	before := policy.DeepCopy()
	changed := policy.DeepCopy()
	changed.Status = *wanted
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := r.Writer.Status().Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager))
	countWrite("status", err)
	switch {
	case apierrors.IsNotFound(err):
		return nil // deleted in the meantime
	case err != nil:
		if !refused(err) {
			r.remember(written(changed, err))
		}
		return fmt.Errorf("write the status of RouteReflectorAutoscaler %s: %w", policy.Name, err)
	}
	r.remember(written(changed, nil))
	r.reportStatus(before, &before.Status, wanted)
	policy.ResourceVersion, policy.Status = changed.ResourceVersion, *wanted
	return nil
}

// mergeConditions keeps the transition times of conditions whose status stays.
func mergeConditions(old, wanted []metav1.Condition, generation int64) []metav1.Condition {
	wanted = keepSourceCondition(old, wanted)
	merged := make([]metav1.Condition, 0, len(wanted))
	for _, condition := range wanted {
		if before := meta.FindStatusCondition(old, condition.Type); before != nil {
			one := []metav1.Condition{*before}
			condition.ObservedGeneration = generation
			meta.SetStatusCondition(&one, condition)
			merged = append(merged, one...)
			continue
		}
		condition.ObservedGeneration = generation
		meta.SetStatusCondition(&merged, condition)
	}
	return merged
}

// refusal is a step that cannot be written until a person changes something.
type refusal struct {
	step *rollout.Step
	err  error
}

// tell puts the refusal into the conditions.
func (f *refusal) tell(status *v1alpha1.RouteReflectorAutoscalerStatus) {
	reason := reasonRefused
	if apierrors.IsForbidden(f.err) {
		reason = reasonForbidden
	}
	for _, condition := range []metav1.Condition{
		{
			Type: v1alpha1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: reason,
			Message: fmt.Sprintf("the next step (%s %s) cannot be written: %v", f.step.Action, f.step.Object, f.err),
		},
		{Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionFalse, Reason: reason, Message: "held: see Degraded"},
	} {
		meta.SetStatusCondition(&status.Conditions, condition)
	}
}

// Condition reasons of the controller itself; all others are rollout's.
const (
	reasonRefused   = "WriteRefused"
	reasonForbidden = "PermissionMissing"
)
