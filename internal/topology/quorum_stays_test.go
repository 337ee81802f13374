package topology_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

// TestQuorumGoesOnWithTheShardsOfAnother: 132 nodes are too many for 7 reflectors, and
// with shards of its own no other design fits either. With the homes that the 7 would
// give to the newcomers 11 do: the plan is for these at once, stays so with all roles
// given and no home, and when it is carried out.
func TestQuorumGoesOnWithTheShardsOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(129, evenly(1), shaped(v1alpha1.TopologyQuorum, 1, func(s *policy) {
		s.Limits.SessionsPerReflector, s.Scaling.Max = 80, 20
	}))
	if plan := w.settle(); len(plan.Reflectors) != 7 {
		t.Fatalf("%d reflectors at first", len(plan.Reflectors))
	}
	for range 3 {
		w.join("zone-a")
	}
	plan := w.plan()
	noProblems(t, &plan)
	if len(plan.Reflectors) != 11 || len(plan.Groups) != 7 {
		t.Fatalf("%s", w.describe(&plan))
	}
	if clocks := slices.Collect(maps.Keys(plan.Clocks)); !slices.Equal(clocks, []string{topology.ClockDesign + "11-5/7-4"}) {
		t.Errorf("clocks %v", clocks)
	}

	half := w.copy()
	for i := range half.request.Nodes {
		node := &half.request.Nodes[i]
		at := slices.IndexFunc(plan.Reflectors, func(r topology.Reflector) bool { return r.Node == node.Name })
		if at < 0 {
			continue
		}
		node.Labels = maps.Clone(node.Labels)
		maps.Copy(node.Labels, render.RoleLabels(plan.Reflectors[at].Tier, plan.Reflectors[at].Serves))
		node.ClusterID = plan.Reflectors[at].ClusterID
	}
	half.request.Standing, half.request.Clocks = reflectorsOf(&plan), plan.Clocks
	again := half.plan()
	if diff := cmp.Diff(essence(&plan), essence(&again)); diff != "" {
		t.Errorf("halfway (-want +got):\n%s", diff)
	}

	w.carryOut(&plan)
	last := w.plan()
	if diff := cmp.Diff(essence(&plan), essence(&last)); diff != "" {
		t.Errorf("carried out (-want +got):\n%s", diff)
	}
	for clock := range last.Clocks {
		if strings.HasPrefix(clock, topology.ClockDesign) {
			t.Errorf("nothing is left to do, and the clock %s runs", clock)
		}
	}
}
