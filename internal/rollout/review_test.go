package rollout_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

type change = func(*v1alpha1.RouteReflectorAutoscalerSpec)

// exactly sets the number of reflectors, and how many may fail.
func exactly(reflectors, failures int32) change {
	return func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Scaling.Min, s.Scaling.Max, s.Limits.ReflectorFailures = reflectors, reflectors, &failures
	}
}

func clusterID(id string) change {
	return func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.ClusterID = id }
}

func (v *virtual) expect(reflectors int) {
	v.t.Helper()
	if got := v.reflectors(); len(got) != reflectors {
		v.t.Errorf("reflectors %v, want %d; steps:\n%s", got, reflectors, v.story())
	}
}

// settled runs a cluster to rest on so many reflectors.
func settled(t *testing.T, seed uint64, nodes int, reflectors, failures int32, changes ...change) *virtual {
	t.Helper()
	v := newVirtual(t, seed, nodes, 3)
	v.set(append([]change{ratio(1000), single, exactly(reflectors, failures)}, changes...)...)
	v.run(10 * time.Minute)
	v.noLoss()
	v.expect(int(reflectors))
	v.reset()
	return v
}

// TestNewClusterIDOfTwo: the second of two reflectors must not restart its
// sessions before those of the first are up again.
func TestNewClusterIDOfTwo(t *testing.T) {
	for _, seconds := range []int32{0, 5} {
		v := settled(t, 31, 20, 2, 1, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Rollout.SettleSeconds = &seconds })
		v.set(clusterID("10.9.8.7"))
		v.run(10 * time.Minute)
		v.noLoss()
		for _, step := range v.steps {
			if step.Repair {
				t.Errorf("the policy has changed, nobody has reverted anything: %s", step)
			}
		}
	}
}

// TestNewClusterIDDoesNotHoldPromotions: neither a lone reflector, whose ID cannot
// be changed, nor a gate that stays shut keeps new reflectors away.
func TestNewClusterIDDoesNotHoldPromotions(t *testing.T) {
	t.Run("lone reflector", func(t *testing.T) {
		v := settled(t, 32, 20, 1, 0)
		v.set(clusterID("10.9.8.7"), exactly(3, 1))
		v.run(10 * time.Minute)
		v.noLoss()
		v.expect(3)
	})
	t.Run("too many paths half-way", func(t *testing.T) {
		v := settled(t, 50, 20, 8, 1)
		v.set(clusterID("10.9.8.7"))
		v.runFor(time.Minute)
		if len(v.steps) > 0 || v.reason(v1alpha1.ConditionDegraded) != "LimitExceeded" {
			t.Errorf("Degraded reason %s; steps:\n%s", v.reason(v1alpha1.ConditionDegraded), v.story())
		}
	})
	t.Run("shut gate", func(t *testing.T) {
		v := settled(t, 33, 20, 3, 1)
		v.fabric.Kill(v.now, "node-0019") // Ready for Kubernetes, but mute
		v.runFor(10 * time.Second)
		v.set(clusterID("10.9.8.7"))
		v.runFor(10 * time.Second)
		v.remove(v.reflectors()[0])
		v.runFor(5 * time.Minute)
		v.expect(3)
	})
}

// recreate deletes a node and lets it join again under the same name.
func (v *virtual) recreate(name string, address netip.Addr, away time.Duration) {
	node := *v.node(name)
	v.remove(name)
	v.runFor(away)
	node.UID += "-again"
	node.Labels = map[string]string{"topology.kubernetes.io/zone": node.Labels["topology.kubernetes.io/zone"]}
	node.ClusterID = ""
	node.Created = v.now
	if address.IsValid() {
		node.IPv4 = address
	}
	v.nodes = append(v.nodes, node)
	v.sync()
}

