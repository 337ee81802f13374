package render

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// scene is a cluster to read from.
type scene struct {
	nodes    []inventory.Node
	peers    []calico.BGPPeer
	statuses []calico.CalicoNodeStatus
}

// newScene has n nodes of both families, named n1, n2, ...
func newScene(n int) *scene {
	s := &scene{}
	for i := 1; i <= n; i++ {
		s.nodes = append(s.nodes, *node(fmt.Sprintf("n%d", i), fmt.Sprintf("10.0.0.%d", i), fmt.Sprintf("2001:db8::%d", i)))
	}
	return s
}

func (s *scene) node(name string) *inventory.Node {
	i := slices.IndexFunc(s.nodes, func(n inventory.Node) bool { return n.Name == name })
	return &s.nodes[i]
}

// role gives nodes the whole role.
func (s *scene) role(names ...string) *scene {
	for _, name := range names {
		s.label(name)
		s.node(name).ClusterID = "224.0.0.1"
	}
	return s
}

func (s *scene) label(name string) { s.node(name).Labels = RoleLabels("core", []string{"all"}) }

func (s *scene) pin(senior, junior string) *scene {
	for _, peer := range pins(s.node(senior), s.node(junior), Options{}) {
		s.peers = append(s.peers, *peer)
	}
	return s
}

func (s *scene) read() Standing { return Read(s.nodes, s.peers, s.statuses) }

// packed hides an object's labels where Calico's v1 group hides them.
func packed(peer *calico.BGPPeer) calico.BGPPeer {
	out := peer.DeepCopy()
	out.Annotations = map[string]string{
		calico.MetadataAnnotation: `{"labels":{"app.kubernetes.io/managed-by":"tapetum"},"creationTimestamp":null}`,
	}
	out.Labels = nil
	return *out
}

