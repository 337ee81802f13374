package rollout_test

import (
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

func (v *virtual) annotate(key, value string) {
	if v.autoscaler.Annotations == nil {
		v.autoscaler.Annotations = map[string]string{}
	}
	v.autoscaler.Annotations[key] = value
	if value == "" {
		delete(v.autoscaler.Annotations, key)
	}
}

func TestPauseByAnnotation(t *testing.T) {
	v := newVirtual(t, 51, 30, 3)
	v.set(ratio(10), single)
	for value, want := range map[string]string{"true": rollout.ReasonPaused, "yes": rollout.ReasonAnnotation, strings.Repeat("x", 100_000): rollout.ReasonAnnotation} {
		v.annotate(v1alpha1.PauseAnnotation, value)
		v.runFor(time.Minute)
		if len(v.steps) > 0 || v.reason(v1alpha1.ConditionProgressing) != want {
			t.Errorf("%.20q: Progressing %s; steps:\n%s", value, v.reason(v1alpha1.ConditionProgressing), v.story())
		}
		if text := v.message(v1alpha1.ConditionProgressing); !strings.Contains(text, v1alpha1.PauseAnnotation) || len(text) > 1000 {
			t.Errorf("%.20q: the message is %.1000s", value, text)
		}
		if degraded := v.is(v1alpha1.ConditionDegraded); degraded != (want == rollout.ReasonAnnotation) {
			t.Errorf("%.20q: Degraded %v", value, degraded)
		}
	}
	v.annotate(v1alpha1.PauseAnnotation, "false")
	v.run(5 * time.Minute)
	if len(v.reflectors()) != 3 {
		t.Errorf("reflectors %v", v.reflectors())
	}
}

// heldStep is the step that waits, nil where none does.
func (v *virtual) heldStep() *v1alpha1.HeldStep {
	if v.autoscaler.Status.Brakes == nil {
		return nil
	}
	return v.autoscaler.Status.Brakes.HeldStep
}

func (v *virtual) force() *v1alpha1.ForceStatus {
	if v.autoscaler.Status.Brakes == nil {
		return nil
	}
	return v.autoscaler.Status.Brakes.Force
}

// stormed is a cluster under the brake that has a new cluster ID to roll out.
func stormed(t *testing.T, seed uint64) *virtual {
	v := newVirtual(t, seed, 30, 3)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.notReady(v.clients(10)...)
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.ClusterID = "10.9.8.7" })
	v.runFor(10 * time.Second)
	v.reset()
	return v
}

func TestForceUnderTheBrake(t *testing.T) {
	v := stormed(t, 52)
	held := v.heldStep()
	if held == nil || held.HeldBy != rollout.ReasonBrake || !strings.Contains(held.Step, "role") {
		t.Fatalf("held %+v", held)
	}
	for _, value := range []string{"0123456789", "yes", strings.Repeat("f", 70_000)} {
		v.annotate(v1alpha1.ForceStepAnnotation, value)
		v.runFor(5 * time.Second)
		if force := v.force(); len(v.steps) > 0 || force == nil || force.Taken != nil || !strings.Contains(force.Message, v1alpha1.ForceStepAnnotation) {
			t.Errorf("%.20q: %+v; steps:\n%s", value, force, v.story())
		}
	}
	first := held.ID
	v.annotate(v1alpha1.ForceStepAnnotation, first)
	v.pass()
	if len(v.steps) != 1 || !v.steps[0].Forced || v.steps[0].ID() != first || v.reason(v1alpha1.ConditionProgressing) != rollout.ReasonForced {
		t.Fatalf("forced: Progressing %s; steps:\n%s", v.reason(v1alpha1.ConditionProgressing), v.story())
	}
	if v.steps[0].Proof == "" {
		t.Error("a forced step is proved like any other")
	}
	v.runFor(2 * time.Minute)
	if len(v.steps) != 1 {
		t.Errorf("one word forces one step; steps:\n%s", v.story())
	}
	if force := v.force(); force.ID != first || force.Taken == nil {
		t.Errorf("force %+v", force)
	}
	next := v.heldStep()
	if next == nil || next.ID == first {
		t.Fatalf("held %+v", next)
	}
	// The very same step again, because somebody undid it: the word has been used.
	v.node(v.steps[0].Role.Node).ClusterID = "224.0.0.1"
	v.sync()
	v.runFor(2 * time.Minute)
	for _, step := range v.steps[1:] {
		if step.Forced {
			t.Errorf("forced twice; steps:\n%s", v.story())
		}
	}
	v.annotate(v1alpha1.ForceStepAnnotation, "")
	v.runFor(5 * time.Second)
	if v.force() != nil {
		t.Errorf("without the annotation: %+v", v.force())
	}
	if lost := v.fabric.Account().Ordinary.RouteTime; lost != 0 {
		t.Errorf("lost %v", lost)
	}
}

