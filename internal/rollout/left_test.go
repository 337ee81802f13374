package rollout_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// leftBehind is a cluster in which a reflector has stepped down, and the ID that went
// with its role.
func leftBehind(t *testing.T, goal func(*v1alpha1.RouteReflectorAutoscalerSpec)) (v *virtual, node, id string) {
	t.Helper()
	v = settled(t, 61, 12, 3, 1)
	before := v.reflectors()
	id = v.node(before[0]).ClusterID
	v.set(goal)
	for v.steps = nil; node == ""; v.advance() {
		v.passes()
		for _, name := range before {
			if v.node(name).ClusterID == "" {
				node = name
			}
		}
	}
	v.run(10 * time.Minute)
	v.reset()
	return v, node, id
}

func toMesh(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologyMesh }

// TestStaleClusterID: calico-node reads its node, the role goes, and calico-node writes
// back what it has read: the cluster ID is there again, and nobody's.
func TestStaleClusterID(t *testing.T) {
	for name, goal := range map[string]func(*v1alpha1.RouteReflectorAutoscalerSpec){"mesh": toMesh, "single": exactly(2, 1)} {
		t.Run(name, func(t *testing.T) {
			v, node, id := leftBehind(t, goal)
			v.node(node).ClusterID = id
			v.sync()
			v.run(2 * time.Minute)
			if got := v.node(node).ClusterID; got != "" {
				t.Errorf("%s still has the cluster ID %s", node, got)
			}
			if steps := v.writes(); len(steps) != 1 || steps[0].Action != rollout.ClearRole || steps[0].Role.LeftID != id {
				t.Errorf("one write takes it away; steps:\n%s", v.story())
			}
			if n, sample := v.fabric.MissingPairs(); n > 0 {
				t.Errorf("%d pairs without a route, such as %v", n, sample)
			}
		})
	}
}

// TestForeignClusterID: an ID that was never Tapetum's on this node, or long ago, is
// not touched. That it keeps the node out of the mesh is told.
func TestForeignClusterID(t *testing.T) {
	for name, later := range map[string]time.Duration{"long ago": 20 * time.Minute, "another ID": 0} {
		t.Run(name, func(t *testing.T) {
			v, node, id := leftBehind(t, toMesh)
			v.idle(later)
			if later == 0 {
				id = "10.9.9.9"
			}
			v.node(node).ClusterID = id
			v.sync()
			v.runFor(2 * time.Minute)
			if len(v.steps) > 0 || v.node(node).ClusterID != id {
				t.Errorf("it is somebody's; steps:\n%s", v.story())
			}
			c := meta.FindStatusCondition(v.autoscaler.Status.Conditions, v1alpha1.ConditionDegraded)
			if c.Reason != rollout.ReasonForeignID || !strings.Contains(c.Message, "kubectl annotate node "+node+" "+v1alpha1.ClusterIDAnnotation+"-") {
				t.Errorf("Degraded says %s: %s", c.Reason, c.Message)
			}
		})
	}
}
