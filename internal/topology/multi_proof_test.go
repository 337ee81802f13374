package topology_test

import (
	"fmt"
	"testing"

	"tapetum.dev/tapetum/internal/topology"
)

func sizes(t *testing.T) []int {
	t.Helper()
	if testing.Short() {
		return []int{1, 2, 3, 5, 10, 100, 501, 1000}
	}
	return []int{1, 2, 3, 5, 10, 50, 100, 500, 501, 1000, 2000, 5000}
}

// TestMultiProved plans clusters of all sizes and zones from nothing, and has the
// oracle prove what Multi promises.
func TestMultiProved(t *testing.T) {
	t.Parallel()
	for _, n := range sizes(t) {
		for zones := 1; zones <= 7; zones++ {
			for _, k := range []int32{2, 3} {
				for name, zoneOf := range map[string]func(int) string{"even": evenly(zones), "skewed": skewed(zones)} {
					if name == "skewed" && zones == 1 {
						continue
					}
					t.Run(fmt.Sprintf("%d nodes, %d zones %s, k=%d", n, zones, name, k), func(t *testing.T) {
						w := newWorld(n, zoneOf, homesEach(k))
						plan := w.plan()
						w.prove(t, &plan, int(k))
					})
				}
			}
		}
	}
}

// prove asks the oracle about a plan of Multi from nothing.
func (w *world) prove(t *testing.T, plan *topology.Plan, k int) {
	t.Helper()
	n, m := len(w.request.Nodes), len(plan.Reflectors)
	if n >= 3 {
		noProblems(t, plan)
	}
	limits := w.request.Spec.Limits
	net := w.network(plan)
	if v := net.Visibility(nil); !v.Complete {
		t.Errorf("%d pairs do not see each other, such as %v", v.MissingPairs, v.Sample[0])
	}
	if f := int(*limits.ReflectorFailures); !net.SurvivesReflectors(f) {
		t.Errorf("does not survive the loss of any %d reflectors", f)
	}
	if !net.SurvivesZones(w.zoneOf) {
		t.Error("does not survive the loss of any one zone")
	}
	if degree := net.Degree(); degree > int(limits.SessionsPerReflector) {
		t.Errorf("%d sessions a reflector", degree)
	}
	if paths := net.Paths(); paths.Capped || paths.Max > k*k {
		t.Errorf("%v paths", paths)
	}
	clients, homes := w.loads(plan)
	most, sum := 0, 0
	for _, c := range clients {
		most = max(most, c)
		sum += c
	}
	if mean := (sum + m - 1) / m; m > k && most > mean && float64(most*m) > 1.15*float64(sum) {
		t.Errorf("the busiest reflector has %d clients, the mean is %.1f", most, float64(sum)/float64(m))
	}
	zones := map[string]bool{}
	for _, r := range plan.Reflectors {
		zones[r.Zone] = true
	}
	for client, servers := range homes {
		seen := map[string]bool{}
		for _, s := range servers {
			seen[w.zoneOf(s)] = true
		}
		if len(servers) != min(k, m) || len(seen) < min(2, len(zones), m) {
			t.Errorf("%s has the reflectors %v", client, servers)
			break
		}
	}
}
