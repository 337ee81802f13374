package rollout_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// fewest is the least number of reflectors with which an ordinary node has a session
// up, by the fabric and not by any report. Nodes whose own role has changed do not count.
func (v *virtual) fewest() int {
	homes := map[netip.Addr]int{}
	for _, node := range v.nodes {
		if _, role := node.Labels[v1alpha1.ReflectorLabel]; !role && !v.changed[node.Name] && !v.dead[node.Name] {
			homes[node.IPv4] = 0
		}
	}
	for _, name := range v.reflectors() {
		if v.dead[name] {
			continue
		}
		for _, peer := range v.fabric.Status(name).PeersV4 {
			if address, err := netip.ParseAddr(peer.PeerIP); err == nil && peer.State == calico.StateEstablished {
				if _, client := homes[address]; client {
					homes[address]++
				}
			}
		}
	}
	least := len(v.nodes)
	for _, n := range homes {
		least = min(least, n)
	}
	return least
}

// keeps runs for so long and asserts that no client ever has fewer reflectors.
func (v *virtual) keeps(least int, d time.Duration) {
	v.t.Helper()
	for end := v.now.Add(d); v.now.Before(end); {
		for range 4 {
			v.passes()
			v.advance()
		}
		if n := v.fewest(); n < least {
			v.t.Fatalf("a client has %d reflectors up, want %d; steps:\n%s", n, least, v.story())
		}
	}
}

// TestClientsKeepEnoughReflectors: whatever is taken away, in any topology, each client
// keeps one more reflector up than may fail.
func TestClientsKeepEnoughReflectors(t *testing.T) {
	for _, topology := range every[1:] {
		t.Run(string(topology), func(t *testing.T) {
			t.Parallel()
			v := standsIn(t, 81, 40, 3, topology)
			t.Log("a reflector is cordoned")
			name := v.reflectors()[0]
			v.node(name).Unschedulable = true
			v.keeps(2, 4*time.Minute)
			if slices.Contains(v.reflectors(), name) {
				t.Errorf("%s has the role still; steps:\n%s", name, v.story())
			}
			t.Log("fewer are enough, then more")
			for _, nodes := range []int32{20, 8} {
				v.set(ratio(nodes))
				v.keeps(2, 4*time.Minute)
			}
			v.run(20 * time.Minute)
		})
	}
}

// TestAllBarred: with every node barred by the policy nobody can take over, and nobody
// leaves: the last of an ID goes only when nothing depends on it.
func TestAllBarred(t *testing.T) {
	for _, topology := range every[1:] {
		t.Run(string(topology), func(t *testing.T) {
			t.Parallel()
			v := standsIn(t, 82, 40, 3, topology)
			v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
				limit := int32(0)
				s.MeshUpTo = &limit
				s.Placement.Exclude = []metav1.LabelSelector{{}}
			})
			v.keeps(2, 5*time.Minute)
			v.noLoss()
		})
	}
}

// TestRackBarred: nobody in one rack may be a reflector any more. Those that are go only
// when the spine has been seen to carry the rack's clients.
func TestRackBarred(t *testing.T) {
	v := standsIn(t, 83, 40, 3, v1alpha1.TopologyHierarchy)
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Placement.Exclude = []metav1.LabelSelector{{MatchLabels: map[string]string{"topology.kubernetes.io/zone": "zone-b"}}}
	})
	v.keeps(2, 10*time.Minute)
	v.noLoss()
	for _, name := range v.reflectors() {
		if v.node(name).Labels["topology.kubernetes.io/zone"] == "zone-b" {
			t.Errorf("%s is barred; steps:\n%s", name, v.story())
		}
	}
}
