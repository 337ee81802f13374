package topology_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/topology"
)

// TestWithoutTagFilter: up to three cluster IDs, or what stands stays.
func TestWithoutTagFilter(t *testing.T) {
	t.Parallel()
	without := func(w *world) *world {
		w.request.TagFilter = topology.TagFilterSupport{Why: "Calico is v3.31.2"}
		return w
	}
	t.Run("three IDs do", func(t *testing.T) {
		w := without(multi(300, evenly(3)))
		plan := w.plan()
		noProblems(t, &plan)
		net := w.network(&plan)
		paths := net.Paths()
		if len(plan.Reflectors) != 3 || plan.TagFilter || paths.Max != topology.UnfilteredPaths(2, 3) || !net.SurvivesReflectors(1) {
			t.Errorf("%d reflectors, filter %v, paths %v", len(plan.Reflectors), plan.TagFilter, paths)
		}
	})
	t.Run("more are refused", func(t *testing.T) {
		w := without(multi(1000, evenly(3)))
		plan := w.plan()
		if len(plan.Problems) == 0 || plan.Problems[0].Reason != topology.ReasonTagFilterUnavailable || plan.Topology != v1alpha1.TopologyMesh {
			t.Fatalf("%s, problems %v", plan.Topology, plan.Problems)
		}
		want := "topology Multi needs 5 route reflectors for 1000 nodes, and more than 3 only with the tag filter, which this cluster cannot have: Calico is v3.31.2; the reflectors stay as they are"
		if diff := cmp.Diff(want, plan.Problems[0].Message); diff != "" {
			t.Error("(-want +got):\n", diff)
		}
	})
	t.Run("what stands stays", func(t *testing.T) {
		w := multi(2000, evenly(3))
		before := w.settle()
		plan := without(w).plan()
		if diff := cmp.Diff(before.Reflectors, plan.Reflectors, byNode); diff != "" {
			t.Error("reflectors (-before +after):\n", diff)
		}
		if diff := cmp.Diff(before.Groups, plan.Groups); diff != "" {
			t.Error("groups (-before +after):\n", diff)
		}
		if diff := cmp.Diff(before.Homes, plan.Homes); diff != "" {
			t.Error("homes (-before +after):\n", diff)
		}
		if !plan.TagFilter || plan.Topology != v1alpha1.TopologyMulti {
			t.Errorf("topology %s, filter %v", plan.Topology, plan.TagFilter)
		}
	})
	t.Run("what stands by zone stays", func(t *testing.T) {
		w := multi(900, evenly(3))
		before := w.settle()
		plan := without(w).plan()
		if diff := cmp.Diff(before.Groups, plan.Groups); diff != "" {
			t.Error("groups (-before +after):\n", diff)
		}
	})
	t.Run("old nodes leave", func(t *testing.T) {
		w := multi(900, evenly(3))
		before := w.settle()
		able := map[string]bool{}
		for i := range w.request.Nodes {
			able[w.request.Nodes[i].Name] = i != 0
		}
		w.request.TagFilter.Nodes = able
		plan := w.plan()
		noProblems(t, &plan)
		if !before.Has("node-00000") || plan.Has("node-00000") || !strings.Contains(plan.Leaving["node-00000"], "cannot do the tag filter") {
			t.Errorf("leaving %v", plan.Leaving)
		}
	})
	t.Run("no node can", func(t *testing.T) {
		w := multi(900, evenly(3))
		before := w.settle()
		w.request.TagFilter.Nodes = map[string]bool{}
		plan := w.plan()
		if len(plan.Reflectors) != len(before.Reflectors) || plan.Problems[0].Reason != topology.ReasonTagFilterUnavailable {
			t.Errorf("%d reflectors, problems %v", len(plan.Reflectors), plan.Problems)
		}
	})
}

// Auto weighs three cluster IDs without the filter as the planner plans them, and more
// not at all.
func TestWeighedWithoutTagFilter(t *testing.T) {
	t.Parallel()
	for nodes, problem := range map[int]string{
		300: "",
		747: "",
		748: "needs 4 route reflectors, and more than 3 only with the tag filter, which this cluster cannot have: Calico is v3.31.2",
	} {
		w := multi(nodes, evenly(3))
		w.request.TagFilter = topology.TagFilterSupport{Why: "Calico is v3.31.2"}
		options, err := topology.Weigh(w.request)
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(options, func(o topology.Option) bool { return o.Topology == v1alpha1.TopologyMulti })
		if got := options[at]; got.Problem != problem {
			t.Errorf("%d nodes: problem %q, want %q", nodes, got.Problem, problem)
		}
		plan := w.plan()
		if problem != "" {
			if len(plan.Problems) == 0 || len(plan.Reflectors) > 0 {
				t.Errorf("%d nodes: %d reflectors, problems %v", nodes, len(plan.Reflectors), plan.Problems)
			}
			continue
		}
		noProblems(t, &plan)
		net := w.network(&plan)
		if got := options[at]; got.Reflectors != len(plan.Reflectors) || got.Sessions < net.Degree() || got.Paths < net.Paths().Max {
			t.Errorf("%d nodes: weighed as %+v, planned with %d reflectors, %d sessions, %d paths", nodes, got, len(plan.Reflectors), net.Degree(), net.Paths().Max)
		}
	}
}

// TestUnfilteredPaths are the figures measured with real BIRD 1.6.8.
func TestUnfilteredPaths(t *testing.T) {
	t.Parallel()
	for m, want := range map[int]int{3: 15, 4: 33, 5: 99, 6: 393, 7: 1959, 8: 11745} {
		shared := max(0, 6-m)
		// Measured with both clients on the same three.
		same := 3 + (topology.UnfilteredPaths(3, m)-shared)/(9-shared)*6
		if same != want {
			t.Errorf("%d reflectors: %d paths, measured were %d", m, same, want)
		}
	}
}
