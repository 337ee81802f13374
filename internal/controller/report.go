package controller

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// report tells the world of a step that has been written.
func (r *Reconciler) report(policy *v1alpha1.RouteReflectorAutoscaler, step *rollout.Step) {
	r.Log.Info("step written", "action", string(step.Action), "object", step.Object, "why", step.Why,
		"waitsFor", step.WaitsFor, "costs", step.Costs, "subtractive", step.Subtractive, "repair", step.Repair, "proof", step.Proof,
		"forced", step.Forced)
	stepsTotal.WithLabelValues(string(step.Action)).Inc()
	if step.Repair {
		revertsTotal.Inc()
	}
	r.observeGate()
	note := step.Object + ": " + step.Why
	if len(step.Costs) > 0 {
		note += "; interrupts the own routes of " + strings.Join(step.Costs, ", ")
	}
	reason := string(step.Action)
	if step.Forced {
		reason = rollout.ReasonForced
		note = "forced by the annotation " + v1alpha1.ForceStepAnnotation + ": " + note
	}
	r.event(policy, corev1.EventTypeNormal, reason, string(step.Action), note)
}

// observeGate measures the time between two steps of one rollout, in which
// the second waited for its gate.
func (r *Reconciler) observeGate() {
	now := r.Now()
	if !r.waiting.IsZero() {
		gateSeconds.Observe(now.Sub(r.waiting).Seconds())
	}
	r.waiting = now
}

// reportStatus tells what has changed in the status.
func (r *Reconciler) reportStatus(policy *v1alpha1.RouteReflectorAutoscaler, before, after *v1alpha1.RouteReflectorAutoscalerStatus) {
	if before.NextStep != after.NextStep {
		r.Log.Info("next", "step", after.NextStep, "topology", string(after.Topology), "mesh", after.Mesh,
			"nodes", after.Nodes, "reflectors", after.ReflectorCount)
	}
	r.reportConditions(policy, before.Conditions, after.Conditions)
}

// reportConditions tells of every new reason to be degraded, and of its end.
func (r *Reconciler) reportConditions(policy *v1alpha1.RouteReflectorAutoscaler, old, conditions []metav1.Condition) {
	before := meta.FindStatusCondition(old, v1alpha1.ConditionDegraded)
	after := meta.FindStatusCondition(conditions, v1alpha1.ConditionDegraded)
	switch {
	case after == nil:
	case after.Status == metav1.ConditionTrue:
		if before == nil || before.Status != metav1.ConditionTrue || before.Reason != after.Reason {
			r.Log.Info("degraded", "reason", after.Reason, "message", after.Message)
			r.event(policy, corev1.EventTypeWarning, after.Reason, "Report", after.Message)
		}
	case before != nil && before.Status == metav1.ConditionTrue:
		r.Log.Info("no longer degraded", "reason", before.Reason)
		r.event(policy, corev1.EventTypeNormal, "Recovered", "Report", "no longer degraded: "+before.Reason)
	}
	if !meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionProgressing) {
		r.waiting = time.Time{}
	}
}

func isDegraded(conditions []metav1.Condition) bool {
	return meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionDegraded)
}

func (r *Reconciler) event(policy *v1alpha1.RouteReflectorAutoscaler, kind, reason, action, note string) {
	if r.Recorder == nil {
		return
	}
	r.Recorder.Eventf(policy, nil, kind, reason, action, "%s", toNote(note))
}
