package seed_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

const seedLabel = "calico-route-reflector"

// seedNetwork is what the seed's controller makes in multi: reflectors first, an ID
// for each, and a BGPPeer for every client and each of its reflectors.
func seedNetwork(reflectors, clients, each int) bgp.Input {
	off := false
	in := bgp.Input{Configurations: []calico.BGPConfiguration{{
		ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off},
	}}}
	for i := range reflectors + clients {
		node := inventory.Node{
			Name: fmt.Sprintf("n%02d", i), Ready: true, OS: "linux", IPv4: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}),
			Labels: map[string]string{"kubernetes.io/hostname": fmt.Sprintf("n%02d", i)},
		}
		if i < reflectors {
			node.Labels[seedLabel] = fmt.Sprint(i)
			node.ClusterID = fmt.Sprintf("224.0.0.%d", 17*i+1)
		}
		in.Nodes = append(in.Nodes, node)
	}
	peer := func(name, nodes, peers string) {
		in.Peers = append(in.Peers, calico.BGPPeer{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: calico.BGPPeerSpec{NodeSelector: nodes, PeerSelector: peers},
		})
	}
	peer("rrs-to-rrs", "has("+seedLabel+")", "has("+seedLabel+")")
	for c := range clients {
		for j := range each {
			r := (c + j) % reflectors
			peer(fmt.Sprintf("peer-to-rrs-%d-%d", r, c),
				fmt.Sprintf("kubernetes.io/hostname == 'n%02d'", reflectors+c), fmt.Sprintf("%s == '%d'", seedLabel, r))
		}
	}
	return in
}

func meshOn(in bgp.Input) bgp.Input {
	on := true
	in.Configurations = []calico.BGPConfiguration{*in.Configurations[0].DeepCopy()}
	in.Configurations[0].Spec.NodeToNodeMeshEnabled = &on
	return in
}

func withNode(in bgp.Input, i int, change func(*inventory.Node)) bgp.Input {
	in.Nodes = slices.Clone(in.Nodes)
	in.Nodes[i].Labels = maps.Clone(in.Nodes[i].Labels)
	change(&in.Nodes[i])
	return in
}

func withoutPeers(in bgp.Input) bgp.Input {
	in.Peers = nil
	return in
}

// step proves that a step loses nothing for anybody but changing; sessions are given
// the time to come up between two steps.
func step(before, after bgp.Input, changing ...string) bgp.Proof {
	names := map[string]bool{}
	for _, name := range changing {
		names[name] = true
	}
	return bgp.Prove(before, after, bgp.Observed{AssumeUnobserved: true, AssumeMesh: true}, names, bgp.Limits{PathsPerRoute: 1000})
}

// TestLeavingTheSeed walks the way that docs/seed.md describes.
func TestLeavingTheSeed(t *testing.T) {
	for _, size := range []struct{ reflectors, clients, each int }{{2, 2, 2}, {3, 7, 3}, {3, 9, 2}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			at := seedNetwork(size.reflectors, size.clients, size.each)
			var reflectors []string
			for i := range size.reflectors {
				reflectors = append(reflectors, at.Nodes[i].Name)
			}
			// No node that is no reflector loses anything, in between either.
			check := func(what string, next bgp.Input, changing ...string) bgp.Proof {
				t.Helper()
				proof := step(at, next, changing...)
				if !proof.OK {
					t.Fatalf("%s: %s; lost %+v", what, proof.Reason, proof.LostAfter)
				}
				at = next
				return proof
			}
			check("the seed's network", at)
			early := step(at, withoutPeers(meshOn(at)))
			check("mesh on", meshOn(at))
			if late := step(at, withoutPeers(at)); early.OK || late.OK {
				t.Error("the BGPPeers could go first: reflectors have no other sessions")
			}
			before := at
			for i := range size.reflectors {
				check("no cluster ID", withNode(at, i, func(n *inventory.Node) { n.ClusterID = "" }), reflectors...)
			}
			if proof := step(before, at, reflectors...); proof.LostAfter.Count > 0 {
				t.Errorf("when all have lost their IDs: lost %+v", proof.LostAfter)
			}
			if proof := check("no BGPPeers", withoutPeers(at), reflectors...); proof.LostAfter.Count > 0 {
				t.Errorf("without BGPPeers: lost %+v", proof.LostAfter)
			}
			for i := range size.reflectors {
				check("no label", withNode(at, i, func(n *inventory.Node) { delete(n.Labels, seedLabel) }))
			}
		})
	}
}
