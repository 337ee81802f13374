package birdconf

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	id   = "224.0.0.1"
	role = "role"
)

// nodes returns a, b, c and so on, of both families, with the given cluster IDs.
// Those that have one carry the label of the role too.
func nodes(ids ...string) []inventory.Node {
	var out []inventory.Node
	for i, clusterID := range ids {
		name := string(rune('a' + i))
		n := inventory.Node{
			Name: name, Labels: map[string]string{"name": name}, ClusterID: clusterID,
			IPv4: netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i)}), IPv6: netip.MustParseAddr("fd00::" + string(rune('1'+i))),
		}
		if clusterID != "" {
			n.Labels[role] = "true"
		}
		out = append(out, n)
	}
	return out
}

func peer(name string, spec calico.BGPPeerSpec) calico.BGPPeer {
	return calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

func clients() calico.BGPPeer {
	return peer("clients", calico.BGPPeerSpec{NodeSelector: "!has(role)", PeerSelector: "has(role)"})
}

func mesh(on bool) []calico.BGPConfiguration {
	return []calico.BGPConfiguration{{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &on}}}
}

// said puts the protocols of a node into one line each.
func said(protocols []Protocol) []string {
	out := []string{}
	for _, p := range protocols {
		text := p.Name
		if p.ClusterID != "" {
			text += " client of " + p.ClusterID
		}
		if p.Passive {
			text += " passive"
		}
		out = append(out, text)
	}
	return out
}

func TestDerive(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		input Input
		want  map[string][]string
	}{
		{
			name:  "mesh: the higher address dials",
			input: Input{Nodes: nodes("", "", "")},
			want: map[string][]string{
				"a": {"Mesh_10_0_0_2 passive", "Mesh_10_0_0_3 passive"},
				"b": {"Mesh_10_0_0_1", "Mesh_10_0_0_3 passive"},
				"c": {"Mesh_10_0_0_1", "Mesh_10_0_0_2"},
			},
		},
		{
			name:  "a cluster ID leaves the mesh on both sides",
			input: Input{Nodes: nodes(id, "", "")},
			want:  map[string][]string{"a": {}, "b": {"Mesh_10_0_0_3 passive"}, "c": {"Mesh_10_0_0_2"}},
		},
		{
			name:  "clients of a reflector beside the mesh",
			input: Input{Nodes: nodes(id, "", ""), Peers: []calico.BGPPeer{clients()}},
			want: map[string][]string{
				"a": {"Node_10_0_0_2 client of " + id, "Node_10_0_0_3 client of " + id},
				"b": {"Mesh_10_0_0_3 passive", "Node_10_0_0_1"},
				"c": {"Mesh_10_0_0_2", "Node_10_0_0_1"},
			},
		},
		{
			name: "reflectors that know each other's cluster ID are no clients",
			input: Input{
				Nodes: nodes(id, id), Configurations: mesh(false),
				Peers: []calico.BGPPeer{peer("m", calico.BGPPeerSpec{NodeSelector: "has(role)", PeerSelector: "has(role)"})},
			},
			want: map[string][]string{"a": {"Node_10_0_0_2"}, "b": {"Node_10_0_0_1"}},
		},
		{
			name: "a pin hides the junior's cluster ID from the senior",
			input: Input{
				Nodes: nodes(id, id), Configurations: mesh(false),
				Peers: []calico.BGPPeer{peer("pin", calico.BGPPeerSpec{Node: "a", PeerIP: "10.0.0.2", ASNumber: 64512})},
			},
			want: map[string][]string{"a": {"Node_10_0_0_2 client of " + id}, "b": {"Node_10_0_0_1"}},
		},
		{
			name: "a pin changes nothing before the junior has the role",
			input: Input{
				Nodes: nodes(id, ""), Configurations: mesh(false),
				Peers: []calico.BGPPeer{clients(), peer("pin", calico.BGPPeerSpec{Node: "a", PeerIP: "10.0.0.2", ASNumber: 64512})},
			},
			want: map[string][]string{"a": {"Node_10_0_0_2 client of " + id}, "b": {"Node_10_0_0_1"}},
		},
		{
			name: "reflectors of other cluster IDs are each other's clients",
			input: Input{
				Nodes: nodes("1.1.1.1", "2.2.2.2"), Configurations: mesh(false),
				Peers: []calico.BGPPeer{peer("m", calico.BGPPeerSpec{NodeSelector: "has(role)", PeerSelector: "has(role)"})},
			},
			want: map[string][]string{"a": {"Node_10_0_0_2 client of 1.1.1.1"}, "b": {"Node_10_0_0_1 client of 2.2.2.2"}},
		},
		{
			name: "a global peer of all nodes keeps others to the same address away",
			input: Input{
				Nodes: nodes("", ""), Configurations: mesh(false),
				Peers: []calico.BGPPeer{
					peer("g", calico.BGPPeerSpec{PeerIP: "10.0.0.2", ASNumber: 64512}),
					peer("n", calico.BGPPeerSpec{Node: "a", PeerIP: "10.0.0.2", ASNumber: 64512}),
				},
			},
			want: map[string][]string{"a": {"Global_10_0_0_2 passive"}, "b": {"Node_10_0_0_1"}},
		},
		{
			name: "nobody peers back where that is left to people",
			input: Input{
				Nodes: nodes("", ""), Configurations: mesh(false),
				Peers: []calico.BGPPeer{peer("n", calico.BGPPeerSpec{Node: "a", PeerSelector: `name == "b"`, ReversePeering: "Manual"})},
			},
			want: map[string][]string{"a": {"Node_10_0_0_2"}, "b": {}},
		},
		{
			name: "a selector that cannot be parsed matches nobody",
			input: Input{
				Nodes: nodes("", ""), Configurations: mesh(false),
				Peers: []calico.BGPPeer{peer("n", calico.BGPPeerSpec{NodeSelector: "all()", PeerSelector: "name =="})},
			},
			want: map[string][]string{"a": {}, "b": {}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			derived, conflicts := Derive(&tt.input, IPv4, nil)
			got := map[string][]string{}
			for node, protocols := range derived {
				got[node] = said(protocols)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("protocols (-want +got):\n%s", diff)
			}
			if len(conflicts) > 0 {
				t.Errorf("conflicts %v, want none", conflicts)
			}
		})
	}
}

