package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// TestSmallClusters come to rest, whatever is asked of them.
func TestSmallClusters(t *testing.T) {
	for nodes := range 5 {
		for _, failures := range []int32{0, 1, 3} {
			t.Run(fmt.Sprintf("%d nodes, %d may fail", nodes, failures), func(t *testing.T) {
				v := newVirtual(t, 44, nodes, 2)
				v.set(ratio(1), single, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Limits.ReflectorFailures = &failures })
				v.runFor(3 * time.Minute)
				v.noLoss()
				steps, status := len(v.steps), v.last.Status
				v.runFor(2 * time.Minute)
				if len(v.steps) > steps || fmt.Sprint(status.Conditions) != fmt.Sprint(v.last.Status.Conditions) {
					t.Errorf("no rest; steps:\n%s\n%v", v.story(), v.last.Status.Conditions)
				}
				v.deleteAndWait()
			})
		}
	}
}

// deleteAndWait deletes the policy and checks that nothing of ours is left.
func (v *virtual) deleteAndWait() {
	v.t.Helper()
	now := metav1.NewTime(v.now)
	v.autoscaler.DeletionTimestamp = &now
	for range 4 * 400 {
		v.passes()
		v.advance()
		if len(v.autoscaler.Finalizers) == 0 {
			break
		}
	}
	v.idle(30 * time.Second)
	v.noLoss()
	if len(v.autoscaler.Finalizers) > 0 || len(v.reflectors()) > 0 || len(v.peers) > 0 || len(v.statuses) > 0 {
		v.t.Errorf("left over: %v %v %d %d; %v; steps:\n%s", v.autoscaler.Finalizers, v.reflectors(), len(v.peers), len(v.statuses), v.last.Status.Conditions, v.story())
	}
}

// TestDeletionAtAnyMoment of a migration, and of a swap.
func TestDeletionAtAnyMoment(t *testing.T) {
	for steps := range 16 {
		t.Run(fmt.Sprint(steps), func(t *testing.T) {
			v := newVirtual(t, 45, 12, 3)
			v.set(ratio(10), single)
			for len(v.steps) < steps && !v.is(v1alpha1.ConditionReady) {
				v.pass()
				v.advance()
			}
			v.deleteAndWait()
		})
	}
	for after := range 6 {
		t.Run(fmt.Sprintf("swap %d", after), func(t *testing.T) {
			v := settled(t, 46, 12, 3, 1)
			v.node(v.last.Status.Reflectors[0].Name).Unschedulable = true
			for len(v.steps) < 2*after {
				v.pass()
				v.advance()
			}
			v.deleteAndWait()
		})
	}
}

// TestDryRunIsQuiet: what is not written does not change the status again and again.
func TestDryRunIsQuiet(t *testing.T) {
	v := settled(t, 47, 12, 3, 1)
	v.set(exactly(1, 0), func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Mode = v1alpha1.ModeDryRun })
	v.runFor(time.Minute)
	before := v.last.Status
	v.runFor(time.Minute)
	if a, b := fmt.Sprint(before.Clocks), fmt.Sprint(v.last.Status.Clocks); a != b || before.NextStep != v.last.Status.NextStep {
		t.Errorf("%s %s, then %s %s", before.NextStep, a, v.last.Status.NextStep, b)
	}
}

// TestUnprovedIsNoSessionTimeout: the reason says what a person can do.
func TestUnprovedIsNoSessionTimeout(t *testing.T) {
	v := newVirtual(t, 48, 12, 3)
	v.set(ratio(10), single, exactly(3, 1), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Placement.Require = []metav1.LabelSelector{{MatchLabels: map[string]string{"kubernetes.io/hostname": "node-0003"}}}
	})
	v.runFor(8 * time.Minute)
	if got := v.reason(v1alpha1.ConditionDegraded); got != "TooFewEligibleNodes" {
		t.Errorf("Degraded reason %s, want TooFewEligibleNodes", got)
	}
	if got := v.reason(v1alpha1.ConditionProgressing); got != rollout.ReasonNotProved {
		t.Errorf("Progressing reason %s, want %s", got, rollout.ReasonNotProved)
	}
	for _, c := range v.last.Status.Conditions {
		if c.Type == v1alpha1.ConditionDegraded && strings.Contains(c.Message, rollout.ReasonSessionTimeout) {
			t.Error(c.Message)
		}
	}
}

// TestInvalidPlacementDoesNotHoldDeletion.
func TestInvalidPlacementDoesNotHoldDeletion(t *testing.T) {
	v := settled(t, 49, 12, 3, 1)
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Placement.Exclude = []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}}}
	})
	v.runFor(time.Minute)
	if len(v.steps) > 0 {
		t.Errorf("steps:\n%s", v.story())
	}
	v.deleteAndWait()
}