func TestReadReflectors(t *testing.T) {
	t.Parallel()
	ours := func(node string, labels map[string]string) calico.CalicoNodeStatus {
		return calico.CalicoNodeStatus{
			ObjectMeta: metav1.ObjectMeta{Name: "status", Labels: labels}, Spec: calico.NodeStatusSpec{Node: node},
		}
	}
	tests := []struct {
		name  string
		scene func() *scene
		want  string
	}{
		{"nobody", func() *scene { return newScene(3) }, ""},
		{"without pins by name", func() *scene { return newScene(3).role("n3", "n1") }, "n1 n3"},
		{"somebody else's reflector", func() *scene {
			s := newScene(2)
			s.node("n1").ClusterID = "244.0.0.1"
			return s
		}, ""},
		{"by seniority", func() *scene {
			return newScene(3).role("n1", "n2", "n3").pin("n3", "n1").pin("n3", "n2").pin("n1", "n2")
		}, "n3 n1 n2"},
		{"the last pin is missing", func() *scene {
			return newScene(3).role("n1", "n2", "n3").pin("n3", "n2").pin("n2", "n1")
		}, "n3 n2 n1"},
		{"a circle of pins", func() *scene {
			return newScene(3).role("n1", "n2", "n3").pin("n1", "n2").pin("n2", "n3").pin("n3", "n1")
		}, "n1 n2 n3"},
		{"a circle below a senior", func() *scene {
			return newScene(4).role("n1", "n2", "n3", "n4").pin("n1", "n2").pin("n2", "n3").pin("n3", "n1").
				pin("n4", "n1").pin("n4", "n2").pin("n4", "n3")
		}, "n4 n1 n2 n3"},
		{"the two families contradict", func() *scene {
			s := newScene(2).role("n1", "n2")
			s.peers = append(s.peers,
				*Pin(s.node("n1"), s.node("n2"), s.node("n2").IPv4, 64512, Options{}),
				*Pin(s.node("n2"), s.node("n1"), s.node("n1").IPv6, 64512, Options{}))
			return s
		}, "n1 n2"},
		{"a pin to a node without the role yet", func() *scene { return newScene(3).role("n2").pin("n2", "n1") }, "n2"},
		{"only the label is left", func() *scene {
			s := newScene(2).role("n1")
			s.label("n2")
			return s
		}, "n1 n2"},
		{"the tier's label is erased, the group that it serves tells", func() *scene {
			s := newScene(3).role("n1", "n2")
			delete(s.node("n2").Labels, v1alpha1.ReflectorLabel)
			return s
		}, "n1 n2"},
		{"only the label of a group is left", func() *scene {
			s := newScene(2)
			s.node("n2").Labels = map[string]string{v1alpha1.ServesLabelPrefix + "a-1": "true"}
			return s
		}, "n2"},
		{"only the mark of new options is left", func() *scene {
			s := newScene(2)
			s.node("n2").Labels = map[string]string{v1alpha1.RenewedLabel: "true"}
			return s
		}, "n2"},
		{"a client's home is no role", func() *scene {
			s := newScene(2)
			s.node("n2").Labels = HomeLabels("a-1", true)
			return s
		}, ""},
		{"only the annotation is left, a pin speaks of it", func() *scene {
			s := newScene(2).role("n1").pin("n1", "n2")
			s.node("n2").ClusterID = "224.0.0.1"
			return s
		}, "n1 n2"},
		{"only the senior's annotation is left", func() *scene {
			s := newScene(2).role("n1").pin("n2", "n1")
			s.node("n2").ClusterID = "224.0.0.1"
			return s
		}, "n2 n1"},
		{"only the annotation is left, a status of ours speaks of it", func() *scene {
			s := newScene(2)
			s.node("n2").ClusterID = "224.0.0.1"
			s.statuses = append(s.statuses, ours("n2", Ours()))
			return s
		}, "n2"},
		{"the annotation, and somebody else's status", func() *scene {
			s := newScene(2)
			s.node("n2").ClusterID = "224.0.0.1"
			s.statuses = append(s.statuses, ours("n2", nil))
			return s
		}, ""},
		{"a status of ours alone is no role", func() *scene {
			s := newScene(2)
			s.statuses = append(s.statuses, ours("n2", Ours()))
			return s
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(tt.scene().read().Reflectors, " "); got != tt.want {
				t.Errorf("reflectors %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReadPeers(t *testing.T) {
	t.Parallel()
	edit := func(f func(*calico.BGPPeer)) func() *scene {
		return func() *scene {
			s := newScene(2).role("n1", "n2").pin("n1", "n2")
			f(&s.peers[0])
			return s
		}
	}
	tests := []struct {
		name  string
		scene func() *scene
		// want lists "clients", "pin senior>junior address" and "stray name".
		want []string
	}{
		{"none", func() *scene { return newScene(2) }, nil},
		{"the clients' peer", func() *scene {
			s := newScene(2)
			s.peers = append(s.peers, *Clients("all", Options{}))
			return s
		}, []string{"clients"}},
		{"pins of both families", func() *scene { return newScene(2).pin("n1", "n2") },
			[]string{"pin n1>n2 10.0.0.2", "pin n1>n2 2001:db8::2"}},
		{"the other direction", func() *scene { return newScene(2).pin("n2", "n1") },
			[]string{"pin n2>n1 10.0.0.1", "pin n2>n1 2001:db8::1"}},
		{"labels packed by Calico's v1 group", func() *scene {
			s := newScene(2)
			peer := Clients("all", Options{})
			s.peers = append(s.peers, packed(peer), packed(Pin(s.node("n1"), s.node("n2"), s.node("n2").IPv4, 64512, Options{})))
			return s
		}, []string{"clients", "pin n1>n2 10.0.0.2"}},
		{"peers of others, one with our prefix", func() *scene {
			s := newScene(2).pin("n1", "n2")
			for i := range s.peers {
				s.peers[i].Labels = nil
			}
			s.peers = append(s.peers, calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "rack-tor"}})
			return s
		}, nil},
		{"the clients' peer of somebody else", func() *scene {
			s := newScene(2)
			peer := *Clients("all", Options{})
			peer.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"}
			s.peers = append(s.peers, peer)
			return s
		}, nil},
		{"a pin whose senior is gone", func() *scene {
			s := newScene(2).pin("n1", "n2")
			s.nodes = s.nodes[1:]
			return s
		}, []string{"stray tapetum-pin-n1.n2-v4", "stray tapetum-pin-n1.n2-v6"}},
		{"a pin whose junior is gone", func() *scene {
			s := newScene(2).pin("n1", "n2")
			s.nodes = s.nodes[:1]
			return s
		}, []string{"stray tapetum-pin-n1.n2-v4", "stray tapetum-pin-n1.n2-v6"}},
		{"a junior whose address has changed", func() *scene {
			s := newScene(2).pin("n1", "n2")
			s.node("n2").IPv4 = netip.MustParseAddr("10.0.0.99")
			return s
		}, []string{"pin n1>n2 2001:db8::2", "stray tapetum-pin-n1.n2-v4"}},
		{"address edited to the senior's own", edit(func(p *calico.BGPPeer) { p.Spec.PeerIP = "10.0.0.1" }),
			[]string{"pin n1>n2 2001:db8::2", "stray tapetum-pin-n1.n2-v4"}},
		{"address edited to garbage", edit(func(p *calico.BGPPeer) { p.Spec.PeerIP = "10.0.0.2:1790" }),
			[]string{"pin n1>n2 2001:db8::2", "stray tapetum-pin-n1.n2-v4"}},
		{"node removed", edit(func(p *calico.BGPPeer) { p.Spec.Node = "" }),
			[]string{"pin n1>n2 2001:db8::2", "stray tapetum-pin-n1.n2-v4"}},
		{"another name", edit(func(p *calico.BGPPeer) { p.Name = "tapetum-other" }),
			[]string{"pin n1>n2 2001:db8::2", "stray tapetum-other"}},
		{"an address that a dead node of another name shares", func() *scene {
			s := newScene(2).pin("n1", "n2")
			s.nodes = append(s.nodes, *node("n2-old", "10.0.0.2", "2001:db8::2"))
			return s
		}, []string{"pin n1>n2 10.0.0.2", "pin n1>n2 2001:db8::2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			standing := tt.scene().read()
			var got []string
			if standing.Clients != nil {
				got = append(got, "clients")
			}
			for _, pin := range standing.Pins {
				got = append(got, fmt.Sprintf("pin %s>%s %s", pin.Senior, pin.Junior, pin.Address))
			}
			for _, peer := range standing.Stray {
				got = append(got, "stray "+peer.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("standing (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever has been rendered is read back as the same, in any order of the lists.
func TestRenderThenRead(t *testing.T) {
	t.Parallel()
	name := rapid.StringMatching(`[a-c]([-.a-c]?[a-c]){0,3}`)
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(name, 2, 12, rapid.ID[string]).Draw(t, "nodes")
		dual := rapid.Bool().Draw(t, "dual")
		s := &scene{}
		for i, name := range names {
			v6 := ""
			if dual {
				v6 = fmt.Sprintf("2001:db8::%d", i+1)
			}
			s.nodes = append(s.nodes, *node(name, fmt.Sprintf("10.0.0.%d", i+1), v6))
		}
		reflectors := names[:rapid.IntRange(0, len(names)).Draw(t, "reflectors")]
		want := Standing{Reflectors: slices.Clone(reflectors)}
		s.role(reflectors...)
		clients := Clients("all", Options{})
		s.peers, want.Clients = append(s.peers, *clients), clients
		for i, senior := range reflectors {
			for _, junior := range reflectors[i+1:] {
				for _, peer := range pins(s.node(senior), s.node(junior), Options{}) {
					if rapid.Bool().Draw(t, "packed") {
						*peer = packed(peer)
					}
					s.peers = append(s.peers, *peer)
					want.Pins = append(want.Pins, Pinned{
						Senior: senior, Junior: junior, Address: netip.MustParseAddr(peer.Spec.PeerIP), Peer: peer,
					})
				}
			}
		}
		slices.SortFunc(want.Pins, func(a, b Pinned) int { return strings.Compare(a.Peer.Name, b.Peer.Name) })
		s.nodes = rapid.Permutation(s.nodes).Draw(t, "nodes' order")
		s.peers = rapid.Permutation(s.peers).Draw(t, "peers' order")
		if diff := cmp.Diff(want, s.read(), cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Fatalf("standing (-want +got):\n%s", diff)
		}
	})
}
