package topology_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// Racks whose names make too long a selector are told by home labels.
func TestHierarchyLongNames(t *testing.T) {
	t.Parallel()
	w := inRacks(slices.Repeat([]int{6}, 40), shaped(v1alpha1.TopologyHierarchy, 1, byRack, manyPaths))
	for i := range w.request.Nodes {
		labels := w.request.Nodes[i].Labels
		labels[keyOfRack] = "building-12.room-0045.row-0007." + labels[keyOfRack]
	}
	plan := w.settle()
	w.proveHierarchy(t, &plan, 1)
	for _, group := range plan.Groups {
		if !group.ByHome() {
			t.Errorf("group %v", group)
		}
	}
	again := w.plan()
	if diff := cmp.Diff(essence(&plan), essence(&again)); diff != "" {
		t.Errorf("it changes again:\n%s", diff)
	}
}
