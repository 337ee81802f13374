package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

func secret(name string) change {
	return func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		keepalive := int32(20)
		s.Sessions = &v1alpha1.Sessions{Password: &v1alpha1.SecretKey{Name: name, Key: "password"}, KeepaliveSeconds: &keepalive}
	}
}

// renewed asserts that every peering of ours has the new options, and that nothing is
// left of the way there.
func (v *virtual) renewed(password string) {
	v.t.Helper()
	v.noLoss()
	for _, peer := range v.peers {
		if p := peer.Spec.Password; p == nil || p.SecretKeyRef.Name != password || peer.Spec.KeepaliveTime == nil || peer.Spec.KeepaliveTime.Duration != 20*time.Second {
			v.t.Errorf("%s has other options: %+v", peer.Name, peer.Spec)
		}
		if strings.Contains(peer.Name, "renewed") || strings.Contains(peer.Spec.NodeSelector+peer.Spec.PeerSelector, v1alpha1.RenewedLabel) {
			v.t.Errorf("%s is left over: %+v", peer.Name, peer.Spec)
		}
	}
	for _, node := range v.nodes {
		if _, set := node.Labels[v1alpha1.RenewedLabel]; set {
			v.t.Errorf("%s is still labeled", node.Name)
		}
	}
}

// TestOptionsChangeReflectorByReflector: a password and a timer change without any
// ordinary node losing a route, in each topology.
func TestOptionsChangeReflectorByReflector(t *testing.T) {
	for _, topology := range every[1:] {
		t.Run(string(topology), func(t *testing.T) {
			t.Parallel()
			v := newVirtual(t, 100, 60, 3)
			v.set(ratio(12), grouped)
			v.move(topology)
			reflectors := len(v.reflectors())
			v.reset()
			v.set(secret("new"))
			v.run(30 * time.Minute)
			v.renewed("new")
			if restarted := v.count()[rollout.SetRole]; restarted != 2*reflectors {
				t.Errorf("%d patches of %d reflectors, want one to go and one to come back for each:\n%s", restarted, reflectors, v.story())
			}
			v.inForce(topology)
		})
	}
}

// TestOptionsChangeInTheMiddle: a reflector is cordoned, another topology is asked for, and the
// options change once more while a change is under way.
func TestOptionsChangeInTheMiddle(t *testing.T) {
	for stop := 2; stop < 40; stop += 4 {
		t.Run(fmt.Sprint(stop), func(t *testing.T) {
			t.Parallel()
			v := newVirtual(t, uint64(stop), 60, 3)
			v.set(ratio(12), grouped)
			v.move(v1alpha1.TopologyMulti)
			v.reset()
			v.set(secret("new"))
			for i := 0; i < 1000 && len(v.steps) < stop; i++ {
				v.runFor(time.Second)
			}
			switch stop % 3 {
			case 0:
				v.node(v.reflectors()[0]).Unschedulable = true
			case 1:
				v.set(to(v1alpha1.TopologySingle))
			default:
				v.set(secret("newer"))
			}
			v.run(40 * time.Minute)
			want := "new"
			if stop%3 == 2 {
				want = "newer"
			}
			v.renewed(want)
		})
	}
}

// TestOptionsFromTheStart: where nothing stands yet the policy's options are used at once.
func TestOptionsFromTheStart(t *testing.T) {
	v := newVirtual(t, 7, 12, 3)
	v.set(to(v1alpha1.TopologySingle), secret("first"))
	v.run(10 * time.Minute)
	v.renewed("first")
	if n := v.count()[rollout.PatchPeer]; n > 0 {
		t.Errorf("%d peerings were changed:\n%s", n, v.story())
	}
}
