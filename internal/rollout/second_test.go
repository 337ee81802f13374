package rollout_test

import (
	"testing"
	"time"

	"tapetum.dev/tapetum/internal/rollout"
)

// TestSecondReflectorWaitsForTheFirst: a node leaves the mesh when it gets the
// role, so the reflector that carries its routes then must have been seen up.
func TestSecondReflectorWaitsForTheFirst(t *testing.T) {
	v := newVirtual(t, 5, 30, 3)
	v.set(ratio(10), single)
	v.runFor(500 * time.Millisecond)
	if n := v.count()[rollout.SetRole]; n != 1 {
		t.Errorf("%d promotions before any session of the first is up, want 1; steps:\n%s", n, v.story())
	}
	v.run(5 * time.Minute)
	v.noLoss()
	// Only the first reflector's own routes: 29 nodes both ways.
	if pairs := v.fabric.Account().Changing.Pairs; pairs != 2*29 {
		t.Errorf("%d pairs with nodes changing role lost their route, want %d; steps:\n%s", pairs, 2*29, v.story())
	}
}
