package rollout_test

import (
	"net/netip"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// TestIPv6Only is a life of a cluster without IPv4: into Single, growth, the death of a
// reflector, Multi, and back to the mesh.
func TestIPv6Only(t *testing.T) {
	v := newVirtual(t, 61, 0, 3)
	v.add(20, 3)
	v.dualStack()
	for i := range v.nodes {
		v.nodes[i].IPv4 = netip.Addr{}
	}
	v.sync()
	v.idle(time.Minute)
	v.reset()
	v.set(ratio(10), single)
	v.run(10 * time.Minute)
	v.set(ratio(5))
	v.run(10 * time.Minute)
	v.noLoss()
	dead := v.reflectors()[1]
	v.kill(dead)
	v.runFor(10 * time.Minute)
	if v.node(dead).ClusterID != "" {
		t.Errorf("%s is dead and keeps the role; steps:\n%s", dead, v.story())
	}
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologyMulti })
	v.run(20 * time.Minute)
	v.set(toMesh)
	v.run(20 * time.Minute)
	v.noLoss()
	v.expect(0)
}

// TestNodesWithOtherPorts: BGPConfigurations of nodes give some of them a port of their
// own, which is part of their sessions' names.
func TestNodesWithOtherPorts(t *testing.T) {
	v := newVirtual(t, 61, 20, 3)
	v.configurations = []calico.BGPConfiguration{{ObjectMeta: metav1.ObjectMeta{Name: "default"}}}
	for _, name := range []string{"node-0000", "node-0001", "node-0007"} {
		v.configurations = append(v.configurations, calico.BGPConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "node." + name}, Spec: calico.BGPConfigurationSpec{ListenPort: 1790},
		})
	}
	v.sync()
	v.idle(time.Minute)
	v.reset()
	v.set(ratio(10), single)
	v.run(10 * time.Minute)
	v.set(ratio(5))
	v.run(10 * time.Minute)
	v.set(toMesh)
	v.run(10 * time.Minute)
	v.noLoss()
}
