package topology

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

func TestContradictions(t *testing.T) {
	two, three := int32(2), int32(3)
	for name, test := range map[string]struct {
		change func(*v1alpha1.RouteReflectorAutoscalerSpec)
		want   []string
	}{
		"none": {func(*v1alpha1.RouteReflectorAutoscalerSpec) {}, nil},
		"min over max": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Scaling.Min, s.Scaling.Max = 5, 4
		}, []string{"scaling.min must not be greater than scaling.max (5, 4)"}},
		"failures over max": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Scaling.Min, s.Scaling.Max, s.Limits.ReflectorFailures = 1, 2, &two
		}, []string{"limits.reflectorFailures must be less than scaling.max (2, 2)"}},
		"homes over max": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Topology, s.Scaling.Max, s.ReflectorsPerClient = v1alpha1.TopologyMulti, 4, 5
		}, []string{"reflectorsPerClient must not be greater than scaling.max (5, 4)"}},
		"failures take all homes": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Topology, s.Limits.ReflectorFailures = v1alpha1.TopologyMulti, &three
		}, []string{"limits.reflectorFailures must be less than reflectorsPerClient, else a client can lose all its route reflectors (3, 3)"}},
		"homes over paths": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Topology, s.Limits.PathsPerRoute = v1alpha1.TopologyMulti, 8
		}, []string{"reflectorsPerClient squared is the number of paths a route in Multi: it must not be greater than limits.pathsPerRoute (9, 8)"}},
		"min over paths": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Topology, s.Limits.PathsPerRoute = v1alpha1.TopologySingle, 2
		}, []string{"scaling.min is the least number of paths a route in Single: it must not be greater than limits.pathsPerRoute (3, 2)"}},
		"min over sessions": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Scaling.Min, s.Limits.SessionsPerReflector = 4, 2
		}, []string{"scaling.min is the least number of route reflectors that peer with each other: it must not be greater than limits.sessionsPerReflector and 1 (4, 2)"}},
		"pinned over max": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Scaling.Max, s.Placement.Pinned = 3, []string{"a", "b", "c", "d"}
		}, []string{"placement.pinned must not name more nodes than scaling.max (4, 3)"}},
		"ladder not by nodes": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Scaling.Ladder = []v1alpha1.LadderStep{{Nodes: 500, Reflectors: 5}, {Nodes: 100, Reflectors: 3}}
		}, []string{"scaling.ladder is out of order: list its steps by ascending nodes"}},
		"ladder that descends": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Scaling.Ladder = []v1alpha1.LadderStep{{Nodes: 100, Reflectors: 5}, {Nodes: 500, Reflectors: 3}}
		}, []string{"scaling.ladder is out of order: a step with more nodes must not have fewer reflectors"}},
		"two at once": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Topology, s.Scaling.Min, s.Scaling.Max, s.Limits.PathsPerRoute = v1alpha1.TopologyMulti, 1, 2, 4
		}, []string{
			"reflectorsPerClient must not be greater than scaling.max (3, 2)",
			"reflectorsPerClient squared is the number of paths a route in Multi: it must not be greater than limits.pathsPerRoute (9, 4)",
		}},
		"the mesh has no reflectors": {func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Topology, s.Scaling.Min, s.Scaling.Max, s.Limits.ReflectorFailures = v1alpha1.TopologyMesh, 1, 2, &two
			s.Placement.Pinned = []string{"a", "b", "c"}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var spec v1alpha1.RouteReflectorAutoscalerSpec
			test.change(&spec)
			if diff := cmp.Diff(test.want, Contradictions(spec.WithDefaults())); diff != "" {
				t.Error("(-want +got):\n", diff)
			}
		})
	}
}

