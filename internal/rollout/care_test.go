package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

// TestMeshSettingsAreCarriedOverAndRestored: the API wants a password and a
// restart time of the mesh unset while it is off.
func TestMeshSettingsAreCarriedOverAndRestored(t *testing.T) {
	as := uint32(64512)
	before := calico.BGPConfigurationSpec{
		ASNumber:         &as,
		NodeMeshPassword: &calico.BGPPassword{SecretKeyRef: &corev1.SecretKeySelector{Key: "bgp"}},
		NodeMeshMaxRestartTime: &metav1.Duration{
			Duration: 90 * time.Second,
		},
	}
	v := newVirtual(t, 11, 30, 3)
	v.configurations = []calico.BGPConfiguration{{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: before}}
	v.sync()
	v.idle(40 * time.Second)
	v.reset()
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.noLoss()
	for _, peer := range v.peers {
		if diff := cmp.Diff(before.NodeMeshPassword, peer.Spec.Password); diff != "" {
			t.Errorf("%s password (-want +got):\n%s", peer.Name, diff)
		}
		if diff := cmp.Diff(before.NodeMeshMaxRestartTime, peer.Spec.MaxRestartTime); diff != "" {
			t.Errorf("%s restart time (-want +got):\n%s", peer.Name, diff)
		}
	}
	if off := v.configurations[0].Spec; off.NodeMeshPassword != nil || off.NodeToNodeMeshEnabled == nil || *off.NodeToNodeMeshEnabled {
		t.Errorf("mesh off: %+v", off)
	}
	v.reset()
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologyMesh })
	v.run(5 * time.Minute)
	v.noLoss()
	if diff := cmp.Diff(before, v.configurations[0].Spec); diff != "" {
		t.Error("not restored (-want +got):\n", diff)
	}
}

// TestNewClusterID moves reflectors one at a time; only their own routes pause.
func TestNewClusterID(t *testing.T) {
	v := newVirtual(t, 12, 30, 3)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.ClusterID = "10.9.8.7" })
	v.run(10 * time.Minute)
	v.noLoss()
	for _, name := range v.reflectors() {
		if id := v.node(name).ClusterID; id != "10.9.8.7" {
			t.Errorf("%s has cluster ID %s", name, id)
		}
	}
	if count := v.count(); count[rollout.SetRole] != 3 || len(v.writes()) != 3 {
		t.Errorf("one write a reflector; steps:\n%s", v.story())
	}
	if v.reason(v1alpha1.ConditionDegraded) == rollout.ReasonContested {
		t.Error("a new cluster ID is no contest")
	}
}

// TestForeignPeersAreReportedAndLeft: a global BGPPeer of somebody else that
// covers the same sessions.
func TestForeignPeersAreReportedAndLeft(t *testing.T) {
	v := newVirtual(t, 13, 30, 3)
	foreign := calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: "theirs", Labels: map[string]string{"team": "network"}},
		Spec:       calico.BGPPeerSpec{PeerSelector: "has(" + v1alpha1.ReflectorLabel + ")"},
	}
	harmless := calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: "tor"},
		Spec:       calico.BGPPeerSpec{PeerIP: "192.0.2.1", ASNumber: 64999},
	}
	v.peers = []calico.BGPPeer{foreign, harmless}
	v.sync()
	v.reset()
	v.set(ratio(10), single)
	v.runFor(10 * time.Minute)
	if v.fabric.Account().Ordinary.RouteTime != 0 {
		t.Errorf("lost %+v; steps:\n%s", v.fabric.Account().Ordinary, v.story())
	}
	message := ""
	for _, c := range v.autoscaler.Status.Conditions {
		if c.Type == v1alpha1.ConditionDegraded {
			message = c.Reason + ": " + c.Message
		}
	}
	if !strings.Contains(message, rollout.ReasonForeignPeers) || !strings.Contains(message, "theirs") || strings.Contains(message, "tor)") {
		t.Errorf("Degraded does not name the one that overlaps: %s", message)
	}
	for _, want := range []calico.BGPPeer{foreign, harmless} {
		i := slices.IndexFunc(v.peers, func(p calico.BGPPeer) bool { return p.Name == want.Name })
		if i < 0 {
			t.Errorf("%s is gone", want.Name)
		} else if diff := cmp.Diff(want, v.peers[i]); diff != "" {
			t.Errorf("%s was changed:\n%s", want.Name, diff)
		}
	}
}

// TestMeshRevertedByOthers: somebody keeps turning the mesh on again.
func TestMeshRevertedByOthers(t *testing.T) {
	v := newVirtual(t, 14, 30, 3)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	on := true
	for range 5 {
		v.configurations[0].Spec.NodeToNodeMeshEnabled = &on
		v.sync()
		v.runFor(time.Minute)
	}
	if n := v.count()[rollout.MeshOff]; n != 3 {
		t.Errorf("turned off %d times, want 3; steps:\n%s", n, v.story())
	}
	if v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonContested {
		t.Errorf("Degraded reason %q", v.reason(v1alpha1.ConditionDegraded))
	}
	v.noLoss()
}

// TestHandDeletedPeerComesBack: every BGPPeer of ours that somebody deletes.
func TestHandDeletedPeerComesBack(t *testing.T) {
	v := newVirtual(t, 15, 30, 3)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	var want []string
	for _, peer := range v.peers {
		want = append(want, peer.Name)
	}
	slices.Sort(want)
	for _, name := range want {
		v.peers = slices.DeleteFunc(slices.Clone(v.peers), func(p calico.BGPPeer) bool { return p.Name == name })
		v.sync()
		v.run(5 * time.Minute)
		var got []string
		for _, peer := range v.peers {
			got = append(got, peer.Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %s was deleted (-want +got):\n%s", name, diff)
		}
	}
	if n, sample := v.fabric.MissingPairs(); n > 0 {
		t.Errorf("%d pairs without a route, such as %v", n, sample)
	}
}

// TestMeshOffByOthersIsLeft: somebody runs a design of their own.
func TestMeshOffByOthersIsLeft(t *testing.T) {
	v := newVirtual(t, 16, 30, 3)
	off := false
	v.configurations = []calico.BGPConfiguration{{
		ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off},
	}}
	v.sync()
	v.runFor(2 * time.Minute)
	if len(v.steps) > 0 || v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonMeshOffByOthers {
		t.Errorf("Degraded reason %q; steps:\n%s", v.reason(v1alpha1.ConditionDegraded), v.story())
	}
}
