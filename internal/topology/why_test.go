package topology

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/api/v1alpha1"
)

func previously(topology v1alpha1.Topology) func(*Request) {
	return func(r *Request) { r.Previous = topology }
}

func TestWhy(t *testing.T) {
	filter := func(r *Request) { r.TagFilter = withFilter }
	none := func(r *Request) { r.TagFilter = withoutFilter }
	two := spec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.ReflectorsPerClient = 2 })
	three := standing("node-0000", "node-0001", "node-0002")
	type said struct {
		Why  string
		At   int
		Next v1alpha1.Topology
	}
	for name, test := range map[string]struct {
		request Request
		want    said
	}{
		"mesh": {request(cluster(57, 3), filter), said{
			"Mesh: 57 nodes; Auto stays on the mesh up to 100 nodes (spec.meshUpTo)", 101, toSingle,
		}},
		"single": {request(cluster(300, 3), filter), said{
			"Single: 3 route reflectors for all clients, 299 sessions at most; " +
				"the cheapest that keeps the promise, Multi would cost 34 % more", 502, toMulti,
		}},
		"multi": {request(cluster(1000, 3), filter), said{
			"Multi: 9 route reflectors, 3 for each client, 3 groups of clients, 339 sessions at most; " +
				"Single needs 999 sessions a route reflector, 500 are allowed; " +
				"the cheapest that keeps the promise, Quorum would cost 147 % more", 13_367, toHierarchy,
		}},
		"quorum": {request(cluster(700, 3), none), said{
			"Quorum: 15 route reflectors, 7 for each client, 15 groups of clients, 335 sessions at most; " +
				"Single needs 699 sessions a route reflector, 500 are allowed; " +
				"Multi needs 5 route reflectors, and more than 3 only with the tag filter, which this cluster cannot have: Calico v3.31.0 has no communities in BGPFilter, v3.32 has; " +
				"the cheapest that keeps the promise, Hierarchy would cost 73 % more", 1_419, toHierarchy,
		}},
		"asked for": {request(cluster(57, 3), spec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = toSingle })), said{
			"Single: 3 route reflectors for all clients, 56 sessions at most; asked for by spec.topology", 0, "",
		}},
		"on the way back to the mesh": {request(cluster(57, 3), filter, three), said{
			"Single: 3 route reflectors for all clients, 56 sessions at most; the cheapest that keeps the promise, Multi would cost 102 % more; " +
				"Mesh would do better by now and is taken at 12:10:00 UTC if that stays so", 502, toMulti,
		}},
		"on the way back to Single": {request(cluster(300, 3), filter, previously(toMulti), three), said{
			"Multi: 3 route reflectors, 3 for each client, 299 sessions at most; in force; Single would cost 25 % less; " +
				"Single would do better by now and is taken at 12:10:00 UTC if that stays so", 13_367, toHierarchy,
		}},
		"nothing fits, on the mesh": {request(cluster(900, 3), filter, atMost(3)), said{
			"Mesh: 900 nodes; " +
				"Single needs 899 sessions a route reflector, 500 are allowed; " +
				"Multi needs 899 sessions a route reflector, 500 are allowed; " +
				"Quorum has no design that keeps to the limits and survives the loss of any one zone; " +
				"Hierarchy needs 8 route reflectors, scaling.max allows 3; " +
				"it stays though it is for up to 100 nodes (spec.meshUpTo)", 0, "",
		}},
		"the cheapest cannot be planned": {request(cluster(502, 2), two, none), said{
			"Hierarchy: 6 route reflectors, 2 of them the spine, 2 groups of clients, 250 sessions at most; " +
				"Single needs 501 sessions a route reflector, 500 are allowed; " +
				"Multi cannot be planned: not every client can have route reflectors in two zones: " +
				"it takes more than 3, and for more Calico must be able to do the tag filter; clients of one zone lose all of theirs with it; " +
				"from 23,905 nodes on no topology would keep to the limits", 0, "",
		}},
		"nothing fits, on Single": {request(cluster(900, 3), filter, atMost(3), three), said{
			"Single: 3 route reflectors for all clients, 899 sessions at most; " +
				"Multi needs 899 sessions a route reflector, 500 are allowed; " +
				"Quorum has no design that keeps to the limits and survives the loss of any one zone; " +
				"Hierarchy needs 8 route reflectors, scaling.max allows 3; " +
				"it stays though it needs 899 sessions a route reflector, 500 are allowed", 0, "",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Make(test.request)
			if diff := cmp.Diff(test.want, said{plan.Why, plan.NextBorder, plan.NextTopology}); diff != "" {
				t.Error("(-want +got):\n", diff, plan.Problems)
			}
		})
	}
}

func atMost(n int32) func(*Request) {
	return spec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Max = n })
}

// TestNothingFits: what stands keeps standing, and the exact contradiction is told.
func TestNothingFits(t *testing.T) {
	const against = "Mesh is for up to 100 nodes (spec.meshUpTo); " +
		"Single needs 899 sessions a route reflector, 500 are allowed; " +
		"Multi needs 899 sessions a route reflector, 500 are allowed; " +
		"Quorum has no design that keeps to the limits and survives the loss of any one zone; " +
		"Hierarchy needs 8 route reflectors, scaling.max allows 3; " +
		"raise the limits or scaling.max, or let more nodes be route reflectors (placement)"
	without := func(r *Request) { r.TagFilter = withoutFilter }
	mesh := Make(request(cluster(900, 3), without, atMost(3)))
	if diff := cmp.Diff([]Problem{{ReasonLimitExceeded, "no topology keeps to the limits, so Mesh stays: " + against}}, mesh.Problems); diff != "" || len(mesh.Reflectors) > 0 {
		t.Errorf("on the mesh: %v (-want +got):\n%s", names(mesh), diff)
	}
	three := []string{"node-0000", "node-0001", "node-0002"}
	single := Make(request(cluster(900, 3), without, atMost(3), standing(three...)))
	want := []Problem{
		{ReasonLimitExceeded, "topology Single gives every route reflector a session with each of the other 899 nodes, limits.sessionsPerReflector allows 500: raise it, or set spec.topology to Auto or one with fewer sessions"},
		{ReasonLimitExceeded, "no topology keeps to the limits, so Single stays: " + against},
	}
	if diff := cmp.Diff(want, single.Problems); diff != "" || !cmp.Equal(three, names(single)) {
		t.Errorf("on Single: %v (-want +got):\n%s", names(single), diff)
	}
}