// TestReflectorJoinsAgainUnderItsName: the pins that are left of it may lead the
// wrong way.
func TestReflectorJoinsAgainUnderItsName(t *testing.T) {
	for _, address := range []netip.Addr{{}, netip.MustParseAddr("10.7.7.7")} {
		for i := range 3 {
			for _, away := range []time.Duration{0, 100 * time.Millisecond, 20 * time.Second} {
				t.Run(fmt.Sprintf("%v number %d away %v", address, i, away), func(t *testing.T) {
					v := settled(t, 34, 12, 3, 1)
					name := v.last.Status.Reflectors[i].Name
					v.changed[name] = true
					// Nobody else is better.
					v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
						s.Placement.Prefer = []v1alpha1.PreferTerm{{Weight: 100, Selector: metav1.LabelSelector{}}}
					})
					v.recreate(name, address, away)
					v.run(10 * time.Minute)
					v.noLoss()
					v.expect(3)
				})
			}
		}
	}
}

// TestReflectorLosesItsAddress: Calico's annotation goes, or calico-node changes it.
func TestReflectorLosesItsAddress(t *testing.T) {
	for i := range 3 {
		for _, address := range []netip.Addr{{}, netip.MustParseAddr("10.7.7.7")} {
			t.Run(fmt.Sprintf("number %d %v", i, address), func(t *testing.T) {
				v := settled(t, 35, 20, 3, 1)
				name := v.last.Status.Reflectors[i].Name
				v.changed[name] = true
				v.node(name).IPv4 = address
				v.sync()
				v.run(10 * time.Minute)
				v.noLoss()
				v.expect(3)
				for _, peer := range v.peers {
					if _, err := netip.ParseAddr(peer.Spec.PeerIP); peer.Spec.PeerIP != "" && err != nil {
						t.Errorf("%s has peerIP %q", peer.Name, peer.Spec.PeerIP)
					}
				}
			})
		}
	}
}

// TestDualStackComesNodeByNode: the reflectors get IPv6 late, and are not replaced
// by the few nodes that have it early.
func TestDualStackComesNodeByNode(t *testing.T) {
	v := settled(t, 36, 20, 3, 1)
	stand := v.reflectors()
	for i := range v.nodes {
		node := &v.nodes[i]
		if slices.Contains(stand, node.Name) {
			continue
		}
		a := node.IPv4.As4()
		node.IPv6 = netip.AddrFrom16([16]byte{0xfd, 0, 14: a[2], 15: a[3]})
		v.sync()
		v.runFor(20 * time.Second)
		if len(v.reflectors()) < 3 {
			t.Fatalf("reflectors %v; steps:\n%s", v.reflectors(), v.story())
		}
	}
	v.dualStack()
	v.sync()
	v.run(10 * time.Minute)
	v.noLoss()
	v.expect(3)
}

// TestNewASNumber: the pins name the AS of the cluster.
func TestNewASNumber(t *testing.T) {
	v := settled(t, 37, 20, 3, 1)
	as := uint32(64999)
	v.configurations[0].Spec.ASNumber = &as
	v.sync()
	v.run(10 * time.Minute)
	if n, sample := v.fabric.MissingPairs(); n > 0 {
		t.Errorf("%d pairs without a route, such as %v; steps:\n%s", n, sample, v.story())
	}
}

// TestPathsLimitLeavesRoomToChange: as many reflectors as the limit allows can be
// reached, replaced and left again, though for a while there are more paths.
func TestPathsLimitLeavesRoomToChange(t *testing.T) {
	v := settled(t, 38, 20, 3, 1, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Limits.PathsPerRoute = 3 })
	cordoned := v.reflectors()[0]
	v.node(cordoned).Unschedulable = true
	v.run(10 * time.Minute)
	v.noLoss()
	if slices.Contains(v.reflectors(), cordoned) {
		t.Errorf("%s is still a reflector; steps:\n%s", cordoned, v.story())
	}
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologyMesh })
	v.run(10 * time.Minute)
	v.noLoss()
	v.expect(0)
}

// TestHandLabeledNode: somebody gives a node our label.
func TestHandLabeledNode(t *testing.T) {
	for _, os := range []string{"linux", "windows"} {
		t.Run(os, func(t *testing.T) {
			v := settled(t, 39, 20, 3, 1)
			before := v.reflectors()
			name := v.ordinaryNode()
			v.node(name).OS = os
			v.changed[name] = true
			v.node(name).Labels[v1alpha1.ReflectorLabel] = "core"
			if os == "windows" {
				v.fabric.Kill(v.now, name) // it speaks no BGP and reports nothing
			}
			v.sync()
			v.runFor(5 * time.Minute)
			v.expect(3)
			if os == "windows" && !slices.Equal(before, v.reflectors()) {
				t.Errorf("reflectors %v, before %v", v.reflectors(), before)
			}
		})
	}
}

