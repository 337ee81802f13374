package birdconf

import (
	"net/netip"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// FuzzRender: what BGPPeers and nodes say cannot end a block of the configuration and
// begin another. (Names of filters and the values in them are bound by Calico's
// definitions, which the API server keeps to.)
func FuzzRender(f *testing.F) {
	f.Add("n1", "", "10.0.0.2:180", "224.0.0.1", "all()", "secret")
	f.Add("", "has(a)", "", "10.0.0.0/8", "has(a)", "x\"; } protocol static { route 0.0.0.0/0 blackhole;")
	f.Add("", "all()", "", "1.2.3.4; } protocol bgp x {", "all()", "\n}\n")
	f.Add("n2", "", "fe80::1%eth0", "\x1b[2J", "!!", "\\")
	f.Fuzz(func(t *testing.T, node, selector, address, id, peers, password string) {
		in := &Input{
			Nodes: []inventory.Node{
				{Name: "n1", IPv4: netip.MustParseAddr("10.0.0.1"), ClusterID: id, Labels: map[string]string{"a": id}},
				{Name: "n2", IPv4: netip.MustParseAddr("10.0.0.2"), IPv6: netip.MustParseAddr("2001:db8::2")},
			},
			Peers: []calico.BGPPeer{{
				ObjectMeta: metav1.ObjectMeta{Name: "p"},
				Spec:       calico.BGPPeerSpec{Node: node, NodeSelector: selector, PeerIP: address, PeerSelector: peers, ASNumber: 64512},
			}},
		}
		for _, family := range []Family{IPv4, IPv6} {
			all, _ := Derive(in, family, nil)
			for i := range in.Nodes {
				protocols := all[in.Nodes[i].Name]
				for j := range protocols {
					protocols[j].Password = password
				}
				text := Render(in, family, &in.Nodes[i], protocols)
				if got := strings.Count(text, "\nprotocol bgp "); got != len(protocols) {
					t.Fatalf("%d BGP protocols, want %d:\n%s", got, len(protocols), text)
				}
				if got := strings.Count(text, "\nprotocol static "); got != 1 {
					t.Fatalf("%d static protocols:\n%s", got, text)
				}
				for line := range strings.Lines(text) {
					if cluster, ok := strings.CutPrefix(strings.TrimSpace(line), "rr cluster id "); ok && strings.ContainsAny(cluster, " {}\x1b") {
						t.Fatalf("cluster ID %q", cluster)
					}
				}
			}
		}
	})
}
