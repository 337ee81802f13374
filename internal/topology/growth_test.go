package topology_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/internal/topology"
)

// TestGrowth lets a cluster grow step by step to many times its size and shrink again
// (to 20 times with TAPETUM_SEEDS, which asks for more than the usual):
// homes stay, the limit of sessions holds all the way, and in the end there are not
// many more reflectors than in a plan from nothing.
func TestGrowth(t *testing.T) {
	t.Parallel()
	most := 1000
	if os.Getenv("TAPETUM_SEEDS") != "" {
		most = 3000
	}
	for _, zones := range []int{1, 3} {
		for _, k := range []int32{2, 3} {
			t.Run(fmt.Sprintf("%d zones, k=%d", zones, k), func(t *testing.T) {
				w := newWorld(150, evenly(zones), homesEach(k))
				w.request.Spec.Scaling.ScaleDownStabilizationSeconds = new(int32)
				plan := w.settle()
				homes := map[string]string{}
				step := func() {
					plan = w.settle()
					noProblems(t, &plan)
					for node, home := range plan.Homes {
						if was, ok := homes[node]; ok && was != home {
							t.Fatalf("%d nodes: %s goes from home %s to %s", len(w.request.Nodes), node, was, home)
						}
						homes[node] = home
					}
					net := w.network(&plan)
					if v := net.Visibility(nil); !v.Complete || !net.SurvivesReflectors(1) || net.Degree() > 500 {
						t.Fatalf("%d nodes: complete %v, %d sessions\n%s", len(w.request.Nodes), v.Complete, net.Degree(), w.describe(&plan))
					}
				}
				for len(w.request.Nodes) < most {
					for range max(len(w.request.Nodes)/25, 1) {
						w.join(evenly(zones)(w.nodes))
					}
					step()
				}
				w.enough(t, &plan, k)
				for len(w.request.Nodes) > 300 {
					for range len(w.request.Nodes) / 10 {
						w.leave(w.request.Nodes[len(w.request.Nodes)*2/3].Name)
					}
					step()
				}
				w.enough(t, &plan, k)
			})
		}
	}
}

// TestGrowthPlansAreFixedPoints lets a cluster grow and shrink in uneven zones: whatever
// comes of a step is planned again as it is.
func TestGrowthPlansAreFixedPoints(t *testing.T) {
	t.Parallel()
	for _, kind := range topologies {
		for _, zones := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s, %d zones", kind, zones), func(t *testing.T) {
				w := newWorld(60, skewed(zones), shaped(kind, 1, manyPaths))
				w.request.Spec.Limits.SessionsPerReflector = 150
				stays := func() {
					want := w.settle()
					got := w.plan()
					if diff := cmp.Diff(essence(&want), essence(&got)); diff != "" {
						t.Fatalf("%d nodes: a plan that is carried out changes again:\n%s%s(-want +got):\n%s",
							len(w.request.Nodes), w.describe(&want), w.describe(&got), diff)
					}
					w.request.Clocks = got.Clocks
				}
				for len(w.request.Nodes) < 500 {
					for range max(len(w.request.Nodes)/15, 1) {
						w.join(skewed(zones)(w.nodes))
					}
					stays()
				}
				for len(w.request.Nodes) > 100 {
					for range len(w.request.Nodes) / 12 {
						w.leave(w.request.Nodes[len(w.request.Nodes)*2/3].Name)
					}
					w.request.Now = w.request.Now.Add(4 * time.Minute)
					stays()
				}
			})
		}
	}
}

// enough compares the number of reflectors with that of a plan from nothing.
func (w *world) enough(t *testing.T, plan *topology.Plan, k int32) {
	t.Helper()
	fresh := newWorld(len(w.request.Nodes), evenly(1), homesEach(k)).plan()
	if got, want := len(plan.Reflectors), len(fresh.Reflectors); got > want+5 {
		t.Errorf("%d nodes: %d reflectors, from nothing %d are enough", len(w.request.Nodes), got, want)
	}
}
