package bgp

import (
	"net/netip"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// FuzzBuild: no BGPPeer, filter or cluster ID of strangers makes the model panic, or
// find a session that only one of its two ends has.
func FuzzBuild(f *testing.F) {
	f.Add("", "all()", "has(a)", "", "224.0.0.1", "f", "10.0.0.0/8", "x", "64512:1")
	f.Add("n1", "", "", "10.0.0.2:179", "10.0.0.0/8", "", "", "In", "")
	f.Add("n1", "all()", "global()", "fe80::1%eth0", "\x1b", "f", "::/0", "NotEqual", "rule:x")
	f.Add("n9", "a == 'b", "!!!", "[::1]:0", "0.0.0.0", "g", "not a network", "Equal", "65536:65536")
	f.Fuzz(func(t *testing.T, node, nodes, peers, address, id, filter, cidr, operator, community string) {
		in := Input{
			Nodes: []inventory.Node{
				{Name: "n1", IPv4: netip.MustParseAddr("10.0.0.1"), IPv6: netip.MustParseAddr("2001:db8::1"), ClusterID: id, Labels: map[string]string{"a": id}},
				{Name: "n2", IPv4: netip.MustParseAddr("10.0.0.2"), Labels: map[string]string{"a": filter}},
				{Name: "n3", IPv4: netip.MustParseAddr("10.0.0.2"), IPv6: netip.MustParseAddr("2001:db8::3"), ASNumber: 65000},
			},
			Peers: []calico.BGPPeer{{
				ObjectMeta: metav1.ObjectMeta{Name: filter},
				Spec: calico.BGPPeerSpec{
					Node: node, NodeSelector: nodes, PeerSelector: peers, PeerIP: address, ASNumber: 64512, Filters: []string{filter},
					SourceAddress: operator, ReversePeering: operator, LocalWorkloadSelector: community,
				},
			}},
			Filters: []calico.BGPFilter{{
				ObjectMeta: metav1.ObjectMeta{Name: filter},
				Spec: calico.BGPFilterSpec{
					ImportV4: []calico.BGPFilterRule{{CIDR: cidr, MatchOperator: operator, Action: operator, Communities: &calico.BGPFilterCommunities{Values: []string{community}}}},
					ExportV4: []calico.BGPFilterRule{{Action: "Reject", Source: operator, Operations: []calico.BGPFilterOperation{{AddCommunity: &calico.BGPFilterAddCommunity{Value: community}}}}},
				},
			}},
		}
		network := Build(in)
		sessions := map[[2]string]int{}
		for i := range in.Nodes {
			for _, session := range network.SessionsOf(in.Nodes[i].Name) {
				sessions[[2]string{session.Local, session.Remote}]++
			}
		}
		for ends, count := range sessions {
			if back := sessions[[2]string{ends[1], ends[0]}]; back != count {
				t.Errorf("%v have %d sessions, seen from the other end %d", ends, count, back)
			}
		}
		report := network.Report(ReportOptions{})
		for _, finding := range report.Findings {
			if finding.Message == "" || finding.Severity == "" {
				t.Errorf("finding %+v", finding)
			}
		}
	})
}
