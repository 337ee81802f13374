package rollout_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/topology"
)

// refusals are changes with which a policy cannot be followed.
var refusals = map[string]struct {
	change change
	reason string
}{
	"a selector that does not parse": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Placement.Exclude = []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}}}
	}, topology.ReasonInvalidPlacement},
	"fields that contradict": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Min, s.Scaling.Max = 5, 4 }, topology.ReasonContradiction},
	"an unknown rack label": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Topology, s.RackLabel = v1alpha1.TopologyHierarchy, "example.com/rack"
	}, topology.ReasonUnknownRack},
	"no node is allowed": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Placement.Exclude = []metav1.LabelSelector{{}}
	}, topology.ReasonTooFewEligible},
}

// TestRefusedPolicyKeepsTheMesh: the policy becomes one that cannot be followed after each
// of the first steps from the mesh to reflectors. Nothing is taken away, least of all the
// mesh, until it is mended; then the rollout goes on to its end.
func TestRefusedPolicyKeepsTheMesh(t *testing.T) {
	for name, refusal := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for steps := 1; ; steps += 3 {
				v := newVirtual(t, 71, 12, 3)
				v.set(exactly(3, 1), single, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { n := int32(5); s.MeshUpTo = &n })
				for len(v.steps) < steps && (len(v.steps) == 0 || v.last.Step != nil || !v.is(v1alpha1.ConditionReady)) {
					v.pass()
					v.advance()
				}
				if !calico.MeshEnabled(v.configurations) {
					return // the mesh is off: all moments before have been tried
				}
				before := v.autoscaler.Spec.DeepCopy()
				taken := len(v.steps)
				v.set(refusal.change)
				v.runFor(6 * time.Minute)
				for _, step := range v.steps[taken:] {
					if step.Subtractive {
						t.Errorf("after %d steps: %s", steps, step)
					}
				}
				if ready := meta.FindStatusCondition(v.autoscaler.Status.Conditions, v1alpha1.ConditionReady); !calico.MeshEnabled(v.configurations) ||
					ready.Status != metav1.ConditionFalse || ready.Reason != refusal.reason || ready.Message == "" {
					t.Fatalf("after %d steps: mesh %v, %+v; steps:\n%s", steps, calico.MeshEnabled(v.configurations), ready, v.story())
				}
				if v.reason(v1alpha1.ConditionDegraded) != refusal.reason {
					t.Errorf("after %d steps: Degraded %s", steps, v.reason(v1alpha1.ConditionDegraded))
				}
				if text := degraded(v); strings.Count(text, "stay as they are") > 1 {
					t.Errorf("told twice: %s", text)
				}
				v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { *s = *before })
				v.run(10 * time.Minute)
				v.noLoss()
				v.expect(3)
			}
		})
	}
}

func degraded(v *virtual) string {
	if c := meta.FindStatusCondition(v.autoscaler.Status.Conditions, v1alpha1.ConditionDegraded); c != nil {
		return c.Message
	}
	return ""
}

// TestRefusedPolicyOnTheWayToTheMesh: neither is anything taken away of the reflectors.
func TestRefusedPolicyOnTheWayToTheMesh(t *testing.T) {
	for _, steps := range []int{1, 2, 5} {
		v := settled(t, 72, 12, 3, 1)
		v.set(to(v1alpha1.TopologyMesh))
		for len(v.steps) < steps {
			v.pass()
			v.advance()
		}
		v.reset()
		stand := len(v.reflectors())
		v.set(refusals["a selector that does not parse"].change)
		v.runFor(5 * time.Minute)
		v.noLoss()
		v.expect(stand)
		if !calico.MeshEnabled(v.configurations) || v.is(v1alpha1.ConditionReady) {
			t.Errorf("mesh %v, ready %v", calico.MeshEnabled(v.configurations), v.is(v1alpha1.ConditionReady))
		}
		v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Placement = v1alpha1.Placement{} })
		v.run(10 * time.Minute)
		v.noLoss()
		v.expect(0)
	}
}

// TestReadyKeepsThePromise: Ready says no where a limit of the policy is passed by what
// stands, or a loss that it allows for would cost routes.
func TestReadyKeepsThePromise(t *testing.T) {
	for name, tt := range map[string]struct {
		hand func(*virtual)
		says string
	}{
		"sessions": {func(v *virtual) { v.add(8, 3) }, "limits.sessionsPerReflector allows 15"},
		"any zone": {func(v *virtual) {
			v.set(to(v1alpha1.TopologyQuorum), grouped, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Max = 9 })
			v.run(30 * time.Minute)
		}, "the loss of one zone would cost routes"},
	} {
		t.Run(name, func(t *testing.T) {
			v := settled(t, 73, 12, 3, 1, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Limits.SessionsPerReflector = 15 })
			tt.hand(v)
			v.sync()
			v.runFor(time.Minute)
			ready := meta.FindStatusCondition(v.autoscaler.Status.Conditions, v1alpha1.ConditionReady)
			if ready.Status != metav1.ConditionFalse || ready.Reason != rollout.ReasonPromiseBroken || !strings.Contains(ready.Message, tt.says) {
				t.Errorf("%+v; steps:\n%s", ready, v.story())
			}
		})
	}
}

// TestMeshOffByOthersTellsWhy: where it is off, and reflectors are asked for but cannot be
// had, the reason is that, and not that the cluster is small.
func TestMeshOffByOthersTellsWhy(t *testing.T) {
	for name, refusal := range refusals {
		v := newVirtual(t, 74, 12, 3)
		off := false
		v.configurations = []calico.BGPConfiguration{{
			ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off},
		}}
		v.sync()
		v.set(single, refusal.change)
		v.runFor(time.Minute)
		for _, condition := range []string{v1alpha1.ConditionDegraded, v1alpha1.ConditionReady, v1alpha1.ConditionProgressing} {
			if v.reason(condition) != refusal.reason {
				t.Errorf("%s: %s says %s, want %s", name, condition, v.reason(condition), refusal.reason)
			}
		}
		if len(v.steps) > 0 || strings.Contains(degraded(v), "small enough") {
			t.Errorf("%s: %s; steps:\n%s", name, degraded(v), v.story())
		}
	}
}

// TestDeletedBeforeTheMeshIsOff: a cluster that is too large for the mesh to come back has
// it still. A deletion does not go on to turn it off.
func TestDeletedBeforeTheMeshIsOff(t *testing.T) {
	for _, steps := range []int{3, 8, 11} {
		v := newVirtual(t, 76, 12, 3)
		few := int32(5)
		v.set(exactly(3, 1), single, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.MeshUpTo = &few })
		for len(v.steps) < steps {
			v.pass()
			v.advance()
		}
		v.deleteAndWait()
		v.noLoss()
		if v.count()[rollout.MeshOff] > 0 || len(v.reflectors()) > 0 || len(v.peers) > 0 {
			t.Errorf("after %d steps: reflectors %v; steps:\n%s", steps, v.reflectors(), v.story())
		}
	}
}
