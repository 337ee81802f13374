package render

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/selector"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// FuzzRead: no BGPPeer with our label, however somebody has edited it, makes the reader
// panic, gets lost, or is told in another way when the order of the list changes.
func FuzzRead(f *testing.F) {
	a, b := &inventory.Node{Name: "a", IPv4: netip.MustParseAddr("10.0.0.1")}, &inventory.Node{Name: "b", IPv4: netip.MustParseAddr("10.0.0.2")}
	pin := Pin(a, b, b.IPv4, 64512, Options{})
	for _, peer := range []*calico.BGPPeer{
		pin, Clients("all", Options{}), Reflectors(true, Options{}), Racks(Options{}), Twin(Racks(Options{}), Options{}), Exclude(Clients("all", Options{})),
		GroupPeer(topology.Group{Name: "a-1"}, Options{}), {},
	} {
		f.Add(peer.Name, peer.Spec.Node, peer.Spec.PeerIP, peer.Spec.NodeSelector, peer.Spec.PeerSelector)
	}
	f.Add("tapetum-pin-", "a", "10.0.0.2%eth0", notRenewed, notRenewed)
	f.Fuzz(func(t *testing.T, name, node, address, nodes, peers string) {
		odd := calico.BGPPeer{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: Ours()},
			Spec:       calico.BGPPeerSpec{Node: node, PeerIP: address, NodeSelector: nodes, PeerSelector: peers},
		}
		list := []calico.BGPPeer{*pin.DeepCopy(), odd, *Clients("all", Options{})}
		if name == pin.Name || name == ClientsName {
			list = []calico.BGPPeer{odd}
		}
		cluster := []inventory.Node{*a, *b}
		standing := Read(cluster, list, nil)
		if got := len(standing.All()); got != len(list) {
			t.Fatalf("%d of %d BGPPeers are told: %+v", got, len(list), standing)
		}
		slices.Reverse(list)
		if diff := cmp.Diff(standing, Read(cluster, list, nil), cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
			t.Fatalf("in another order:\n%s", diff)
		}
		for _, pin := range standing.Pins {
			if pin.Senior == pin.Junior || pin.Address != a.IPv4 && pin.Address != b.IPv4 {
				t.Fatalf("pin %+v", pin)
			}
		}
		for _, group := range standing.Groups {
			GroupOf(group)
		}
	})
}

// FuzzReadCatchAll: what is taken for a selector of ours is one for Calico too, and
// leaves out just what it is read to leave out.
func FuzzReadCatchAll(f *testing.F) {
	f.Add(EveryClient, "zone", "a")
	f.Add(CatchAll(zones("zone", "a", "b")), "zone", "a")
	f.Add("("+CatchAll(zones("zone", "a"))+orBetween+CatchAll(shardsOnly)+")", "zone", "a")
	f.Add(EveryClient+" && !(a) || (b in {'x'})", "b", "x")
	f.Add(EveryClient+" && !(a in {'x', 'y'}) && !(a in {'z'})", "a", "z")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		set, ok := ReadCatchAll(text)
		if !ok {
			return
		}
		parsed, err := selector.Parse(text)
		if err != nil {
			t.Fatalf("%q is taken, and is no selector: %v", text, err)
		}
		for _, labels := range []map[string]string{{}, {key: value}, {key: value, v1alpha1.SettledLabel: "x"}, {key: value, v1alpha1.ReflectorLabel: "core"}} {
			_, reflector := labels[v1alpha1.ReflectorLabel]
			_, settled := labels[v1alpha1.SettledLabel]
			want := !reflector && slices.ContainsFunc(set, func(term leftOut) bool {
				for label, value := range labels {
					if term[label+"="+quote(value)] {
						return false
					}
				}
				return !settled || !term[isSettled]
			})
			if got := parsed.Matches(labels); got != want {
				t.Fatalf("%q takes %v in: %v, read as %v", text, labels, got, set)
			}
		}
	})
}

// FuzzReadGroupSelector: what is taken for a group's selector is one, of clients only.
func FuzzReadGroupSelector(f *testing.F) {
	f.Add(GroupPeer(topology.Group{Name: "a", Label: "zone", Value: "a"}, Options{}).Spec.NodeSelector, "zone", "a")
	f.Add(EveryClient+" && a == 'b' || c == 'd'", "c", "d")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		if !ReadGroupSelector(text) {
			return
		}
		parsed, err := selector.Parse(text)
		if err != nil {
			t.Fatalf("%q is taken, and is no selector: %v", text, err)
		}
		if labels := map[string]string{key: value, v1alpha1.ReflectorLabel: "core"}; parsed.Matches(labels) {
			t.Fatalf("%q takes the reflector %v in", text, labels)
		}
	})
}

// FuzzPinNames: pins have names that the API takes, the same in both directions.
func FuzzPinNames(f *testing.F) {
	f.Add("a", "b")
	f.Add("a.b", "c")
	f.Add("n1", "n1.example.com")
	f.Fuzz(func(t *testing.T, first, second string) {
		for _, name := range []string{first, second} {
			if len(validation.IsDNS1123Subdomain(name)) > 0 {
				return
			}
		}
		for _, text := range []string{"10.0.0.1", "2001:db8::1"} {
			address := netip.MustParseAddr(text)
			name := pinName(first, second, address)
			if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
				t.Errorf("%q: %v", name, problems)
			}
			if name != pinName(second, first, address) {
				t.Error("a pin has two names")
			}
		}
	})
}
