package controller

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// tell writes how the policy and its source stand to each other.
func (k *sourceKeeper) tell(ctx context.Context, policy *v1alpha1.RouteReflectorAutoscaler, condition metav1.Condition) error {
	condition.Type = v1alpha1.ConditionSource
	condition.ObservedGeneration = policy.Generation
	condition.Message = toMessage(condition.Message)
	before := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionSource)
	if err := k.writeCondition(ctx, policy, &condition); err != nil {
		return err
	}
	if before != nil && before.Reason == condition.Reason && before.Message == condition.Message {
		return nil
	}
	k.log.Info("source", "reason", condition.Reason, "message", condition.Message)
	kind := corev1.EventTypeNormal
	if condition.Status != metav1.ConditionTrue {
		kind = corev1.EventTypeWarning
	}
	k.event(policy, kind, condition.Reason, condition.Message)
	return nil
}

// writeCondition sets the condition of the source, or removes it, if that changes
// anything. All other conditions are the Reconciler's, which leaves this one alone.
func (k *sourceKeeper) writeCondition(ctx context.Context, policy *v1alpha1.RouteReflectorAutoscaler, condition *metav1.Condition) error {
	changed := policy.DeepCopy()
	if condition == nil {
		meta.RemoveStatusCondition(&changed.Status.Conditions, v1alpha1.ConditionSource)
	} else {
		meta.SetStatusCondition(&changed.Status.Conditions, *condition)
	}
	if equality.Semantic.DeepEqual(policy.Status.Conditions, changed.Status.Conditions) {
		return nil
	}
	patch := client.MergeFromWithOptions(policy.DeepCopy(), client.MergeFromWithOptimisticLock{})
	err := k.writer.Status().Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager))
	countWrite("status", err)
	if err = client.IgnoreNotFound(err); err != nil {
		return fmt.Errorf("write condition %s of RouteReflectorAutoscaler %s: %w", v1alpha1.ConditionSource, policy.Name, err)
	}
	return nil
}

func (k *sourceKeeper) event(about runtime.Object, kind, reason, note string) {
	if k.recorder == nil {
		return
	}
	k.recorder.Eventf(about, nil, kind, reason, "Follow", "%s", toNote(note))
}

// keepSourceCondition carries over the one condition that is not rollout's.
func keepSourceCondition(old, wanted []metav1.Condition) []metav1.Condition {
	kept := meta.FindStatusCondition(old, v1alpha1.ConditionSource)
	if kept == nil || meta.FindStatusCondition(wanted, v1alpha1.ConditionSource) != nil {
		return wanted
	}
	return append(slices.Clip(wanted), *kept)
}
