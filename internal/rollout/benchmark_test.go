package rollout_test

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/sessions"
	"tapetum.dev/tapetum/internal/topology"
)

// large is a cluster of so many nodes with its reflectors in place, all sessions
// up and reported.
func large(nodes int, asked v1alpha1.Topology) rollout.Input {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	in := rollout.Input{
		Now: now, DatastoreReady: true, TagFilter: topology.TagFilterSupport{Cluster: true},
		Autoscaler: &v1alpha1.RouteReflectorAutoscaler{ObjectMeta: metav1.ObjectMeta{
			Name: "default", Generation: 1, Finalizers: []string{v1alpha1.Finalizer},
		}, Spec: v1alpha1.RouteReflectorAutoscalerSpec{Topology: asked}},
	}
	for i := range nodes {
		in.Nodes = append(in.Nodes, inventory.Node{
			Name: fmt.Sprintf("node-%05d", i), UID: fmt.Sprint(i), OS: "linux", Ready: true,
			ReadySince: now.Add(-time.Hour), Created: now.Add(-time.Duration(nodes-i) * time.Minute),
			IPv4: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}),
			Labels: map[string]string{
				"kubernetes.io/hostname": fmt.Sprintf("node-%05d", i), "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
				"node.kubernetes.io/instance-type": "m5.large",
				"topology.kubernetes.io/zone":      fmt.Sprintf("zone-%c", 'a'+i%3),
			},
		})
	}
	stand(&in, makePlan(in))
	return in
}

// stand puts a plan in place: all objects, all sessions up and reported.
func stand(in *rollout.Input, plan topology.Plan) {
	goal := render.GoalOf(&plan, in.Nodes, 64512, render.Options{})
	in.Nodes, in.Peers, in.Filters = goal.Nodes, goal.Peers, goal.Filters
	off := false
	in.Configurations = []calico.BGPConfiguration{{
		ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off},
	}}
	network := bgp.Build(bgp.Input{Nodes: in.Nodes, Peers: in.Peers, Configurations: in.Configurations, Filters: in.Filters})
	in.Statuses = nil
	for _, reflector := range plan.Reflectors {
		status := sessions.New(reflector.Node)
		status.Status.LastUpdated = metav1.NewTime(in.Now)
		for _, session := range network.SessionsOf(reflector.Node) {
			status.Status.BGP.PeersV4 = append(status.Status.BGP.PeersV4, calico.PeerStatus{
				PeerIP: session.RemoteIP.String(), Type: calico.PeerTypeNode, State: calico.StateEstablished,
			})
		}
		status.Status.BGP.NumberEstablishedV4 = len(status.Status.BGP.PeersV4)
		in.Statuses = append(in.Statuses, *status)
	}
}

// renderAll says the whole plan in BGPPeers.
func renderAll(in rollout.Input, plan topology.Plan) []calico.BGPPeer {
	return render.GoalOf(&plan, in.Nodes, 64512, render.Options{}).Peers
}

func makePlan(in rollout.Input) topology.Plan {
	return topology.Make(topology.Request{
		Spec: in.Autoscaler.Spec.WithDefaults(), Nodes: in.Nodes, ClusterAS: 64512, Now: in.Now, Load: map[string]int{},
		TagFilter: in.TagFilter,
	})
}

var benched = []struct {
	topology v1alpha1.Topology
	nodes    int
}{
	{v1alpha1.TopologySingle, 500}, {v1alpha1.TopologyMulti, 500}, {v1alpha1.TopologyMulti, 5000},
	{v1alpha1.TopologyQuorum, 1000}, {v1alpha1.TopologyHierarchy, 5000},
}

// BenchmarkPlan plans from nothing and renders all objects of the plan.
func BenchmarkPlan(b *testing.B) {
	for _, of := range benched {
		in := large(of.nodes, of.topology)
		for i := range in.Nodes {
			in.Nodes[i].ClusterID = ""
			maps.DeleteFunc(in.Nodes[i].Labels, func(key, _ string) bool { return strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) })
		}
		b.Run(fmt.Sprintf("%s %d nodes", of.topology, of.nodes), func(b *testing.B) {
			objects := 0
			for b.Loop() {
				objects = len(renderAll(in, makePlan(in)))
			}
			b.ReportMetric(float64(objects), "BGPPeers")
		})
	}
}

// BenchmarkPass is one whole pass over a steady cluster: read what stands, plan,
// derive all sessions, compare them with the reports, work out the promise.
func BenchmarkPass(b *testing.B) {
	for _, of := range benched {
		in := large(of.nodes, of.topology)
		b.Run(fmt.Sprintf("%s %d nodes", of.topology, of.nodes), func(b *testing.B) {
			for b.Loop() {
				if out := rollout.Next(in); out.Step != nil {
					b.Fatalf("not steady: %s", out.Step)
				}
			}
		})
	}
}
