package topology_test

import (
	"fmt"

	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/topology"
)

// sound checks a plan that came out of any history.
func (w *world) sound(t *rapid.T, kind string, plan *topology.Plan) {
	t.Helper()
	if len(plan.Problems) > 0 || len(plan.Reflectors) == 0 {
		return
	}
	net := w.network(plan)
	if v := net.Visibility(nil); !v.Complete {
		t.Fatalf("%s: %d pairs do not see each other, such as %v", kind, v.MissingPairs, v.Sample[0])
	}
	if !net.SurvivesReflectors(1) {
		t.Fatalf("%s: does not survive the loss of a reflector", kind)
	}
	if degree, limit := net.Degree(), int(w.request.Spec.Limits.SessionsPerReflector); degree > limit {
		t.Fatalf("%s: %d sessions a reflector, %d are allowed", kind, degree, limit)
	}
	ids := map[string]bool{}
	for _, r := range plan.Reflectors {
		if r.Tier == topology.TierMulti && (ids[r.ClusterID] || r.ClusterID == w.request.Spec.ClusterID) {
			t.Fatalf("%s: %s has the cluster ID %s, which is not its own", kind, r.Node, r.ClusterID)
		}
		ids[r.ClusterID] = true
	}
	if plan.Topology == v1alpha1.TopologyMulti && w.openZones() > 1 && !net.SurvivesZones(w.zoneOf) {
		t.Fatalf("%s: does not survive the loss of a zone\n%s", kind, w.describe(plan))
	}
}

// describe puts a plan into a few lines.
func (w *world) describe(plan *topology.Plan) string {
	clients, _ := w.loads(plan)
	out := fmt.Sprintf("%d nodes, k=%d, sessions=%d, min=%d, groups %v, problems %v\n", len(w.request.Nodes), w.request.Spec.ReflectorsPerClient,
		w.request.Spec.Limits.SessionsPerReflector, w.request.Spec.Scaling.Min, plan.Groups, plan.Problems)
	for _, r := range plan.Reflectors {
		out += fmt.Sprintf("  %s %s %s %d clients of %v\n", r.Node, r.Zone, r.ClusterID, clients[r.Node], r.Serves)
	}
	return out
}