func (v *virtual) ordinaryNode() string {
	for _, node := range v.nodes {
		if !slices.Contains(v.reflectors(), node.Name) {
			return node.Name
		}
	}
	v.t.Fatal("no ordinary node")
	return ""
}

// TestContestedThings: whatever somebody keeps undoing, we stop after three times.
func TestContestedThings(t *testing.T) {
	off, manual := false, "Manual"
	for name, undo := range map[string]func(*virtual){
		"report deleted": func(v *virtual) { v.statuses = slices.Delete(slices.Clone(v.statuses), 0, 1) },
		"pin made one-sided": func(v *virtual) {
			v.peers = slices.Clone(v.peers)
			for i := range v.peers {
				if v.peers[i].Spec.PeerIP != "" {
					v.peers[i].Spec.ReversePeering = manual
				}
			}
		},
		"cluster ID edited": func(v *virtual) { v.node(v.reflectors()[1]).ClusterID = "1.2.3.4" },
		"mesh off": func(v *virtual) {
			v.configurations = slices.Clone(v.configurations)
			v.configurations[0].Spec.NodeToNodeMeshEnabled = &off
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := settled(t, 40, 20, 3, 1)
			if name == "mesh off" {
				v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologyMesh })
				v.run(5 * time.Minute)
				v.reset()
			}
			v.insist(8, 40*time.Second, undo)
			if v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonContested {
				t.Errorf("Degraded reason %q; steps:\n%s", v.reason(v1alpha1.ConditionDegraded), v.story())
			}
			if len(v.steps) > 12 {
				t.Errorf("%d steps:\n%s", len(v.steps), v.story())
			}
		})
	}
}

// TestFewReflectorsAreReplaced: one dead node is no mass, however few there are.
func TestFewReflectorsAreReplaced(t *testing.T) {
	for reflectors := range int32(3) {
		t.Run(fmt.Sprint(reflectors+1), func(t *testing.T) {
			v := settled(t, 41, 20, reflectors+1, min(reflectors, 1))
			dead := v.reflectors()[0]
			v.kill(dead)
			v.runFor(60 * time.Second)
			v.run(30 * time.Minute)
			v.expect(int(reflectors) + 1)
			if slices.Contains(v.reflectors(), dead) {
				t.Errorf("%s keeps the role; steps:\n%s", dead, v.story())
			}
		})
	}
	t.Run("two, none may fail", func(t *testing.T) {
		v := settled(t, 42, 20, 2, 0)
		v.kill(v.reflectors()[0])
		v.runFor(60 * time.Second)
		v.run(30 * time.Minute)
		v.noLoss()
		v.expect(2)
	})
}

// TestMeshSettingsSurviveALostNote: the annotation that keeps them was edited.
func TestMeshSettingsSurviveALostNote(t *testing.T) {
	for _, note := range []string{"", "{"} {
		v := newVirtual(t, 43, 12, 3)
		password := &calico.BGPPassword{SecretKeyRef: &corev1.SecretKeySelector{Key: "bgp"}}
		v.configurations = []calico.BGPConfiguration{{ObjectMeta: metav1.ObjectMeta{Name: "default"},
			Spec: calico.BGPConfigurationSpec{NodeMeshPassword: password}}}
		v.sync()
		v.idle(40 * time.Second)
		v.set(ratio(10), single)
		v.run(5 * time.Minute)
		if v.autoscaler.Annotations[v1alpha1.MeshAnnotation] = note; note == "" {
			delete(v.autoscaler.Annotations, v1alpha1.MeshAnnotation)
		}
		v.reset()
		v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologyMesh })
		v.run(5 * time.Minute)
		v.noLoss()
		if v.configurations[0].Spec.NodeMeshPassword == nil {
			t.Errorf("note %q: the mesh is back without its password", note)
		}
	}
}
