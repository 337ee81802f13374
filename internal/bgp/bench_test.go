package bgp

import (
	"fmt"
	"net/netip"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
)

// singleLike is a cluster with one cluster ID and m pinned reflectors.
func singleLike(nodes, m int) Input {
	in := newInput(nodes, 3)
	for i := range m {
		in.Nodes[i].ClusterID = oneID(i)
		in.Nodes[i].Labels["rr"] = ""
	}
	for i := range in.Nodes {
		for l := range 12 {
			in.Nodes[i].Labels[fmt.Sprintf("other-%d", l)] = "x"
		}
	}
	in = in.selectors("clients", "!has(rr)", "has(rr)")
	for a := range m {
		for b := a + 1; b < m; b++ {
			in = in.pin(IPv4, a, b)
		}
	}
	return in
}

// multiLike is a cluster with m reflectors with IDs of their own, and m groups of
// clients with k homes each, behind the tag filter.
func multiLike(nodes, m, k int) Input {
	in := newInput(nodes, 3)
	for i := range m {
		in.Nodes[i].ClusterID = ownID(i)
		in.Nodes[i].Labels["rr"] = ""
	}
	for i := m; i < nodes; i++ {
		in.Nodes[i].Labels["home"] = fmt.Sprint(i % m)
	}
	for g := range m {
		for j := range k {
			in.Nodes[(g+j*(m/k))%m].Labels[fmt.Sprintf("serves-%d", g)] = ""
		}
		in = in.selectors(fmt.Sprint("group-", g), fmt.Sprintf("home == '%d'", g), fmt.Sprintf("has(serves-%d)", g))
	}
	return in.withTagFilter().reflectorMesh("one-hop")
}

// allUp is what reflectors report when every session of theirs is up.
func allUp(in Input) Observed {
	n := Build(in)
	seen := Observed{Up: map[string]map[netip.Addr]bool{}, AssumeMesh: true}
	for _, r := range n.Reflectors() {
		up := map[netip.Addr]bool{}
		for _, s := range n.SessionsOf(r) {
			up[s.RemoteIP] = true
		}
		seen.Up[r] = up
	}
	return seen
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{5_000, 100_000} {
		in := singleLike(n, 5)
		b.Run(fmt.Sprintf("single/%d", n), func(b *testing.B) {
			for b.Loop() {
				Build(in)
			}
		})
	}
}

func BenchmarkProve(b *testing.B) {
	for _, n := range []int{5_000, 100_000} {
		before := singleLike(n, 5)
		after := before.label(n-1, "rr=").role(n-1, oneID(0))
		for i := range 5 {
			before, after = before.pin(IPv4, i, n-1), after.pin(IPv4, i, n-1)
		}
		seen := allUp(before)
		b.Run(fmt.Sprintf("single/%d", n), func(b *testing.B) {
			for b.Loop() {
				if p := Prove(before, after, seen, nil); !p.OK {
					b.Fatal(p.Reason)
				}
			}
		})
	}
	for _, size := range [][3]int{{5_000, 21, 2}, {5_000, 32, 3}, {10_000, 70, 3}} {
		before := multiLike(size[0], size[1], size[2])
		after := before.peer("other", before.Peers[0].Spec)
		seen := allUp(before)
		b.Run(fmt.Sprintf("multi/%d/m=%d/k=%d", size[0], size[1], size[2]), func(b *testing.B) {
			for b.Loop() {
				if p := Prove(before, after, seen, nil); !p.OK {
					b.Fatal(p.Reason)
				}
			}
		})
	}
}

// objectPerClient is how the first implementation of this idea wrote it down: k
// BGPPeers a client, each for one node.
func objectPerClient(nodes, m, k int) Input {
	in := newInput(nodes, 3)
	for i := range m {
		in.Nodes[i].ClusterID = oneID(i)
		in.Nodes[i].Labels["rr"] = fmt.Sprint(i)
	}
	for i := m; i < nodes; i++ {
		for j := range k {
			in.Peers = append(in.Peers, calico.BGPPeer{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%05d-%d", i, j)},
				Spec:       calico.BGPPeerSpec{Node: nodeName(i), PeerSelector: fmt.Sprintf("rr == '%d'", (i+j)%m)},
			})
		}
	}
	return in.selectors("reflectors", "has(rr)", "has(rr)")
}

func BenchmarkReport(b *testing.B) {
	for name, in := range map[string]Input{
		"mesh/5000":              newInput(5_000, 3).withMesh(true),
		"single/5000":            singleLike(5_000, 5),
		"single/100000":          singleLike(100_000, 5),
		"multi/5000":             multiLike(5_000, 21, 2),
		"multi/10000":            multiLike(10_000, 70, 3),
		"objectPerClient/1000":   objectPerClient(1_000, 6, 3),
		"objectPerClient/5000":   objectPerClient(5_000, 6, 3),
		"objectPerClientOn/2000": objectPerClient(2_000, 6, 3).withMesh(true),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Build(in).Report(ReportOptions{})
			}
		})
	}
}
