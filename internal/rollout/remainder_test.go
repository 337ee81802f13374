package rollout_test

import (
	"slices"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/sessions"
)

// TestErasedTierWithoutReport: of more than nine reflectors not each has a report. One
// whose tier somebody erases is known by its groups all the same: it gets the label back,
// or goes in its turn, and nothing of its role is left on a node that has none.
func TestErasedTierWithoutReport(t *testing.T) {
	for name, then := range map[string]func(*virtual, string){
		"it stays":    func(*virtual, string) {},
		"it is to go": func(v *virtual, name string) { v.node(name).Unschedulable = true },
		"all change":  func(v *virtual, _ string) { v.set(to(v1alpha1.TopologySingle), exactly(3, 1)) },
		"all go":      func(v *virtual, _ string) { v.set(to(v1alpha1.TopologyMesh)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := standsIn(t, 117, 40, 0, v1alpha1.TopologyMulti, exactly(sessions.MaxReports+3, 1))
			reports := func(node string) bool {
				return slices.ContainsFunc(v.statuses, func(s calico.CalicoNodeStatus) bool { return s.Spec.Node == node })
			}
			silent := slices.DeleteFunc(v.reflectors(), reports)
			if len(silent) == 0 {
				t.Fatal("all report")
			}
			erased := silent[0]
			v.reset()
			delete(v.node(erased).Labels, v1alpha1.ReflectorLabel)
			v.changed[erased] = true
			then(v, erased)
			v.sync()
			v.run(30 * time.Minute)
			v.noLoss()
			for _, node := range v.nodes {
				_, reflector := node.Labels[v1alpha1.ReflectorLabel]
				if reflector != (node.ClusterID != "") {
					t.Errorf("%s: cluster ID %q, labels %v; steps:\n%s", node.Name, node.ClusterID, node.Labels, v.story())
				}
			}
		})
	}
}
