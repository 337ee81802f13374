package rollout_test

import (
	"net/netip"
	"strings"
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

// FuzzNext: whatever strangers put into labels, annotations, BGPPeers and reports, a
// decision comes out of it, and its step writes nothing but what is ours.
func FuzzNext(f *testing.F) {
	none := ""
	f.Add("tapetum-clients", "", "has("+v1alpha1.ServesLabelPrefix+"all)", "", "224.0.0.1", "zone-a", `{"enabled":true}`, "n1", uint8(0))
	f.Add("tapetum-pin-n1.n2-v4", "n1", none, "10.0.0.2", "10.0.0.0/8", "A..b", `{"password":{}}`, "n2", uint8(3))
	f.Add("tapetum-group-a", "", "has(\x1b)", "", "\x1b[2J", "'||all()||'", "{", "\xff", uint8(7))
	f.Add("tapetum-renewed-clients", "", "", "", "0.0.0.0", "", "null", "", uint8(12))
	f.Add("foreign", "n3", "", "192.0.2.1", "1.2.3.4", "x", "[]", "n3", uint8(31))
	topologies := []v1alpha1.Topology{v1alpha1.TopologySingle, v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy, v1alpha1.TopologyMesh}
	f.Fuzz(func(t *testing.T, peer, node, selector, address, id, label, kept, reporter string, bits uint8) {
		now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		in := rollout.Input{
			Now: now, DatastoreReady: true, TagFilter: topology.TagFilterSupport{Cluster: bits&1 != 0, Why: label},
			Autoscaler: &v1alpha1.RouteReflectorAutoscaler{
				ObjectMeta: metav1.ObjectMeta{
					Name: v1alpha1.SingletonName, Finalizers: []string{v1alpha1.Finalizer},
					Annotations: map[string]string{v1alpha1.MeshAnnotation: kept, v1alpha1.ForceStepAnnotation: label, v1alpha1.AbandonAnnotation: kept},
				},
				Spec: v1alpha1.RouteReflectorAutoscalerSpec{Topology: topologies[int(bits>>1)%len(topologies)]},
			},
			Peers: []calico.BGPPeer{{
				ObjectMeta: metav1.ObjectMeta{Name: peer},
				Spec:       calico.BGPPeerSpec{Node: node, NodeSelector: selector, PeerSelector: selector, PeerIP: address, ASNumber: 64512, Filters: []string{label}},
			}},
			Filters: []calico.BGPFilter{{ObjectMeta: metav1.ObjectMeta{Name: label}}, {ObjectMeta: metav1.ObjectMeta{Name: render.FilterName}}},
		}
		if bits&0x40 != 0 {
			in.Peers[0].Labels = render.Ours()
		}
		for i, name := range []string{"n1", "n2", "n3", "n4", "n5"} {
			in.Nodes = append(in.Nodes, inventory.Node{
				Name: name, UID: name, OS: "linux", Ready: true, ReadySince: now.Add(-time.Hour), Created: now.Add(-time.Hour),
				IPv4: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Labels: map[string]string{"topology.kubernetes.io/zone": label},
			})
		}
		in.Nodes[0].ClusterID = id
		if bits&0x80 != 0 {
			in.Nodes[0].Labels[v1alpha1.ReflectorLabel] = label
			in.Nodes[1].Labels[v1alpha1.HomeLabel], in.Nodes[1].Labels[v1alpha1.SettledLabel] = label, id
			in.Nodes[2].Labels[v1alpha1.ServesLabelPrefix+label] = kept
		}
		report := sessions.New(reporter)
		report.Status = calico.NodeStatusStatus{LastUpdated: metav1.NewTime(now), BGP: calico.NodeBGPStatus{PeersV4: []calico.PeerStatus{{PeerIP: address, State: label}}}}
		in.Statuses = []calico.CalicoNodeStatus{*report}
		out := rollout.Next(in)
		if len(out.Status.Conditions) == 0 {
			t.Error("there are no conditions")
		}
		if out.Step != nil {
			writesOursOnly(t, &in, out.Step)
		}
	})
}

func writesOursOnly(t *testing.T, in *rollout.Input, step *rollout.Step) {
	t.Helper()
	if p := step.Peer; p != nil {
		if !calico.ManagedByUs(p) || step.Action != rollout.DeletePeer && !strings.HasPrefix(p.Name, "tapetum-") {
			t.Errorf("%s of BGPPeer %q with labels %v", step.Action, p.Name, p.Labels)
		}
		if standing := in.Peers[0]; p.Name == standing.Name && !calico.ManagedByUs(&standing) && step.Action != rollout.CreatePeer {
			t.Errorf("%s of somebody's BGPPeer %q", step.Action, p.Name)
		}
	}
	if filter := step.Filter; filter != nil && (filter.Name != render.FilterName || !calico.ManagedByUs(filter)) {
		t.Errorf("%s of BGPFilter %q", step.Action, filter.Name)
	}
	if status := step.NodeStatus; status != nil && !sessions.Ours(status) {
		t.Errorf("%s of CalicoNodeStatus %q", step.Action, status.Name)
	}
	roles := step.Homes
	if step.Role != nil {
		roles = append(roles, *step.Role)
	}
	for _, role := range roles {
		for key := range role.Labels {
			if !strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) {
				t.Errorf("label %q for node %s", key, role.Node)
			}
		}
		if _, err := netip.ParseAddr(role.ClusterID); role.ClusterID != "" && err != nil && role.ClusterID != in.Nodes[0].ClusterID {
			t.Errorf("cluster ID %q for node %s", role.ClusterID, role.Node)
		}
	}
}
