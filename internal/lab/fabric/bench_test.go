package fabric

import (
	"fmt"
	"testing"
	"time"
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