// TestFamiliesApart: a pin of one family says nothing about the other.
func TestFamiliesApart(t *testing.T) {
	t.Parallel()
	in := Input{
		Nodes: nodes(id, id), Configurations: mesh(false),
		Peers: []calico.BGPPeer{peer("pin", calico.BGPPeerSpec{Node: "a", PeerIP: "fd00::2", ASNumber: 64512})},
	}
	v4, _ := Derive(&in, IPv4, nil)
	v6, _ := Derive(&in, IPv6, nil)
	if len(v4["a"])+len(v4["b"]) > 0 {
		t.Errorf("IPv4 protocols %v and %v, want none", said(v4["a"]), said(v4["b"]))
	}
	if diff := cmp.Diff([]string{"Node_fd00__2 client of " + id}, said(v6["a"])); diff != "" {
		t.Errorf("IPv6 protocols of the senior (-want +got):\n%s", diff)
	}
}

// TestChance: where two BGPPeers cover the same neighbor with different options,
// their order decides, and that is said.
func TestChance(t *testing.T) {
	t.Parallel()
	minute := &metav1.Duration{Duration: time.Minute}
	in := Input{
		Nodes: nodes("", ""), Configurations: mesh(false),
		Peers: []calico.BGPPeer{
			peer("x", calico.BGPPeerSpec{Node: "a", PeerSelector: `name == "b"`}),
			peer("y", calico.BGPPeerSpec{Node: "a", PeerSelector: `name == "b"`, MaxRestartTime: minute}),
		},
	}
	first, conflicts := Derive(&in, IPv4, nil)
	second, _ := Derive(&in, IPv4, func(int) []int { return []int{1, 0} })
	if first["a"][0].Restart != nil || second["a"][0].Restart != minute {
		t.Errorf("the first BGPPeer taken does not win: %v, %v", first["a"], second["a"])
	}
	if !slices.Contains(conflicts, "a -> 10.0.0.2") {
		t.Errorf("conflicts %v, want that of a with b", conflicts)
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	minute := &metav1.Duration{Duration: time.Minute}
	in := Input{
		Nodes: nodes(id, id, ""), Configurations: mesh(true), Pools: []netip.Prefix{netip.MustParsePrefix("10.64.0.0/16"), netip.MustParsePrefix("fd64::/64")},
		Blocks: map[string][]netip.Prefix{"a": {netip.MustParsePrefix("10.64.0.0/26"), netip.MustParsePrefix("fd64::/122")}},
		Filters: []calico.BGPFilter{{ObjectMeta: metav1.ObjectMeta{Name: "tags"}, Spec: calico.BGPFilterSpec{
			ExportV4: []calico.BGPFilterRule{{Action: "Reject", Communities: &calico.BGPFilterCommunities{Values: []string{"64512:7"}}}},
			ImportV4: []calico.BGPFilterRule{{
				Action: "Accept", CIDR: "10.64.0.0/16", MatchOperator: "In",
				Operations: []calico.BGPFilterOperation{{AddCommunity: &calico.BGPFilterAddCommunity{Value: "64512:7"}}},
			}},
		}}},
		Peers: []calico.BGPPeer{
			clients(),
			peer("pin", calico.BGPPeerSpec{
				Node: "a", PeerIP: "10.0.0.2", ASNumber: 64512, MaxRestartTime: minute, KeepaliveTime: minute, Filters: []string{"tags", "gone"},
				Password: &calico.BGPPassword{SecretKeyRef: secret("bgp", "key")},
			}),
		},
	}
	for family, suffix := range map[Family]string{IPv4: "v4", IPv6: "v6"} {
		protocols, _ := Derive(&in, family, nil)
		got := Render(&in, family, &in.Nodes[0], protocols["a"])
		path := filepath.Join("testdata", "reflector-"+suffix+".conf")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s (-want +got), -update writes it anew:\n%s", path, diff)
		}
	}
}

func secret(name, key string) *corev1.SecretKeySelector {
	return &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key}
}
