package fabric

import (
	"fmt"
	"testing"
	"time"

	"tapetum.dev/tapetum/internal/calico"
)

// From the mesh to three reflectors, with pins.
func BenchmarkMigration(b *testing.B) {
	for _, nodes := range []int{180, 500} {
		b.Run(fmt.Sprintf("%d nodes", nodes), func(b *testing.B) {
			for b.Loop() {
				c := newCluster(b, nodes, 1, false)
				c.withReflectors(true, false, 1, 2, 3)
			}
		})
	}
}

// What a heartbeat costs that changes nothing.
func BenchmarkUnchangedSet(b *testing.B) {
	c := newCluster(b, 180, 1, false)
	for b.Loop() {
		c.write(20 * time.Millisecond)
	}
}

// From the mesh of 600 nodes to reflectors with IDs of their own and the tag
// filter, one at a time, each ID changed once more, and back.
func BenchmarkMultiWalk(b *testing.B) {
	for _, m := range []int{6, 21} {
		b.Run(fmt.Sprintf("%d reflectors", m), func(b *testing.B) {
			for b.Loop() {
				c := newCluster(b, 600, 1, false)
				c.meshTo(true)
				c.between()
				c.filter(tagFilter("one-hop"))
				c.peerNamed("between").Spec.Filters = []string{"one-hop"}
				for g := range m {
					c.peer(fmt.Sprintf("group-%d", g), calico.BGPPeerSpec{
						NodeSelector: fmt.Sprintf("!has(%s) && home == '%d'", reflectorLabel, g),
						PeerSelector: fmt.Sprintf("has(serves-%d)", g),
					})
				}
				for i := m + 1; i <= 600; i++ {
					c.node(i).Labels["home"] = fmt.Sprint(i % m)
				}
				c.run(time.Second)
				for i := 1; i <= m; i++ {
					c.promote(i)
					c.node(i).ClusterID = fmt.Sprintf("224.0.1.%d", i)
					c.node(i).Labels[fmt.Sprintf("serves-%d", i%m)] = "true"
					c.node(i).Labels[fmt.Sprintf("serves-%d", (i+1)%m)] = "true"
					c.run(4 * time.Second)
				}
				c.meshTo(false)
				c.run(5 * time.Second)
				c.complete()
				for i := 1; i <= m; i++ {
					c.node(i).ClusterID = fmt.Sprintf("224.0.2.%d", i)
					c.run(4 * time.Second)
				}
				c.peerNamed("between").Spec.Filters = nil
				c.run(time.Second)
				c.complete()
				c.meshTo(true)
				c.run(5 * time.Second)
				for i := 1; i <= m; i++ {
					c.demote(i)
					c.run(4 * time.Second)
				}
				c.complete()
			}
		})
	}
}
