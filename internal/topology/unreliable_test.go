package topology

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// unreliable nodes were lost a moment ago.
func unreliable(names ...string) func(*Request) {
	return func(r *Request) {
		r.Unreliable = map[string]time.Time{}
		for _, name := range names {
			r.Unreliable[name] = r.Now.Add(-time.Minute)
		}
	}
}

func stands(names ...string) func(*Request) {
	return func(r *Request) {
		r.Standing = names
		for i := range r.Nodes {
			if slices.Contains(names, r.Nodes[i].Name) {
				r.Nodes[i].ClusterID = "224.0.0.1"
			}
		}
	}
}

func cordoned(names ...string) func(*Request) {
	return func(r *Request) {
		for i := range r.Nodes {
			r.Nodes[i].Unschedulable = r.Nodes[i].Unschedulable || slices.Contains(names, r.Nodes[i].Name)
		}
	}
}

// waiting: the plan has waited for the node for so long.
func waiting(name string, d time.Duration) func(*Request) {
	return func(r *Request) { r.Clocks = map[string]time.Time{ClockAwaited + name: r.Now.Add(-d)} }
}

func node(name string, change func(*inventory.Node)) func(*Request) {
	return func(r *Request) {
		for i := range r.Nodes {
			if r.Nodes[i].Name == name {
				change(&r.Nodes[i])
			}
		}
	}
}

func pinnedTo(names ...string) func(*Request) {
	return func(r *Request) { r.Spec.Placement.Pinned = names }
}

func failures(n int32) func(*Request) {
	return func(r *Request) { r.Spec.Limits.ReflectorFailures = &n }
}

func TestUnreliableAndAwaited(t *testing.T) {
	single := spec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologySingle })
	three := stands("node-0000", "node-0001", "node-0002")
	for name, test := range map[string]struct {
		nodes   int
		changes []func(*Request)
		want    []string
	}{
		"an unreliable candidate is passed over":       {9, []func(*Request){unreliable("node-0000")}, []string{"node-0001", "node-0002", "node-0003"}},
		"though it is pinned":                          {9, []func(*Request){unreliable("node-0000"), pinnedTo("node-0000")}, []string{"node-0001", "node-0002", "node-0003"}},
		"unless there are too few":                     {3, []func(*Request){unreliable("node-0000")}, []string{"node-0001", "node-0002", "node-0000"}},
		"one that stands is replaced":                  {9, []func(*Request){three, unreliable("node-0000")}, []string{"node-0001", "node-0002", "node-0003"}},
		"unless nobody can replace it":                 {3, []func(*Request){three, unreliable("node-0000")}, []string{"node-0001", "node-0002", "node-0000"}},
		"one that was replaced goes":                   {9, []func(*Request){stands("node-0000", "node-0001", "node-0002", "node-0003"), unreliable("node-0000")}, []string{"node-0001", "node-0002", "node-0003"}},
		"a cordoned one is waited for":                 {9, []func(*Request){three, cordoned("node-0000")}, []string{"node-0001", "node-0002"}},
		"also without its role":                        {9, []func(*Request){stands("node-0001", "node-0002"), cordoned("node-0000"), waiting("node-0000", time.Minute)}, []string{"node-0001", "node-0002"}},
		"also while it is not ready":                   {9, []func(*Request){stands("node-0001", "node-0002"), node("node-0000", func(n *inventory.Node) { n.Ready = false }), waiting("node-0000", time.Minute)}, []string{"node-0001", "node-0002"}},
		"it gets the role again":                       {9, []func(*Request){stands("node-0001", "node-0002"), waiting("node-0000", time.Minute)}, []string{"node-0001", "node-0002", "node-0000"}},
		"not for ever":                                 {9, []func(*Request){three, cordoned("node-0000"), waiting("node-0000", 10*time.Minute)}, []string{"node-0001", "node-0002", "node-0003"}},
		"not where clients would be left with too few": {9, []func(*Request){three, cordoned("node-0000"), failures(2)}, []string{"node-0001", "node-0002", "node-0003"}},
		"not where its zone is drained":                {9, []func(*Request){three, cordoned("node-0000", "node-0006")}, []string{"node-0001", "node-0002", "node-0003"}},
		"not where another one has been upgraded": {9, []func(*Request){three, cordoned("node-0000"), node("node-0006", func(n *inventory.Node) { n.KubeletVersion = "v2" })},
			[]string{"node-0001", "node-0002", "node-0006"}},
		"not where another one is lost": {9, []func(*Request){three, cordoned("node-0000"), node("node-0001", func(n *inventory.Node) { n.Ready = false })},
			[]string{"node-0002", "node-0004", "node-0003"}},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Make(request(cluster(test.nodes, 3), append([]func(*Request){single}, test.changes...)...))
			got := names(plan)
			slices.Sort(got)
			slices.Sort(test.want)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("reflectors (-want +got):\n%s leaving %v", diff, plan.Leaving)
			}
		})
	}
}
