package standin

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// Arrived says what a topology still lacks; "" when the controller says that it is
// in force, and the switch of the mesh and the cluster IDs say so too. ids counts the
// reflectors by cluster ID.
func Arrived(policy *v1alpha1.RouteReflectorAutoscaler, topology v1alpha1.Topology, mesh bool, ids map[string]int) string {
	status := &policy.Status
	switch {
	case status.Plan == nil || status.Plan.Topology != topology:
		return "the plan is another topology"
	case status.Topology != topology:
		return fmt.Sprintf("the topology in force is %s", status.Topology)
	case mesh && topology != v1alpha1.TopologyMesh:
		return "the node-to-node mesh is still on"
	case !mesh && topology == v1alpha1.TopologyMesh:
		return "the node-to-node mesh is off"
	}
	if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionProgressing); c == nil || c.Status == metav1.ConditionTrue {
		return "steps are left: " + status.NextStep
	}
	return shape(ids, topology)
}

// shape looks at the cluster IDs, without asking the controller.
func shape(ids map[string]int, topology v1alpha1.Topology) string {
	all, shared := 0, 0
	for _, n := range ids {
		all += n
		shared = max(shared, n)
	}
	var fits bool
	switch topology {
	case v1alpha1.TopologyMesh:
		fits = all == 0
	case v1alpha1.TopologySingle, v1alpha1.TopologyQuorum:
		fits = all > 1 && len(ids) == 1
	case v1alpha1.TopologyMulti:
		fits = all > 1 && shared == 1
	case v1alpha1.TopologyHierarchy:
		fits = len(ids) > 1 && shared > 1
	}
	if !fits {
		return fmt.Sprintf("%d reflectors with %d cluster IDs are no %s", all, len(ids), topology)
	}
	return ""
}
