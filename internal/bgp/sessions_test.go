package bgp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
)

// listening sets the listen port of the cluster, or of a node.
func (in Input) listening(name string, port uint16) Input {
	c := calico.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, old := range in.Configurations {
		if old.Name == name {
			c = old
		}
	}
	c.Spec.ListenPort = port
	in.Configurations = append(in.Configurations[:0:0], in.Configurations...)
	for i := range in.Configurations {
		if in.Configurations[i].Name == name {
			in.Configurations[i] = c
			return in
		}
	}
	in.Configurations = append(in.Configurations, c)
	return in
}

// brief describes the sessions of a node: remote and name, with marks for a client
// (c), eBGP (e), an ambiguous one (?) and what waits (+).
func brief(n *Network, node int) []string {
	out := []string{}
	for _, s := range n.SessionsOf(nodeName(node)) {
		text := s.Remote + " " + s.Name()
		if s.Client {
			text += " c"
		}
		if s.EBGP {
			text += " e"
		}
		if s.Ambiguous {
			text += " ?"
		}
		if len(s.Waiting) > 0 {
			text += " +" + strings.Join(s.Waiting, ",")
		}
		out = append(out, text)
	}
	return out
}

func TestSessions(t *testing.T) {
	two := newInput(2, 1)
	rr := two.role(0, oneID(0), "rr").selectors("clients", "!has(rr)", "has(rr)")
	ownAS := func(in Input, node int, as uint32) Input {
		in = in.clone()
		in.Nodes[node].ASNumber = as
		return in
	}
	pinTo1 := calico.BGPPeerSpec{Node: nodeName(0), PeerIP: "10.0.0.1", ASNumber: defaultAS}
	with := func(s calico.BGPPeerSpec, edit func(*calico.BGPPeerSpec)) calico.BGPPeerSpec {
		edit(&s)
		return s
	}
	tests := []struct {
		name string
		in   Input
		want []string // of node 0
	}{
		{"mesh", two.withMesh(true), []string{"n001 Mesh_10_0_0_1"}},
		{"mesh by default", Input{Nodes: two.Nodes}, []string{"n001 Mesh_10_0_0_1"}},
		{"mesh, dual stack", two.dual().withMesh(true), []string{"n001 Mesh_10_0_0_1", "n001 Mesh_fd00__2"}},
		{"mesh off", two, []string{}},
		{"mesh: port is no part of the name", two.withMesh(true).listening("default", 1790), []string{"n001 Mesh_10_0_0_1"}},
		{"mesh: not with a reflector", two.withMesh(true).role(1, oneID(0)), []string{}},
		{"mesh: with an invalid cluster ID", two.withMesh(true).role(1, "rr-1"), []string{"n001 Mesh_10_0_0_1"}},
		{"reflector's client by selector", rr, []string{"n001 Node_10_0_0_1 c"}},
		{"port 179 written out is in the name", rr.listening("default", 179), []string{"n001 Node_10_0_0_1_port_179 c"}},
		{"the neighbor's own port", rr.listening("node."+nodeName(1), 1791), []string{"n001 Node_10_0_0_1_port_1791 c"}},
		{"mesh and BGPPeer at once", two.withMesh(true).selectors("x", "all()", "all()"), []string{"n001 Mesh_10_0_0_1 +Node_10_0_0_1"}},
		{"global", two.selectors("x", "", "all()"), []string{"n001 Global_10_0_0_1"}},
		{"global wins over node", two.selectors("x", "", "all()").selectors("y", "all()", "all()"), []string{"n001 Global_10_0_0_1"}},
		{"global on one side, node on the other", two.selectors("x", "", "kubernetes.io/none == 'x' || zone == '0'").role(1, oneID(0)),
			[]string{"n001 Global_10_0_0_1"}},
		{"manual on one side only", two.peer("x", calico.BGPPeerSpec{Node: nodeName(0), PeerSelector: "all()", ReversePeering: "Manual"}), []string{}},
		{"manual on both", two.peer("x", calico.BGPPeerSpec{NodeSelector: "all()", PeerSelector: "all()", ReversePeering: "Manual"}),
			[]string{"n001 Node_10_0_0_1"}},
		{"same IDs", two.role(0, oneID(0)).role(1, oneID(0)).selectors("x", "all()", "all()"), []string{"n001 Node_10_0_0_1"}},
		{"different IDs", two.role(0, ownID(0)).role(1, ownID(1)).selectors("x", "all()", "all()"), []string{"n001 Node_10_0_0_1 c"}},
		{"same IDs, pinned", two.role(0, oneID(0)).role(1, oneID(0)).peer("x", pinTo1), []string{"n001 Node_10_0_0_1 c"}},
		{"by address: wrong AS", two.peer("x", with(pinTo1, func(s *calico.BGPPeerSpec) { s.ASNumber = 64999 })), []string{}},
		{"by address: no AS, BIRD refuses", two.peer("x", with(pinTo1, func(s *calico.BGPPeerSpec) { s.ASNumber = 0 })), []string{}},
		{"by address: the node's port is found", two.listening("node."+nodeName(1), 1791).peer("x", pinTo1), []string{"n001 Node_10_0_0_1_port_1791"}},
		{"by address: wrong port, the other end connects", two.peer("x", with(pinTo1, func(s *calico.BGPPeerSpec) { s.PeerIP += ":99" })),
			[]string{"n001 Node_10_0_0_1_port_99"}},
		{"forward pin wins over reverse", rr.pin(IPv4, 0, 1), []string{"n001 Node_10_0_0_1 c"}},
		{"two forward BGPPeers that know different things", two.role(0, oneID(0)).role(1, oneID(0)).peer("x", pinTo1).selectors("y", "all()", "all()"),
			[]string{"n001 Node_10_0_0_1 c ?"}},
		{"two forward BGPPeers that say the same", rr.selectors("y", "!has(rr)", "has(rr)"), []string{"n001 Node_10_0_0_1 c"}},
		{"two forward BGPPeers with different options", two.selectors("y", "all()", "all()").peer("x", with(pinTo1, func(s *calico.BGPPeerSpec) { s.SourceAddress = "None" })),
			[]string{"n001 Node_10_0_0_1 ?"}},
		{"password on one end only", two.peer("x", with(pinTo1, func(s *calico.BGPPeerSpec) {
			s.ReversePeering = "Manual"
			s.Password = &calico.BGPPassword{SecretKeyRef: secret("a")}
		})).selectors("y", "all()", "all()"), []string{}},
		{"selector that does not parse", two.selectors("x", "all()", "has("), []string{}},
		{"sessions with pods are no sessions of nodes", two.peer("x", calico.BGPPeerSpec{LocalWorkloadSelector: "all()", ASNumber: 65000}), []string{}},
		{"eBGP", ownAS(two, 1, 64999).selectors("x", "all()", "all()"), []string{"n001 Node_10_0_0_1 e"}},
		{"eBGP makes no client", ownAS(rr, 1, 64999), []string{"n001 Node_10_0_0_1 e"}},
		{"no common family", func() Input {
			in := two.dual().withMesh(true)
			in.Nodes[0].IPv6, in.Nodes[1].IPv4 = in.Nodes[0].IPv4, in.Nodes[1].IPv6
			in.Nodes[0].IPv6, in.Nodes[1].IPv4 = newInput(1, 1).Nodes[0].IPv6, newInput(1, 1).Nodes[0].IPv6
			return in
		}(), []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, brief(Build(tt.in), 0)); diff != "" {
				t.Errorf("sessions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExternals(t *testing.T) {
	in := newInput(3, 1).peer("tor", calico.BGPPeerSpec{PeerIP: "192.0.2.1", ASNumber: 65001}).
		peer("second", calico.BGPPeerSpec{Node: nodeName(1), PeerIP: "192.0.2.2:1179", ASNumber: 64512}).
		peer("suppressed", calico.BGPPeerSpec{Node: nodeName(1), PeerIP: "192.0.2.1", ASNumber: 65001})
	n := Build(in)
	var got []string
	for i := range 2 {
		for _, e := range n.ExternalsOf(nodeName(i)) {
			got = append(got, fmt.Sprint(e.Local, " ", e.Name, " ", e.PeerAS, " ", e.EBGP, " ", e.BGPPeer))
		}
		if s := n.SessionsOf(nodeName(i)); len(s) > 0 {
			t.Errorf("sessions between nodes: %v", s)
		}
	}
	want := []string{
		"n000 Global_192_0_2_1 65001 true tor",
		"n001 Global_192_0_2_1 65001 true tor",
		"n001 Node_192_0_2_2_port_1179 64512 false second",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
