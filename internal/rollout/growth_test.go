package rollout_test

import (
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// TestMultiGrows: what was proved of a node that becomes a reflector once counted with
// the filters that it had as a client, as if it could pass routes on with those: from
// seven reflectors on no more were let in.
func TestMultiGrows(t *testing.T) {
	v := newVirtual(t, 1, 30, 3)
	v.set(to(v1alpha1.TopologyMulti), ratio(6))
	v.run(30 * time.Minute)
	v.reset()
	for len(v.nodes) < 72 {
		v.add(7, 3)
		v.sync()
		v.run(30 * time.Minute)
	}
	v.noLoss()
	if got := len(v.reflectors()); got < 12 {
		t.Errorf("%d reflectors for %d nodes, want 12; %+v", got, len(v.nodes), v.last.Status.Conditions)
	}
}
