package rollout_test

import (
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// TestSmallRacksLeaveTheCore: with few nodes the last two reflectors of racks get each
// other's routes through one reflector of the core alone, so that neither could be the
// first to change.
func TestSmallRacksLeaveTheCore(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		v := newVirtual(t, seed, 15, 3)
		v.set(to(v1alpha1.TopologyHierarchy), grouped, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Max = 9 })
		v.run(30 * time.Minute)
		for _, topology := range []v1alpha1.Topology{v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy, v1alpha1.TopologyMulti} {
			v.reset()
			v.set(to(topology))
			v.run(30 * time.Minute)
			v.noLoss()
			if got := v.last.Status.Topology; got != topology {
				t.Fatalf("seed %d: %s is in force, want %s; steps:\n%s", seed, got, topology, v.story())
			}
		}
	}
}
