package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// newInput makes n nodes n000, n001, … in as many zones, the mesh off.
func newInput(n, zones int) Input {
	var in Input
	for i := range n {
		in.Nodes = append(in.Nodes, inventory.Node{
			Name:   nodeName(i),
			Ready:  true,
			OS:     "linux",
			IPv4:   address(IPv4, i),
			Labels: map[string]string{"zone": fmt.Sprint(i % max(zones, 1))},
		})
	}
	return in.withMesh(false)
}

func nodeName(i int) string { return fmt.Sprintf("n%03d", i) }

func address(f Family, i int) netip.Addr {
	if f == IPv4 {
		return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	return netip.MustParseAddr(fmt.Sprintf("fd00::%x", i+1))
}

func (in Input) dual() Input {
	in = in.clone()
	for i := range in.Nodes {
		in.Nodes[i].IPv6 = address(IPv6, i)
	}
	return in
}

func (in Input) withMesh(on bool) Input {
	in.Configurations = []calico.BGPConfiguration{{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec:       calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &on},
	}}
	return in
}

// clone copies what the helpers below change.
func (in Input) clone() Input {
	in.Nodes = slices.Clone(in.Nodes)
	for i := range in.Nodes {
		in.Nodes[i].Labels = maps.Clone(in.Nodes[i].Labels)
	}
	in.Peers = slices.Clone(in.Peers)
	in.Filters = slices.Clone(in.Filters)
	return in
}

// role sets cluster ID and labels ("key" or "key=value", "-key" to remove).
func (in Input) role(node int, id string, labels ...string) Input {
	in = in.clone()
	in.Nodes[node].ClusterID = id
	return in.label(node, labels...)
}

func (in Input) label(node int, labels ...string) Input {
	in = in.clone()
	for _, l := range labels {
		if key, ok := strings.CutPrefix(l, "-"); ok {
			delete(in.Nodes[node].Labels, key)
			continue
		}
		key, value, _ := strings.Cut(l, "=")
		in.Nodes[node].Labels[key] = value
	}
	return in
}

func (in Input) peer(name string, spec calico.BGPPeerSpec) Input {
	in.Peers = slices.DeleteFunc(slices.Clone(in.Peers), func(p calico.BGPPeer) bool { return p.Name == name })
	in.Peers = append(in.Peers, calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec})
	return in
}

func (in Input) selectors(name, local, remote string, filters ...string) Input {
	return in.peer(name, calico.BGPPeerSpec{NodeSelector: local, PeerSelector: remote, Filters: filters})
}

// pin is a BGPPeer from a senior reflector to the address of a junior.
func (in Input) pin(f Family, senior, junior int) Input {
	return in.peer(pinName(f, senior, junior), calico.BGPPeerSpec{
		Node: nodeName(senior), PeerIP: address(f, junior).String(), ASNumber: defaultAS,
	})
}

func pinName(f Family, senior, junior int) string {
	return fmt.Sprintf("pin-%d-%d-%s", senior, junior, strings.ToLower(f.String()))
}

func (in Input) without(peer string) Input {
	in = in.clone()
	n := len(in.Peers)
	in.Peers = slices.DeleteFunc(in.Peers, func(p calico.BGPPeer) bool { return p.Name == peer })
	if len(in.Peers) == n {
		panic("no BGPPeer " + peer)
	}
	return in
}

const tag = "64512:4242"

// withTagFilter adds the filter that restores one hop over the reflector mesh.
func (in Input) withTagFilter() Input {
	in = in.clone()
	imports := []calico.BGPFilterRule{{Action: "Accept", Operations: []calico.BGPFilterOperation{
		{AddCommunity: &calico.BGPFilterAddCommunity{Value: tag}}}}}
	exports := []calico.BGPFilterRule{{Action: "Reject", Communities: &calico.BGPFilterCommunities{Values: []string{tag}}}}
	in.Filters = append(in.Filters, calico.BGPFilter{
		ObjectMeta: metav1.ObjectMeta{Name: "one-hop"},
		Spec:       calico.BGPFilterSpec{ImportV4: imports, ImportV6: imports, ExportV4: exports, ExportV6: exports},
	})
	return in
}

func secret(name string) *corev1.SecretKeySelector {
	return &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: "password"}
}
