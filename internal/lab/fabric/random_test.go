package fabric

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tapetum.dev/tapetum/internal/calico"
)

// Routes are worked out for what has changed only. Whatever happens, working all
// of them out anew must give the same.
func TestIncrementalEqualsRebuild(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			c := newCluster(t, 14, seed, seed%3 == 0)
			c.f.timing.TailPerMille = 100
			c.f.timing.Hold = 20 * time.Second
			c.clients()
			c.between()
			r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test wants a seed
			next := 15
			for range 60 {
				happen(c, r, &next)
				c.write(time.Duration(r.IntN(4000)) * time.Millisecond)
				compareWithRebuild(t, c)
			}
		})
	}
}

// happen lets one random thing happen to the cluster.
func happen(c *testCluster, r *rand.Rand, next *int) {
	n := &c.res.Nodes[r.IntN(len(c.res.Nodes))]
	switch r.IntN(12) {
	case 0, 1:
		n.Labels[reflectorLabel] = "1"
		n.ClusterID = clusterID
	case 2:
		n.Labels[reflectorLabel] = "1"
		n.ClusterID = fmt.Sprintf("224.0.0.%d", 2+r.IntN(3))
	case 3:
		delete(n.Labels, reflectorLabel)
		n.ClusterID = ""
	case 4:
		c.meshTo(r.IntN(2) == 0)
	case 5:
		c.f.Kill(c.now, n.Name)
	case 6, 7:
		c.f.Revive(c.now, n.Name)
	case 10:
		c.filter([]calico.BGPFilter{tagFilter("one-hop"), rejectAll("one-hop"), {}}[r.IntN(3)])
	case 11:
		for i := range c.res.Peers {
			c.res.Peers[i].Spec.Filters = [][]string{nil, {"one-hop"}, {"none", "one-hop"}}[r.IntN(3)]
		}
	case 8:
		c.res.Nodes = append(c.res.Nodes, makeNode(*next, n.IPv6.IsValid()))
		*next++
	case 9:
		if len(c.res.Nodes) > 8 {
			c.res.Nodes = c.res.Nodes[:len(c.res.Nodes)-1]
		} else {
			c.peer(fmt.Sprintf("pin-%d", *next), calico.BGPPeerSpec{Node: n.Name, PeerIP: c.res.Nodes[0].IPv4.String(), ASNumber: 64512})
			*next++
		}
	}
}

func compareWithRebuild(t *testing.T, c *testCluster) {
	t.Helper()
	var before []bool
	look := func() (has []bool) {
		c.f.eachPair(func(_ int, _, _ *node, x *pair) { has = append(has, x.has) })
		return has
	}
	before = look()
	for _, p := range c.f.planes {
		p.dirty = true
	}
	c.f.settle()
	after := look()
	for i := range before {
		if before[i] != after[i] {
			t.Fatalf("pair %d of %d: %v, and %v when worked out anew", i, len(before), before[i], after[i])
		}
	}
}
