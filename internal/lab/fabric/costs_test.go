package fabric

import (
	"testing"
	"time"

	"tapetum.dev/tapetum/internal/calico"
)

// The costs of single writes, as they were measured on Calico's own confd and
// BIRD with nine nodes (72 pairs): the simulation must agree.

const (
	allPairs = 72
	ownPairs = 16
)

type cost struct {
	name  string
	setup func(c *testCluster)
	write func(c *testCluster)
	// pairs is how many pairs lose their route, among ordinary nodes and of
	// nodes that change their role.
	ordinary, changing int
	// forever: they do not come back by themselves.
	forever bool
	// longest bounds how long one is away, 0: not asked.
	longest time.Duration
}

func mustBeUp(c *testCluster) { c.complete() }

var costs = []cost{
	{name: "mesh: BGPPeers that match nothing", setup: mustBeUp,
		write: func(c *testCluster) { c.clients() }},
	{name: "mesh without BGPPeers: cluster ID annotation", setup: mustBeUp,
		write: func(c *testCluster) { c.annotate(1) }, changing: ownPairs, forever: true},
	{name: "mesh and BGPPeers: label alone", setup: func(c *testCluster) { c.clients(); c.run(time.Second) },
		write: func(c *testCluster) { c.label(1) }},
	{name: "mesh and BGPPeers: first reflector, one patch", setup: func(c *testCluster) { c.clients(); c.run(time.Second) },
		write: func(c *testCluster) { c.promote(1) }, changing: ownPairs, longest: 2500 * time.Millisecond},
	{name: "mesh and BGPPeers: three promotions at once", setup: func(c *testCluster) { c.clients(); c.between(); c.run(time.Second) },
		// 16 + 14 + 12 with a session of their own or by a reflector, and among
		// the three: 42 pairs touch one of them.
		write: func(c *testCluster) { c.promote(1); c.promote(2); c.promote(3) }, changing: 42, longest: 2500 * time.Millisecond},
	{name: "mesh: peers, three promotions and mesh off at once", setup: mustBeUp,
		write: func(c *testCluster) {
			c.clients()
			c.between()
			c.promote(1)
			c.promote(2)
			c.promote(3)
			c.meshTo(false)
		}, ordinary: 30, changing: 42, longest: 2500 * time.Millisecond},
	{name: "mesh and reflectors: mesh off", setup: func(c *testCluster) { c.withReflectors(true, true, 1, 2, 3) },
		write: func(c *testCluster) { c.meshTo(false) }},
	{name: "mesh without reflectors: mesh off", setup: mustBeUp,
		write: func(c *testCluster) { c.clients(); c.meshTo(false) }, ordinary: allPairs, forever: true},
	{name: "reflectors: mesh on", setup: func(c *testCluster) { c.withReflectors(true, false, 1, 2, 3) },
		write: func(c *testCluster) { c.res.Configurations = nil }},
	{name: "reflectors, no pins: promote one", setup: func(c *testCluster) { c.withReflectors(false, false, 1, 2) },
		write: func(c *testCluster) { c.promote(3) }, changing: ownPairs, longest: 2500 * time.Millisecond},
	{name: "reflectors, no pins: demote one", setup: func(c *testCluster) { c.withReflectors(false, false, 1, 2, 3) },
		write: func(c *testCluster) { c.demote(3) }, changing: ownPairs, longest: 2500 * time.Millisecond},
	{name: "reflectors, pins: promote the third", setup: func(c *testCluster) {
		c.withReflectors(true, false, 1, 2)
		c.pin(1, 3)
		c.pin(2, 3)
		c.run(time.Second)
	}, write: func(c *testCluster) { c.promote(3) }},
	{name: "reflectors, pins: demote the newest", setup: func(c *testCluster) { c.withReflectors(true, false, 1, 2, 3) },
		write: func(c *testCluster) { c.demote(3) }},
	{name: "mesh, one reflector, pins: promote the second", setup: func(c *testCluster) {
		c.withReflectors(true, true, 1)
		c.pin(1, 2)
		c.run(time.Second)
	}, write: func(c *testCluster) { c.promote(2) }},
	{name: "mesh, two reflectors, pins: demote the second", setup: func(c *testCluster) { c.withReflectors(true, true, 1, 2) },
		write: func(c *testCluster) { c.demote(2) }},
	{name: "reflectors, pins: two demotions at once", setup: func(c *testCluster) { c.withReflectors(true, false, 1, 2, 3, 4) },
		write: func(c *testCluster) { c.demote(4); c.demote(3) }},
	{name: "reflectors, pins: swap a pin while a third holds both", setup: func(c *testCluster) { c.withReflectors(true, false, 1, 2, 3) },
		write: func(c *testCluster) { c.unpeer("pin-2-3"); c.pin(3, 2) }},
	{name: "reflectors, pins: swap a pin that nobody else covers", setup: func(c *testCluster) { c.withReflectors(true, false, 1, 2, 3) },
		write: func(c *testCluster) { c.unpeer("pin-1-2"); c.pin(2, 1) }, ordinary: 2, longest: 2500 * time.Millisecond},
	{name: "reflectors: promote one with an ID of its own", setup: func(c *testCluster) { c.withReflectors(false, false, 1, 2) },
		write: func(c *testCluster) { c.label(3); c.node(3).ClusterID = "224.0.0.3" }, changing: ownPairs, longest: 2500 * time.Millisecond},
	{name: "reflectors: one's cluster ID in place", setup: func(c *testCluster) { c.withReflectors(false, false, 1, 2, 3) },
		write: func(c *testCluster) { c.node(2).ClusterID = "224.0.0.9" }, changing: ownPairs, longest: 2500 * time.Millisecond},
	{name: "reflectors: all cluster IDs at once", setup: func(c *testCluster) { c.withReflectors(false, false, 1, 2, 3) },
		write: func(c *testCluster) {
			for i := 1; i <= 3; i++ {
				c.node(i).ClusterID = "224.0.0.9"
				c.write(0)
			}
		}, ordinary: 30, changing: 42, longest: 2500 * time.Millisecond},
	{name: "reflectors: an equal BGPPeer beside, then the old one goes", setup: func(c *testCluster) {
		c.withReflectors(true, false, 1, 2, 3)
		c.peer("clients-too", c.res.Peers[0].Spec)
		c.run(time.Second)
	}, write: func(c *testCluster) { c.unpeer("clients") }},
	{name: "reflectors: a timer of the clients' BGPPeer", setup: func(c *testCluster) { c.withReflectors(true, false, 1, 2, 3) },
		write: func(c *testCluster) {
			c.res.Peers[0].Spec.MaxRestartTime = seconds(60)
		}, ordinary: 66, longest: 2500 * time.Millisecond},
	{name: "reflectors: the peering among them goes", setup: func(c *testCluster) { c.withReflectors(false, false, 1, 2, 3) },
		write: func(c *testCluster) { c.unpeer("between") }, ordinary: 6, forever: true},
	{name: "reflectors: clients narrowed to their zone's", setup: func(c *testCluster) {
		// Nodes 1, 2 and 3 are the reflectors, each with two clients of its zone.
		c.withReflectors(false, false, 1, 2, 3)
		for _, zone := range []string{"a", "b", "c"} {
			c.peer("zone-"+zone, calico.BGPPeerSpec{
				NodeSelector: "!has(" + reflectorLabel + ") && zone == '" + zone + "'",
				PeerSelector: "has(" + reflectorLabel + ") && zone == '" + zone + "'",
			})
		}
		c.run(time.Second)
	}, write: func(c *testCluster) { c.unpeer("clients") }, ordinary: 24, forever: true},
	{name: "two reflectors: one's Node deleted", setup: func(c *testCluster) { c.withReflectors(true, false, 1, 2) },
		write: func(c *testCluster) { c.res.Nodes = append(c.res.Nodes[:1:1], c.res.Nodes[2:]...) }},
	{name: "own IDs: the tag filter put on the live peering", setup: func(c *testCluster) {
		c.multi(3, 2, "")
		c.filter(tagFilter("one-hop"))
		c.run(time.Second)
	}, write: func(c *testCluster) { c.peerNamed("between").Spec.Filters = []string{"one-hop"} }},
	{name: "own IDs: the tag filter taken off the live peering", setup: func(c *testCluster) { c.multi(3, 2, "one-hop") },
		write: func(c *testCluster) { c.peerNamed("between").Spec.Filters = nil }},
	{name: "own IDs: the tag filter's community changed", setup: func(c *testCluster) { c.multi(3, 2, "one-hop") },
		write: func(c *testCluster) {
			other := tagFilter("one-hop")
			other.Spec.ImportV4[0].Operations[0].AddCommunity.Value = "64512:1"
			other.Spec.ExportV4[0].Communities.Values[0] = "64512:1"
			c.filter(other)
		}},
	{name: "own IDs: the tag filter deleted while it is named", setup: func(c *testCluster) { c.multi(3, 2, "one-hop") },
		write: func(c *testCluster) { c.filter(calico.BGPFilter{}) }},
	{name: "own IDs: a filter named that does not exist", setup: func(c *testCluster) { c.multi(3, 2, "") },
		write: func(c *testCluster) { c.peerNamed("between").Spec.Filters = []string{"none"} }},
	// Each of the three has two clients, which share one reflector with any other.
	// Only the reflectors themselves have no other way to each other.
	{name: "own IDs: a filter that rejects everything on the peering", setup: func(c *testCluster) {
		c.multi(3, 2, "")
		c.filter(rejectAll("no"))
		c.run(time.Second)
	}, write: func(c *testCluster) { c.peerNamed("between").Spec.Filters = []string{"no"} },
		ordinary: 6 + 2*6, forever: true},
	{name: "annotation first", setup: func(c *testCluster) { c.withReflectors(false, false, 1, 2) },
		write: func(c *testCluster) { c.annotate(3) }, changing: ownPairs},
}

func TestCostOfWrites(t *testing.T) {
	for _, tc := range costs {
		t.Run(tc.name, func(t *testing.T) {
			for seed := range uint64(3) {
				c := newCluster(t, 9, seed, false)
				tc.setup(c)
				got := c.lost(30*time.Second, func() { tc.write(c) })
				if got.Ordinary.Pairs != tc.ordinary || got.Changing.Pairs != tc.changing {
					t.Fatalf("seed %d: lost %+v ordinary and %+v changing, want %d and %d pairs",
						seed, got.Ordinary, got.Changing, tc.ordinary, tc.changing)
				}
				missing := got.Ordinary.Missing + got.Changing.Missing
				if tc.forever != (missing > 0) {
					t.Fatalf("seed %d: %d pairs still without a route, want for ever: %v", seed, missing, tc.forever)
				}
				longest := max(got.Ordinary.Longest, got.Changing.Longest)
				if tc.longest > 0 && (longest > tc.longest || longest < 800*time.Millisecond) {
					t.Fatalf("seed %d: longest loss %v, want 0.8 s to %v", seed, longest, tc.longest)
				}
			}
		})
	}
}
