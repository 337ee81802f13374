package rollout_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/topology"
)

// rolledQuorum is a quorum of 7 after each of its 21 nodes has been taken and brought
// back: who is in which group has moved, and who serves the catch-all.
var rolledQuorum = []struct{ home, serves string }{
	{"zone-a-1", "quorum-7-4.3 zone-a-2 zone-b-2 zone-c-1 zone-c-2"},
	{"zone-b-1", "all quorum-7-4.4 zone-a-1 zone-a-3 zone-c-1 zone-c-2"},
	{"zone-c-1", "all quorum-7-4.5 zone-a-1 zone-a-2 zone-b-1 zone-c-2"},
	{"zone-a-1", "all quorum-7-4.6 zone-a-1 zone-a-2 zone-a-3 zone-b-2"},
	{"zone-b-1", "quorum-7-4.1 zone-a-3 zone-b-1 zone-b-2 zone-c-2"},
	{"zone-c-1", "all quorum-7-4.2 zone-a-1 zone-b-1 zone-b-2 zone-c-1"},
	{"zone-a-1", "quorum-7-4.0 zone-a-2 zone-a-3 zone-b-1 zone-c-1"},
	{"zone-b-1", ""}, {"zone-c-1", ""}, {"zone-a-1", ""}, {"zone-b-2", ""}, {"zone-c-2", ""}, {"zone-a-2", ""},
	{"zone-b-1", ""}, {"zone-c-1", ""}, {"zone-a-3", ""}, {"zone-b-2", ""}, {"zone-c-2", ""}, {"zone-a-1", ""},
	{"zone-b-1", ""}, {"zone-c-1", ""},
}

// TestQuorumToHierarchyAfterARoll: the first reflectors that become those of racks hang on
// few others for a while. That must not hide from the proof what ordinary nodes come
// to hang on, or the last changes wait for ever.
func TestQuorumToHierarchyAfterARoll(t *testing.T) {
	v := newVirtual(t, 1, len(rolledQuorum), 3)
	v.set(to(v1alpha1.TopologyQuorum), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Scaling.Min, s.Scaling.Max, s.ReflectorsPerClient = 5, 9, 2
	})
	v.run(30 * time.Minute)
	for i, row := range rolledQuorum {
		role := &rollout.NodeRole{Node: v.nodes[i].Name, Labels: render.HomeLabels(row.home, true)}
		if row.serves != "" {
			maps.Copy(role.Labels, render.RoleLabels(topology.TierQuorum, strings.Fields(row.serves)))
			role.ClusterID = "224.0.0.1"
		}
		v.apply(role)
	}
	v.sync()
	v.idle(time.Minute)
	v.reset()
	v.run(10 * time.Minute)
	if v.moves > 0 {
		t.Fatalf("this is no quorum at rest:\n%s", v.story())
	}
	v.move(v1alpha1.TopologyHierarchy)
}
