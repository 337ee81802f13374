package topology_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/topology"
)

// ours lists the labels of a node that say what the plan made of it, sorted.
func ours(labels map[string]string) []string {
	var out []string
	for key := range labels {
		if strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// parts is who has which part in a plan, whatever the order.
func parts(plan *topology.Plan) []topology.Reflector {
	out := slices.Clone(plan.Reflectors)
	slices.SortFunc(out, func(a, b topology.Reflector) int { return strings.Compare(a.Node, b.Node) })
	return out
}

// uneven tells whether the reflector has much more than its share of clients.
func (w *world) uneven(plan *topology.Plan, name string) bool {
	clients, _ := w.loads(plan)
	sum := 0
	for _, n := range clients {
		sum += n
	}
	return clients[name]*len(clients)*100 > sum*115
}

// A label that somebody removes by hand is written again, and changes nothing else:
// the rest of the labels tell what it was.
func TestALabelRemovedByHandComesBack(t *testing.T) {
	t.Parallel()
	eachTopology(t, func(t *rapid.T, w *world) {
		for range rapid.IntRange(0, 2).Draw(t, "events") {
			w.event(t)
			w.settle()
		}
		want := w.plan()
		w.carryOut(&want)
		want = w.plan()
		var able []int
		for i := range w.request.Nodes {
			if len(ours(w.request.Nodes[i].Labels)) > 0 {
				able = append(able, i)
			}
		}
		if len(able) == 0 {
			return // refused
		}
		node := &w.request.Nodes[rapid.SampledFrom(able).Draw(t, "node")]
		key := rapid.SampledFrom(ours(node.Labels)).Draw(t, "label")
		if strings.HasPrefix(key, v1alpha1.ServesLabelPrefix) && len(want.Problems) > 0 {
			return // refused: what stands stays as the labels tell, or reflectors are missing that would tell
		}
		if key == v1alpha1.ReflectorLabel && len(ours(node.Labels)) == 1 {
			return // it serves nobody, so nothing tells what it was
		}
		if w.request.Spec.Topology == v1alpha1.TopologyMulti && w.uneven(&want, node.Name) {
			return // others have their share without the group, as after the loss of a reflector
		}
		node.Labels = maps.Clone(node.Labels)
		delete(node.Labels, key)
		got := w.plan()
		what := node.Name + " without " + key + ":\n" + w.describe(&want) + w.describe(&got)
		group, serves := strings.CutPrefix(key, v1alpha1.ServesLabelPrefix)
		if serves && w.request.Spec.Topology == v1alpha1.TopologyMulti {
			// Which of several reflectors with room for it served the group nothing tells.
			for _, plan := range []*topology.Plan{&want, &got} {
				for i := range plan.Reflectors {
					plan.Reflectors[i] = without(plan.Reflectors[i], map[string]bool{group: true})
				}
			}
		}
		if diff := cmp.Diff(parts(&want), parts(&got), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s\n(-want +got):\n%s", what, diff)
		}
		if diff := cmp.Diff(want.Groups, got.Groups); diff != "" {
			t.Fatalf("%s\n(-want +got):\n%s", what, diff)
		}
		if diff := cmp.Diff(want.Homes, got.Homes); diff != "" {
			t.Fatalf("%s\n(-want +got):\n%s", what, diff)
		}
	})
}
