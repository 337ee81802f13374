package replan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/simulate"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// onMesh is a healthy cluster on the mesh with a policy.
func onMesh(nodes int, change func(*v1alpha1.RouteReflectorAutoscalerSpec)) Cluster {
	c := Cluster{
		Autoscaler: &v1alpha1.RouteReflectorAutoscaler{}, DatastoreReady: true,
		Nodes: simulate.Nodes(simulate.Options{Nodes: nodes, Zones: 3, ZoneLabel: "topology.kubernetes.io/zone", Now: noon}),
	}
	if change != nil {
		change(&c.Autoscaler.Spec)
	}
	return c
}

func single(spec *v1alpha1.RouteReflectorAutoscalerSpec) { spec.Topology = v1alpha1.TopologySingle }

// migrated is the same cluster with its reflectors in force.
func migrated(t *testing.T, nodes int) Cluster {
	t.Helper()
	way := Find(onMesh(nodes, single), noon)
	if !way.Reached {
		t.Fatalf("not reached: %s", way.Held)
	}
	return way.Final
}

func at(c *Cluster, name string) *inventory.Node {
	return &c.Nodes[slices.IndexFunc(c.Nodes, func(n inventory.Node) bool { return n.Name == name })]
}

func reflectors(c Cluster) []string {
	return bgp.Build(bgp.Input{Nodes: c.Nodes, Peers: c.Peers, Configurations: c.Configurations}).Reflectors()
}

// actions lists the steps in short.
func actions(way Way) string {
	var out []string
	for _, step := range way.Steps {
		_, name, _ := strings.Cut(step.Object, "/")
		out = append(out, fmt.Sprintf("%s %s", step.Action, name))
	}
	return strings.Join(out, "\n")
}

func TestFind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		cluster    func(*testing.T) Cluster
		reflectors []string
		mesh       bool
		held       string
		steps      int
	}{
		{"small enough for the mesh", func(*testing.T) Cluster { return onMesh(20, nil) }, nil, true, "", 0},
		{"to reflectors", func(*testing.T) Cluster { return onMesh(20, single) }, []string{"node-00001", "node-00002", "node-00003"}, false, "", 16},
		{"nothing left", func(t *testing.T) Cluster { return migrated(t, 20) }, []string{"node-00001", "node-00002", "node-00003"}, false, "", 0},
		{"a paused policy", func(*testing.T) Cluster {
			return onMesh(20, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { single(s); s.Mode = v1alpha1.ModePaused })
		}, []string{"node-00001", "node-00002", "node-00003"}, false, "", 16},
		{"back to the mesh", func(t *testing.T) Cluster {
			c := migrated(t, 20)
			c.Autoscaler.Spec.Topology = v1alpha1.TopologyMesh
			return c
		}, nil, true, "", -1},
		{"being deleted", func(t *testing.T) Cluster {
			c := migrated(t, 20)
			c.Autoscaler.DeletionTimestamp = &metav1.Time{Time: noon}
			return c
		}, nil, true, "", -1},
		{"a cordoned reflector is replaced", func(t *testing.T) Cluster {
			c := migrated(t, 20)
			at(&c, "node-00001").Unschedulable = true
			return c
		}, []string{"node-00002", "node-00003", "node-00004"}, false, "", -1},
		{"a lost reflector is replaced", func(t *testing.T) Cluster {
			c := migrated(t, 20)
			node := at(&c, "node-00002")
			node.Ready, node.ReadySince = false, noon.Add(-time.Hour)
			return c
		}, []string{"node-00001", "node-00003", "node-00005"}, false, "", -1},
		{"fewer after the window", func(t *testing.T) Cluster {
			c := migrated(t, 20)
			c.Autoscaler.Spec.Scaling.Min = 2
			return c
		}, []string{"node-00001", "node-00002"}, false, "", -1},
		{"held: the mesh is somebody else's", func(*testing.T) Cluster {
			c := onMesh(20, nil)
			off := false
			c.Configurations = []calico.BGPConfiguration{{Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off}}}
			c.Configurations[0].Name = "default"
			return c
		}, nil, false, "turned off by somebody else", 0},
		{"held: the mesh is somebody else's, and no node may reflect", func(*testing.T) Cluster {
			c := onMesh(20, func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
				single(s)
				s.Placement.Exclude = []metav1.LabelSelector{{}}
			})
			off := false
			c.Configurations = []calico.BGPConfiguration{{Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off}}}
			c.Configurations[0].Name = "default"
			return c
		}, nil, false, "spec.placement.exclude", 0},
		{"held: a migration runs", func(*testing.T) Cluster {
			c := onMesh(20, single)
			c.DatastoreReady = false
			return c
		}, nil, true, "datastoreReady: false", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			way := Find(tt.cluster(t), noon)
			if way.Reached != (tt.held == "") || !strings.Contains(way.Held, tt.held) {
				t.Errorf("reached %v, held %q, want %q", way.Reached, way.Held, tt.held)
			}
			if diff := cmp.Diff(tt.reflectors, reflectors(way.Final)); diff != "" {
				t.Errorf("reflectors (-want +got):\n%s\n%s", diff, actions(way))
			}
			if mesh := calico.MeshEnabled(way.Final.Configurations); mesh != tt.mesh {
				t.Errorf("mesh on: %v, want %v", mesh, tt.mesh)
			}
			if tt.steps >= 0 && len(way.Steps) != tt.steps {
				t.Errorf("%d steps, want %d:\n%s", len(way.Steps), tt.steps, actions(way))
			}
		})
	}
}

