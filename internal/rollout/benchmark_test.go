package rollout_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/sessions"
	"tapetum.dev/tapetum/internal/topology"
)

// large is a cluster of so many nodes with its reflectors in place, all sessions
// up and reported.
func large(nodes int) rollout.Input {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	in := rollout.Input{
		Now: now, DatastoreReady: true,
		Autoscaler: &v1alpha1.RouteReflectorAutoscaler{ObjectMeta: metav1.ObjectMeta{
			Name: "default", Generation: 1, Finalizers: []string{v1alpha1.Finalizer},
		}},
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
	plan := makePlan(in)
	in.Peers = renderAll(in, plan)
	roles := rolesOf(in, plan)
	for i, role := range roles {
		for key, value := range render.RoleLabels(plan.Reflectors[i].Tier, plan.Reflectors[i].Serves) {
			role.Labels[key] = value
		}
		role.ClusterID = plan.Reflectors[i].ClusterID
	}
	off := false
	in.Configurations = []calico.BGPConfiguration{{
		ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off},
	}}
	for _, role := range roles {
		status := sessions.New(role.Name)
		status.Status.LastUpdated = metav1.NewTime(now)
		for i := range in.Nodes {
			if in.Nodes[i].Name != role.Name {
				status.Status.BGP.PeersV4 = append(status.Status.BGP.PeersV4, calico.PeerStatus{
					PeerIP: in.Nodes[i].IPv4.String(), Type: calico.PeerTypeNode, State: calico.StateEstablished,
				})
			}
		}
		status.Status.BGP.NumberEstablishedV4 = len(status.Status.BGP.PeersV4)
		in.Statuses = append(in.Statuses, *status)
	}
	return in
}

func rolesOf(in rollout.Input, plan topology.Plan) []*inventory.Node {
	byName := map[string]*inventory.Node{}
	for i := range in.Nodes {
		byName[in.Nodes[i].Name] = &in.Nodes[i]
	}
	var roles []*inventory.Node
	for _, reflector := range plan.Reflectors {
		roles = append(roles, byName[reflector.Node])
	}
	return roles
}

// renderAll says the whole plan in BGPPeers.
func renderAll(in rollout.Input, plan topology.Plan) []calico.BGPPeer {
	peers := []calico.BGPPeer{*render.Clients(topology.GroupAll, render.Options{})}
	roles := rolesOf(in, plan)
	for i, senior := range roles {
		for _, junior := range roles[i+1:] {
			peers = append(peers, *render.Pin(senior, junior, junior.IPv4, 64512, render.Options{}))
		}
	}
	return peers
}

func makePlan(in rollout.Input) topology.Plan {
	return topology.Make(topology.Request{
		Spec: in.Autoscaler.Spec.WithDefaults(), Nodes: in.Nodes, ClusterAS: 64512, Now: in.Now, Load: map[string]int{},
	})
}

// BenchmarkPlan plans from nothing and renders all objects of the plan.
func BenchmarkPlan(b *testing.B) {
	for _, nodes := range []int{500, 5000} {
		in := large(nodes)
		for i := range in.Nodes {
			in.Nodes[i].ClusterID = ""
		}
		b.Run(fmt.Sprintf("%d nodes", nodes), func(b *testing.B) {
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
	for _, nodes := range []int{500, 5000} {
		in := large(nodes)
		b.Run(fmt.Sprintf("%d nodes", nodes), func(b *testing.B) {
			for b.Loop() {
				if out := rollout.Next(in); out.Step != nil {
					b.Fatalf("not steady: %s", out.Step)
				}
			}
		})
	}
}
