package rollout_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// TestOwnAS: nodes with an AS number of their own have no sessions in the mesh with those
// that have none. Route reflectors give them some, so that must not keep the cluster in
// the mesh; and the way back, on which they would lose them, says why it is not gone.
func TestOwnAS(t *testing.T) {
	v := newVirtual(t, 61, 20, 3)
	v.node("node-0007").ASNumber = 65001
	v.sync()
	v.idle(time.Minute)
	if n, _ := v.fabric.MissingPairs(); n != 2*19 {
		t.Errorf("%d pairs are missing in the mesh, want those of one node", n)
	}
	v.pass()
	v.differentAS()
	v.set(ratio(10), single)
	for n := 1; n > 0; n, _ = v.fabric.MissingPairs() {
		v.passes()
		v.advance()
	}
	v.reset() // what was missing from the start is no loss of ours
	v.run(10 * time.Minute)
	if len(v.reflectors()) == 0 || v.last.Status.NextStep != "none" || v.last.Status.Mesh != v1alpha1.MeshOff {
		t.Errorf("next: %s; reflectors %v; steps:\n%s", v.last.Status.NextStep, v.reflectors(), v.story())
	}
	v.noLoss()
	v.differentAS()

	v.set(toMesh, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Rollout.SessionTimeoutSeconds = 60 })
	v.runFor(4 * time.Minute)
	v.noLoss()
	v.differentAS()
	if got := v.reason(v1alpha1.ConditionDegraded); got != rollout.ReasonNotProved {
		t.Errorf("Degraded for the reason %s, want %s", got, rollout.ReasonNotProved)
	}
}

func (v *virtual) differentAS() {
	v.t.Helper()
	c := meta.FindStatusCondition(v.autoscaler.Status.Conditions, v1alpha1.ConditionDegraded)
	if c == nil || !strings.Contains(c.Message, "1 node with another AS number than the cluster's 64512 (node-0007)") {
		v.t.Errorf("Degraded does not name the node: %+v", c)
	}
}