func TestFindKeepsItsInput(t *testing.T) {
	t.Parallel()
	c := onMesh(12, single)
	on := true
	c.Configurations = []calico.BGPConfiguration{{Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &on}}}
	c.Configurations[0].Name = "default"
	first := Find(c, noon)
	second := Find(c, noon)
	if diff := cmp.Diff(actions(first), actions(second)); diff != "" {
		t.Errorf("the second time (-first +second):\n%s", diff)
	}
	if len(reflectors(c)) != 0 || !calico.MeshEnabled(c.Configurations) || len(c.Autoscaler.Finalizers) != 0 {
		t.Error("the cluster given has been changed")
	}
}

func TestIdleNodesComeFirst(t *testing.T) {
	t.Parallel()
	c := onMesh(12, func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		single(s)
		s.Placement.Prefer = []v1alpha1.PreferTerm{}
	})
	c.Idle = func(node string) bool { return node == "node-00010" }
	way := Find(c, noon)
	if got := reflectors(way.Final); !slices.Contains(got, "node-00010") {
		t.Errorf("reflectors %v without the node that owns no address block", got)
	}
	if first := way.Steps[2]; first.Object != "Node/node-00010" || len(first.Costs) != 1 {
		t.Errorf("the first reflector is %s, at the cost of %v", first.Object, first.Costs)
	}
}

func TestTurnedOffLast(t *testing.T) {
	t.Parallel()
	way := Find(onMesh(12, single), noon)
	steps := slices.DeleteFunc(slices.Clone(way.Steps), func(step Step) bool { return step.NodeStatus != nil }) // reports may rest then
	last := steps[len(steps)-1]
	if last.Action != rollout.MeshOff || last.Awaited != rollout.ReasonSettling || last.At < 5*time.Second {
		t.Errorf("the last step is %s, awaited %q, after %v", last.Action, last.Awaited, last.At)
	}
}

// After every step of any way every node still has a route to every other, by the
// oracle, and the way ends where nothing is left to do.
func TestNoRouteIsLostOnTheWay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := onMesh(rapid.IntRange(6, 14).Draw(t, "nodes"), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			single(s)
			s.Scaling.Min = rapid.Int32Range(2, 5).Draw(t, "reflectors")
		})
		follow(t, &c)
		switch rapid.IntRange(0, 3).Draw(t, "event") {
		case 0:
			c.Autoscaler.Spec.Topology = v1alpha1.TopologyMesh
		case 1:
			c.Autoscaler.Spec.Scaling.Min = rapid.Int32Range(2, 5).Draw(t, "then")
		case 2:
			name := rapid.SampledFrom(reflectors(c)).Draw(t, "cordoned")
			at(&c, name).Unschedulable = true
		case 3:
			delete(at(&c, rapid.SampledFrom(reflectors(c)).Draw(t, "label")).Labels, v1alpha1.ReflectorLabel)
		}
		follow(t, &c)
	})
}

// follow takes the steps one by one and looks at the routes after each.
func follow(t *rapid.T, c *Cluster) {
	way := Find(*c, noon)
	if !way.Reached {
		t.Fatalf("held: %s\n%s", way.Held, actions(way))
	}
	walked := clone(*c)
	for i := range way.Steps {
		walked.apply(&way.Steps[i].Step)
		network := bgp.Build(bgp.Input{Nodes: walked.Nodes, Peers: walked.Peers, Configurations: walked.Configurations})
		if seen := network.Visibility(nil); !seen.Complete {
			t.Fatalf("after step %d %s %s: %d pairs without a route, such as %v",
				i+1, way.Steps[i].Action, way.Steps[i].Object, seen.MissingPairs, seen.Sample[0])
		}
	}
	*c = way.Final
	// The reports were made anew only where a step had changed something.
	whole := newWalk(*c, noon)
	whole.report()
	for i := range whole.cluster.Statuses {
		if diff := cmp.Diff(whole.cluster.Statuses[i].Status.BGP, c.Statuses[i].Status.BGP); diff != "" {
			t.Fatalf("report of %s (-whole +followed):\n%s", c.Statuses[i].Spec.Node, diff)
		}
	}
	if again := Find(*c, noon.Add(time.Hour)); len(again.Steps) > 0 {
		t.Fatalf("steps after the end:\n%s", actions(again))
	}
}
