package topology_test

import (
	"fmt"
	"testing"

	"tapetum.dev/tapetum/internal/topology"
)

// BenchmarkPlan plans for what stands, for newcomers that have no home yet, and (where
// no design fits) for both at once.
func BenchmarkPlan(b *testing.B) {
	for _, kind := range topologies[1:] {
		for _, refused := range []bool{false, true} {
			w := newWorld(5000, evenly(3), shaped(kind, 1))
			w.request.Spec.Scaling.Max = 100
			w.request.Spec.Limits.SessionsPerReflector, w.request.Spec.Limits.PathsPerRoute = 1000, 16
			w.settle()
			if refused {
				w.request.Spec.Limits.SessionsPerReflector /= 2
			}
			b.Run(fmt.Sprintf("%s/refused=%v/no change", kind, refused), func(b *testing.B) { plans(b, w) })
			for range 500 {
				w.join("zone-a")
			}
			b.Run(fmt.Sprintf("%s/refused=%v/500 more", kind, refused), func(b *testing.B) { plans(b, w) })
		}
	}
}

func plans(b *testing.B, w *world) {
	b.Helper()
	var plan topology.Plan
	for b.Loop() {
		plan = w.plan()
	}
	if plan.Nodes == 0 {
		b.Error("nothing is planned")
	}
}