// TestForceDoesNotReachBeyondCaution: a mode, a freeze and a datastore that is not
// ready hold all the same.
func TestForceDoesNotReachBeyondCaution(t *testing.T) {
	v := stormed(t, 53)
	v.annotate(v1alpha1.ForceStepAnnotation, v.heldStep().ID)
	for name, set := range map[string]func(in *rollout.Input){
		"datastore": func(in *rollout.Input) { in.DatastoreReady = false },
		"frozen":    func(in *rollout.Input) { in.Frozen = "a cache is not complete" },
		"paused":    func(in *rollout.Input) { in.Autoscaler.Spec.Mode = v1alpha1.ModePaused },
		"dry run":   func(in *rollout.Input) { in.Autoscaler.Spec.Mode = v1alpha1.ModeDryRun; in.Autoscaler.Finalizers = nil },
		"annotation": func(in *rollout.Input) {
			in.Autoscaler.Annotations[v1alpha1.PauseAnnotation] = "true"
		},
	} {
		in := v.input()
		set(&in)
		if out := rollout.Next(in); out.Step != nil {
			t.Errorf("%s: %s", name, out.Step)
		}
	}
	if out := rollout.Next(v.input()); out.Step == nil || !out.Step.Forced {
		t.Errorf("without any of these: %v", out.Step)
	}
}

// TestForceAtTheGate: a person does not wait for what the policy says to wait.
func TestForceAtTheGate(t *testing.T) {
	v := newVirtual(t, 54, 30, 3)
	v.set(ratio(10), single, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Rollout.SettleSeconds = number(3600) })
	v.runFor(4 * time.Minute)
	for range 2 { // what the mesh was is kept, and it goes off
		held := v.heldStep()
		if held == nil || held.HeldBy != rollout.ReasonSettling {
			t.Fatalf("held %+v: %s", held, v.message(v1alpha1.ConditionProgressing))
		}
		v.annotate(v1alpha1.ForceStepAnnotation, held.ID)
		v.runFor(2 * time.Minute)
	}
	if v.last.Status.Mesh != v1alpha1.MeshOff {
		t.Errorf("mesh %s; steps:\n%s", v.last.Status.Mesh, v.story())
	}
	v.noLoss()
}

// TestForceDoesNotCostRoutes: a node has no session but those of the mesh, as far as
// anybody can see. The gate may be forced, the proof may not.
func TestForceDoesNotCostRoutes(t *testing.T) {
	v := newVirtual(t, 54, 30, 3)
	v.set(ratio(10), single)
	for len(v.reflectors()) < 3 {
		v.runFor(tick)
	}
	v.fabric.Kill(v.now, "node-0029")
	v.runFor(6 * time.Minute)
	for range 5 {
		if held := v.heldStep(); held != nil {
			v.annotate(v1alpha1.ForceStepAnnotation, held.ID)
		}
		v.runFor(time.Minute)
	}
	if v.last.Status.Mesh != v1alpha1.MeshOn {
		t.Errorf("the mesh is off; steps:\n%s", v.story())
	}
	if held := v.heldStep(); held != nil {
		t.Errorf("offers %+v", held)
	}
}

// TestForceInAContest writes the contested object once more.
func TestForceInAContest(t *testing.T) {
	v := newVirtual(t, 55, 30, 3)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	name := v.reflectors()[1]
	for range 5 {
		delete(v.node(name).Labels, v1alpha1.ReflectorLabel)
		v.sync()
		v.runFor(30 * time.Second)
	}
	held := v.heldStep()
	if held == nil || held.HeldBy != rollout.ReasonContested {
		t.Fatalf("held %+v", held)
	}
	n := len(v.steps)
	v.annotate(v1alpha1.ForceStepAnnotation, held.ID)
	v.runFor(time.Minute)
	if len(v.steps) != n+1 || v.node(name).Labels[v1alpha1.ReflectorLabel] == "" {
		t.Errorf("%d forced; steps:\n%s", len(v.steps)-n, v.story())
	}
	if v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonContested {
		t.Errorf("the contest is not over: Degraded %s", v.reason(v1alpha1.ConditionDegraded))
	}
}