// TestContradictionsKeepWhatStands: whatever the policy says, a plan for one that
// contradicts itself leaves the reflectors alone, and says why.
func TestContradictionsKeepWhatStands(t *testing.T) {
	three := []string{"node-0000", "node-0001", "node-0002"}
	ladder := func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Scaling.Ladder = []v1alpha1.LadderStep{{Nodes: 100, Reflectors: 5}, {Nodes: 500, Reflectors: 3}}
	}
	plan := Make(request(cluster(300, 3), standing(three...), spec(ladder)))
	if diff := cmp.Diff(three, names(plan)); diff != "" || len(plan.Leaving) > 0 {
		t.Errorf("reflectors (-want +got):\n%s\nleaving %v", diff, plan.Leaving)
	}
	want := []Problem{{ReasonContradiction,
		"spec: scaling.ladder is out of order: a step with more nodes must not have fewer reflectors; the reflectors stay as they are until it is mended"}}
	if diff := cmp.Diff(want, plan.Problems); diff != "" {
		t.Error("problems (-want +got):\n", diff)
	}
	// The way back to the mesh is open all the same: it needs no policy.
	plan = Make(request(cluster(300, 3), standing(three...), spec(ladder), spec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Topology = v1alpha1.TopologyMesh
	})))
	if len(plan.Reflectors) > 0 || len(plan.Leaving) != 3 {
		t.Errorf("reflectors %v, leaving %v: want none and three", names(plan), plan.Leaving)
	}
}

func TestContradictingNodes(t *testing.T) {
	single := spec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologySingle })
	excludeAll := func(r *Request) {
		r.Spec.Placement.Exclude = []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "topology.kubernetes.io/zone", Operator: metav1.LabelSelectorOpExists},
		}}}
	}
	for name, test := range map[string]struct {
		request Request
		want    []Problem
		names   []string
	}{
		"all excluded, on the mesh": {request(cluster(9, 3), single, excludeAll), []Problem{{ReasonTooFewEligible,
			"no node can be a route reflector: 9 nodes: matches spec.placement.exclude[0]: change spec.placement.exclude[0]"}}, nil},
		"pinned that is not there": {request(cluster(9, 3), single, func(r *Request) {
			r.Spec.Placement.Pinned = []string{"node-0099"}
		}), []Problem{{ReasonPinned,
			"spec.placement.pinned names node-0099, which does not exist: take it out of the list, or add the node"}},
			[]string{"node-0000", "node-0001", "node-0002"}},
		"pinned that is excluded": {request(cluster(9, 3), single, func(r *Request) {
			r.Nodes[4].Labels["small"] = "yes"
			r.Spec.Placement.Exclude = []metav1.LabelSelector{{MatchLabels: map[string]string{"small": "yes"}}}
			r.Spec.Placement.Pinned = []string{"node-0004"}
		}), []Problem{{ReasonPinned,
			"spec.placement.pinned names node-0004, which matches spec.placement.exclude[0] and so cannot be a route reflector: take it out of the list, or mend that"}},
			[]string{"node-0000", "node-0001", "node-0002"}},
		"more failures than nodes that can reflect": {request(cluster(9, 3), single, func(r *Request) {
			for i := range r.Nodes {
				r.Nodes[i].Unschedulable = i > 0
			}
		}), []Problem{
			{ReasonTooFewEligible, "1 of 3 route reflectors: only that many nodes can be route reflectors (8 nodes: is cordoned)"},
			{ReasonTooFewEligible, "spec.limits.reflectorFailures 1 needs 2 route reflectors, only 1 of 9 nodes can be one (8 nodes: is cordoned): lower it, or change spec.placement"},
		}, []string{"node-0000"}},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Make(test.request)
			if diff := cmp.Diff(test.want, plan.Problems); diff != "" {
				t.Error("problems (-want +got):\n", diff)
			}
			if diff := cmp.Diff(test.names, names(plan)); diff != "" {
				t.Error("reflectors (-want +got):\n", diff)
			}
		})
	}
	// All excluded while reflectors stand: they keep the role as long as they work.
	three := []string{"node-0000", "node-0001", "node-0002"}
	plan := Make(request(cluster(300, 3), single, standing(three...), func(r *Request) {
		for i := range r.Nodes {
			r.Nodes[i].Unschedulable = true
		}
	}))
	if diff := cmp.Diff(three, names(plan)); diff != "" {
		t.Errorf("all cordoned (-want +got):\n%s", diff)
	}
	plan = Make(request(cluster(300, 3), single, standing(three...), excludeAll))
	if diff := cmp.Diff(three, names(plan)); diff != "" || !strings.Contains(plan.Problems[0].Message, "exclude[0]") {
		t.Errorf("all excluded (-want +got):\n%s\n%v", diff, plan.Problems)
	}
}
