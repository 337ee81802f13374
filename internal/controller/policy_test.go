package controller

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

func TestMergeConditionsKeepsTransitionTimes(t *testing.T) {
	then := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	old := []metav1.Condition{
		{Type: "Same", Status: "True", Reason: "A", Message: "a", LastTransitionTime: then, ObservedGeneration: 1},
		{Type: "OtherMessage", Status: "True", Reason: "A", Message: "a", LastTransitionTime: then},
		{Type: "Flipped", Status: "True", Reason: "A", Message: "a", LastTransitionTime: then},
		{Type: "Dropped", Status: "True", Reason: "A", Message: "a", LastTransitionTime: then},
	}
	got := mergeConditions(old, []metav1.Condition{
		{Type: "New", Status: "True", Reason: "A"},
		{Type: "Flipped", Status: "False", Reason: "A"},
		{Type: "OtherMessage", Status: "True", Reason: "B", Message: "b"},
		{Type: "Same", Status: "True", Reason: "A", Message: "a"},
	}, 2)
	var types []string
	for _, condition := range got {
		types = append(types, condition.Type)
		stays := condition.Type == "Same" || condition.Type == "OtherMessage"
		if condition.LastTransitionTime.Equal(&then) != stays {
			t.Errorf("%s: transition at %v", condition.Type, condition.LastTransitionTime)
		}
		if condition.LastTransitionTime.IsZero() {
			t.Errorf("%s has no transition time", condition.Type)
		}
		if condition.ObservedGeneration != 2 {
			t.Errorf("%s: generation %d, want 2", condition.Type, condition.ObservedGeneration)
		}
	}
	if diff := cmp.Diff([]string{"New", "Flipped", "OtherMessage", "Same"}, types); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if found := meta.FindStatusCondition(got, "OtherMessage"); found.Message != "b" {
		t.Errorf("message %q, want the new one", found.Message)
	}
}

func TestRefusalIsTold(t *testing.T) {
	status := v1alpha1.RouteReflectorAutoscalerStatus{Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "Steps"},
		{Type: v1alpha1.ConditionDegraded, Status: metav1.ConditionFalse, Reason: "Fine"},
	}}
	f := refusal{step: &rollout.Step{Action: rollout.SetRole, Object: "Node/n1"}, err: errors.New("no")}
	f.tell(&status)
	degraded := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionDegraded)
	if degraded.Status != metav1.ConditionTrue || degraded.Reason != reasonRefused || degraded.Message != "the next step (SetRole Node/n1) cannot be written: no" {
		t.Errorf("Degraded is %+v", degraded)
	}
	if progressing := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionProgressing); progressing == nil || progressing.Status != metav1.ConditionFalse {
		t.Errorf("Progressing is %+v", progressing)
	}
}

func TestAllowedByMode(t *testing.T) {
	for mode, want := range map[v1alpha1.Mode]bool{"": true, v1alpha1.ModeApply: true, v1alpha1.ModeDryRun: false, v1alpha1.ModePaused: false} {
		policy := newPolicy()
		policy.Spec.Mode = mode
		if got := allowed(policy, rollout.MeshOff); got != want {
			t.Errorf("mode %q: MeshOff allowed %v, want %v", mode, got, want)
		}
		if !allowed(policy, rollout.RemoveFinalizer) {
			t.Errorf("mode %q: a deleted policy could never go away", mode)
		}
	}
}
