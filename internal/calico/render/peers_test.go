package render

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

var update = flag.Bool("update", false, "write the golden files anew")

func node(name, v4, v6 string) *inventory.Node {
	n := &inventory.Node{Name: name}
	if v4 != "" {
		n.IPv4 = netip.MustParseAddr(v4)
	}
	if v6 != "" {
		n.IPv6 = netip.MustParseAddr(v6)
	}
	return n
}

func TestGoldenPeers(t *testing.T) {
	t.Parallel()
	plain := Options{}
	protected := Options{
		Password: &calico.BGPPassword{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "bgp"}, Key: "mesh",
		}},
		MaxRestartTime: &metav1.Duration{Duration: 5 * time.Minute},
	}
	a, b := node("alpha", "10.0.0.1", "2001:db8::1"), node("beta", "10.0.0.2", "2001:db8::2")
	other := node("gamma", "10.0.0.3", "")
	other.ASNumber = 64999
	long := node(strings.Repeat("n", 63)+"."+strings.Repeat("o", 63)+"."+strings.Repeat("p", 63)+"."+strings.Repeat("q", 61), "10.0.0.4", "")

	tests := []struct {
		file  string
		peers []*calico.BGPPeer
	}{
		{"clients.yaml", []*calico.BGPPeer{Clients("all", plain)}},
		{"clients-protected.yaml", []*calico.BGPPeer{Clients("all", protected)}},
		{"pins-dual-stack.yaml", pins(b, a, plain)},
		{"pins-protected.yaml", pins(a, node("beta", "10.0.0.2", ""), protected)},
		{"pin-own-as.yaml", pins(a, other, plain)},
		{"pin-long-names.yaml", pins(a, long, plain)},
		{"pin-dotted-names.yaml", pins(node("w1.example.org", "10.0.0.5", ""), node("w2.example.org", "10.0.0.6", ""), plain)},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			var documents []string
			for _, peer := range tt.peers {
				peer.TypeMeta = metav1.TypeMeta{APIVersion: calico.GroupV3.String(), Kind: "BGPPeer"}
				text, err := yaml.Marshal(peer)
				if err != nil {
					t.Fatal(err)
				}
				documents = append(documents, string(text))
			}
			golden(t, tt.file, strings.Join(documents, "---\n"))
		})
	}
}

// pins are all that the two nodes need.
func pins(senior, junior *inventory.Node, options Options) []*calico.BGPPeer {
	var out []*calico.BGPPeer
	for _, address := range Families(senior, junior) {
		out = append(out, Pin(senior, junior, address, 64512, options))
	}
	return out
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestRoleLabels(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"tapetum.node-restriction.kubernetes.io/reflector":   "core",
		"tapetum.node-restriction.kubernetes.io/serves.all":  "true",
		"tapetum.node-restriction.kubernetes.io/serves.rack": "true",
	}
	if diff := cmp.Diff(want, RoleLabels("core", []string{"all", "rack"})); diff != "" {
		t.Errorf("RoleLabels (-want +got):\n%s", diff)
	}
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	v4, v6, both := node("a", "10.0.0.1", ""), node("b", "", "2001:db8::2"), node("c", "10.0.0.3", "2001:db8::3")
	tests := []struct {
		name string
		a, b *inventory.Node
		want string
	}{
		{"nothing in common", v4, v6, ""},
		{"one side has no address", v4, node("d", "", ""), ""},
		{"the other side's IPv4", v4, both, "10.0.0.3"},
		{"the other side's IPv6", v6, both, "2001:db8::3"},
		{"towards the single one", both, v4, "10.0.0.1"},
		{"both", both, node("d", "10.0.0.4", "2001:db8::4"), "10.0.0.4 2001:db8::4"},
	}
	for _, tt := range tests {
		var got []string
		for _, address := range Families(tt.a, tt.b) {
			got = append(got, address.String())
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%s: Families gives %q, want %q", tt.name, text, tt.want)
		}
	}
}

func TestOptionsOf(t *testing.T) {
	t.Parallel()
	want := Options{
		Password:       &calico.BGPPassword{SecretKeyRef: &corev1.SecretKeySelector{Key: "mesh"}},
		MaxRestartTime: &metav1.Duration{Duration: time.Minute},
	}
	if diff := cmp.Diff(want, OptionsOf(Clients("all", want))); diff != "" {
		t.Errorf("options read back (-want +got):\n%s", diff)
	}
}

func TestPinNames(t *testing.T) {
	t.Parallel()
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	long := strings.Repeat("a", 250)
	seen := map[string]string{}
	for _, pair := range [][2]string{
		{"a", "b"}, {"a.b", "c"}, {"a", "b.c"}, {"a-b", "c"}, {"a", "b-c"}, {long, "b"}, {long, "c"}, {long + "b.c", "d"}, {long + "b", "c.d"},
	} {
		for _, address := range []netip.Addr{v4, v6} {
			name := pinName(pair[0], pair[1], address)
			if reverse := pinName(pair[1], pair[0], address); reverse != name {
				t.Errorf("pin of %v is named %s one way and %s the other", pair, name, reverse)
			}
			if problems := validation.IsDNS1123Subdomain(name); problems != nil {
				t.Errorf("pin of %v is named %s: %v", pair, name, problems)
			}
			key := pair[0] + "/" + pair[1] + "/" + address.String()
			if seen[name] != "" {
				t.Errorf("pins of %s and %s are both named %s", seen[name], key, name)
			}
			seen[name] = key
		}
	}
}
