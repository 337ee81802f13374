package topology_test

import (
	"testing"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// Pinned nodes are reflectors, and take the place of others.
func TestPinnedNodes(t *testing.T) {
	t.Parallel()
	for _, kind := range []v1alpha1.Topology{v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy} {
		w := newWorld(90, evenly(3), shaped(kind, 1))
		before := w.settle()
		pinned := []string{}
		for _, node := range w.clients()[:3] {
			pinned = append(pinned, node.Name)
		}
		w.request.Spec.Placement.Pinned = pinned
		plan := w.settle()
		noProblems(t, &plan)
		for _, name := range pinned {
			if !plan.Has(name) {
				t.Errorf("%s: %s is pinned and no reflector", kind, name)
			}
		}
		if len(plan.Reflectors) != len(before.Reflectors) || len(plan.Leaving) != len(pinned) {
			t.Errorf("%s: %d reflectors, before %d; leaving %v", kind, len(plan.Reflectors), len(before.Reflectors), plan.Leaving)
		}
		if net := w.network(&plan); !net.Visibility(nil).Complete || !net.SurvivesZones(w.zoneOf) {
			t.Errorf("%s: not complete, or not without a zone", kind)
		}
	}
}
