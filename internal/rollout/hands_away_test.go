package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// TestHandsWhileAway: a BGPPeer is edited while the controller is away, and all nodes have
// seen it when it comes back. It is put right.
func TestHandsWhileAway(t *testing.T) {
	edits := map[string]func(*calico.BGPPeerSpec){
		"clients everybody": func(s *calico.BGPPeerSpec) { s.Node, s.NodeSelector = "", "all()" },
		"peers nobody":      func(s *calico.BGPPeerSpec) { s.PeerIP, s.ASNumber, s.PeerSelector = "", 0, "has(nothing)" },
		"a router":          func(s *calico.BGPPeerSpec) { s.PeerIP, s.ASNumber, s.PeerSelector = "192.0.2.1", 64999, "" },
		"one side only":     func(s *calico.BGPPeerSpec) { s.ReversePeering = "Manual" },
	}
	for _, topology := range every[1:] {
		for name, edit := range edits {
			t.Run(fmt.Sprint(topology, " ", name), func(t *testing.T) {
				t.Parallel()
				for _, right := range standsIn(t, 150, 24, 3, topology).peers {
					if group := strings.HasPrefix(right.Name, "tapetum-group-"); group && !strings.Contains(right.Name, "zone-a") {
						continue // like those of the first zone
					}
					v := standsIn(t, 150, 24, 3, topology)
					v.edit(right.Name, edit)
					v.idle(5 * time.Minute)
					v.reset()
					v.runFor(6 * time.Minute)
					if !v.is(v1alpha1.ConditionReady) {
						t.Errorf("%s: Ready %s, Degraded %s; steps:\n%s", right.Name, v.reason(v1alpha1.ConditionReady), v.message(v1alpha1.ConditionDegraded), v.story())
					}
					if n, sample := v.fabric.MissingPairs(); n > 0 {
						t.Errorf("%s: %d pairs have no route, such as %v; steps:\n%s", right.Name, n, sample, v.story())
					}
				}
			})
		}
	}
}

// edit is somebody's change of a BGPPeer.
func (v *virtual) edit(name string, change func(*calico.BGPPeerSpec)) {
	v.peers = slices.Clone(v.peers)
	for i := range v.peers {
		if v.peers[i].Name == name {
			changed := v.peers[i].DeepCopy()
			change(&changed.Spec)
			v.peers[i] = *changed
		}
	}
	v.sync()
}
