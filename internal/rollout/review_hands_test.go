package rollout_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

// TestEditedReport: somebody makes our CalicoNodeStatus ask another node.
func TestEditedReport(t *testing.T) {
	v := settled(t, 61, 12, 3, 1)
	name := v.statuses[1].Name
	v.statuses[1].Spec.Node = v.ordinaryNode()
	v.run(5 * time.Minute)
	if len(v.steps) != 1 || v.steps[0].Action != rollout.PatchStatus || v.steps[0].Object != "CalicoNodeStatus/"+name {
		t.Errorf("one write mends it; steps:\n%s", v.story())
	}
}

// TestEditedPins: each field that a hand may change, on every pin.
func TestEditedPins(t *testing.T) {
	for name, edit := range map[string]func(*virtual, *calico.BGPPeerSpec){
		"another node":    func(v *virtual, s *calico.BGPPeerSpec) { s.Node = v.ordinaryNode() },
		"no such node":    func(_ *virtual, s *calico.BGPPeerSpec) { s.Node = "gone" },
		"another address": func(v *virtual, s *calico.BGPPeerSpec) { s.PeerIP = v.node(v.ordinaryNode()).IPv4.String() },
		"a router":        func(_ *virtual, s *calico.BGPPeerSpec) { s.PeerIP = "192.0.2.1" },
		"another AS":      func(_ *virtual, s *calico.BGPPeerSpec) { s.ASNumber = 65001 },
		"a selector":      func(_ *virtual, s *calico.BGPPeerSpec) { s.Node, s.NodeSelector = "", "all()" },
		"selectors": func(_ *virtual, s *calico.BGPPeerSpec) {
			*s = calico.BGPPeerSpec{NodeSelector: "all()", PeerSelector: "all()"}
		},
		"Calico's default": func(_ *virtual, s *calico.BGPPeerSpec) { s.ReversePeering = "Auto" },
	} {
		t.Run(name, func(t *testing.T) {
			v := settled(t, 62, 12, 3, 1)
			for i := range v.peers {
				if v.peers[i].Spec.PeerIP == "" {
					continue
				}
				v.peers = slices.Clone(v.peers)
				v.reset()
				edit(v, &v.peers[i].Spec)
				v.sync()
				v.run(5 * time.Minute)
				if n, sample := v.fabric.MissingPairs(); n > 0 {
					t.Errorf("%d pairs without a route, such as %v; steps:\n%s", n, sample, v.story())
				}
				if len(v.writes()) > 1 || name == "Calico's default" && len(v.steps) > 0 {
					t.Errorf("steps:\n%s", v.story())
				}
			}
		})
	}
}

// TestOwnOptionsOfAPerson: somebody sets a timer on our BGPPeers by hand. All that
// follows still goes through.
func TestOwnOptionsOfAPerson(t *testing.T) {
	v := settled(t, 63, 12, 3, 1)
	v.peers = slices.Clone(v.peers)
	for i := range v.peers {
		if v.peers[i].Spec.PeerIP == "" {
			v.peers[i].Spec.MaxRestartTime = &metav1.Duration{Duration: time.Minute}
		}
	}
	v.sync()
	v.runFor(time.Minute)
	v.reset()
	v.set(exactly(4, 1))
	v.run(5 * time.Minute)
	v.noLoss()
	v.set(exactly(2, 1))
	v.run(10 * time.Minute)
	v.noLoss()
	v.expect(2)
}

// TestUnmanagedMeshSwitchedByAPerson at bad times: the deletion waits for the mesh,
// and ends once a person has turned it on.
func TestUnmanagedMeshSwitchedByAPerson(t *testing.T) {
	v := settled(t, 64, 12, 3, 1, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.NodeMesh = v1alpha1.NodeMeshUnmanaged })
	on, off := true, false
	v.configurations = []calico.BGPConfiguration{{
		ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off},
	}}
	v.sync()
	v.run(time.Minute)
	v.noLoss()
	now := metav1.NewTime(v.now)
	v.autoscaler.DeletionTimestamp = &now
	v.runFor(2 * time.Minute)
	v.expect(3)
	if v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonMeshUnmanaged {
		t.Errorf("Degraded reason %s", v.reason(v1alpha1.ConditionDegraded))
	}
	v.configurations = []calico.BGPConfiguration{{
		ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &on},
	}}
	v.sync()
	v.deleteAndWait()
}

// TestClockSetBack in the middle of a rollout: it waits anew, and ends.
func TestClockSetBack(t *testing.T) {
	v := newVirtual(t, 65, 12, 3)
	v.set(ratio(10), single)
	v.runFor(6 * time.Second)
	for i := range v.autoscaler.Status.Clocks {
		clock := &v.autoscaler.Status.Clocks[i]
		clock.Since = metav1.NewMicroTime(clock.Since.Add(time.Hour))
	}
	v.run(5 * time.Minute)
	v.noLoss()
	v.expect(3)
}

// TestNoReflectorMayBe: a policy that excludes every node.
func TestNoReflectorMayBe(t *testing.T) {
	for _, limit := range []int32{5, 100} {
		v := settled(t, 66, 12, 3, 1)
		v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.MeshUpTo = &limit
			s.Placement.Exclude = []metav1.LabelSelector{{}}
		})
		v.runFor(5 * time.Minute)
		v.noLoss()
		if v.reason(v1alpha1.ConditionDegraded) != "TooFewEligibleNodes" {
			t.Errorf("Degraded reason %s", v.reason(v1alpha1.ConditionDegraded))
		}
		steps := len(v.steps)
		v.runFor(5 * time.Minute)
		if len(v.steps) > steps {
			t.Errorf("no rest; steps:\n%s", v.story())
		}
		v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Placement.Exclude = nil })
		v.run(10 * time.Minute)
		v.noLoss()
		v.expect(3)
	}
}

// TestAllReflectorsGoAtOnce, with the mesh off: routes are lost, but come back.
func TestAllReflectorsGoAtOnce(t *testing.T) {
	v := settled(t, 67, 14, 3, 1)
	v.remove(v.reflectors()...)
	v.run(10 * time.Minute)
	v.expect(3)
	if n, sample := v.fabric.MissingPairs(); n > 0 {
		t.Errorf("%d pairs without a route, such as %v; steps:\n%s", n, sample, v.story())
	}
}

// TestForeignReflectorWithOurID is left alone, whatever we do around it.
func TestForeignReflectorWithOurID(t *testing.T) {
	v := newVirtual(t, 68, 14, 3)
	foreign := v.node("node-0005")
	foreign.ClusterID = "224.0.0.1"
	v.changed[foreign.Name] = true
	v.sync()
	v.idle(30 * time.Second)
	v.set(ratio(10), single)
	v.runFor(5 * time.Minute)
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologyMesh })
	v.runFor(5 * time.Minute)
	for _, step := range v.steps {
		if step.Role != nil && step.Role.Node == foreign.Name {
			t.Errorf("touched: %s", step)
		}
	}
	if v.node(foreign.Name).ClusterID != "224.0.0.1" {
		t.Error("its cluster ID is gone")
	}
	v.noLoss()
}
