package rollout_test

import (
	"slices"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// budget sets how many role changes ten minutes may see.
func budget(n int32) change {
	return brakes(func(b *v1alpha1.Brakes) { b.RoleChangesPerTenMinutes = number(n) })
}

// roleChanges runs for so long, and returns when roles were changed.
func (v *virtual) roleChanges(d time.Duration) []time.Time {
	var at []time.Time
	for end := v.now.Add(d); v.now.Before(end); v.advance() {
		before := len(v.steps)
		v.passes()
		for _, step := range v.steps[before:] {
			if step.Action == rollout.SetRole || step.Action == rollout.ClearRole {
				at = append(at, v.now)
			}
		}
	}
	return at
}

// TestRoleBudget: a new cluster ID for six reflectors, two changes in ten minutes.
func TestRoleBudget(t *testing.T) {
	v := newVirtual(t, 41, 30, 3)
	v.set(ratio(5), single)
	v.run(5 * time.Minute)
	v.runFor(12 * time.Minute)
	v.reset()
	v.set(budget(2), func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.ClusterID = "10.9.8.7" })
	at := v.roleChanges(9 * time.Minute)
	if len(at) != 2 || v.reason(v1alpha1.ConditionProgressing) != rollout.ReasonRoleBudget {
		t.Errorf("%d changes, Progressing %s: %s", len(at), v.reason(v1alpha1.ConditionProgressing), v.message(v1alpha1.ConditionProgressing))
	}
	if v.reason(v1alpha1.ConditionDegraded) == rollout.ReasonRoleBudget {
		t.Error("to wait for a budget is nothing that a person must mend")
	}
	if wait := v.last.RequeueAfter; wait <= 0 || wait > 11*time.Minute {
		t.Errorf("asks to be called again after %v", wait)
	}
	at = append(at, v.roleChanges(40*time.Minute)...)
	if len(at) != 6 {
		t.Errorf("%d role changes, want 6; steps:\n%s", len(at), v.story())
	}
	for i := range at[:max(len(at)-2, 0)] {
		if apart := at[i+2].Sub(at[i]); apart < 10*time.Minute {
			t.Errorf("three role changes within %v", apart)
		}
	}
	v.noLoss()
}

// TestRoleBudgetSparesRepairs: with nothing left of it, a reflector is replaced where
// clients have too few, and not where they have enough.
func TestRoleBudgetSparesRepairs(t *testing.T) {
	for _, n := range []int32{2, 4} {
		v := newVirtual(t, 42, 40, 4)
		v.set(budget(1), single, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Min, s.Scaling.Max = n, n })
		v.run(90 * time.Minute)
		v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.ClusterID = "10.9.8.7" })
		v.runFor(15 * time.Second)
		v.reset()
		v.kill(v.reflectors()[0])
		v.runFor(time.Minute)
		if got := v.count()[rollout.SetRole]; got != count(n == 2) {
			t.Errorf("%d reflectors: %d promoted; steps:\n%s", n, got, v.story())
		}
	}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// TestBudgetIsRemembered: also by a process that has just started, and bounded.
func TestBudgetIsRemembered(t *testing.T) {
	v := newVirtual(t, 43, 40, 4)
	v.set(ratio(4), single)
	v.run(10 * time.Minute)
	minutes := v.autoscaler.Status.Brakes.RoleChanges
	sum := int32(0)
	for _, minute := range minutes {
		sum += minute.Count
		if minute.Minute.Second() != 0 {
			t.Errorf("%v is no minute", minute.Minute)
		}
	}
	if sum != 10 || len(minutes) > 11 {
		t.Errorf("%d role changes in %d entries, want 10", sum, len(minutes))
	}
	// What is too old goes with the next.
	v.runFor(20 * time.Minute)
	if !slices.Equal(minutes, v.autoscaler.Status.Brakes.RoleChanges) {
		t.Error("time alone changes the status")
	}
	v.kill(v.reflectors()[0])
	v.runFor(time.Minute)
	if got := v.autoscaler.Status.Brakes.RoleChanges; len(got) != 1 || got[0].Count != 1 {
		t.Errorf("after a replacement: %v", got)
	}
}
