package rollout_test

import (
	"testing"
	"time"

	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
)

// TestWakesForALostReflector: nothing but time turns a reflector that has just
// become not ready into a lost one, so the decision must ask to be called again.
func TestWakesForALostReflector(t *testing.T) {
	v := newVirtual(t, 21, 30, 3)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	node := v.node(v.reflectors()[0])
	node.Ready, node.ReadySince = false, v.now.Add(-3*time.Second)
	out := rollout.Next(v.input())
	if want := inventory.LostAfter - 3*time.Second; out.RequeueAfter < want || out.RequeueAfter > want+time.Second {
		t.Errorf("asks to be called again after %v, want %v", out.RequeueAfter, want)
	}
}
