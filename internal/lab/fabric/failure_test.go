package fabric

import (
	"testing"
	"time"

	"tapetum.dev/tapetum/internal/calico"
)

// A reflector's link was cut: its clients lost their routes 170 to 227 s later,
// with BGP's hold time of 240 s.
func TestOnlyReflectorLosesPower(t *testing.T) {
	c := newCluster(t, 9, 1, false)
	c.withReflectors(true, false, 1)
	c.f.ResetAccount(c.now, nil)
	c.f.Kill(c.now, nodeName(1))
	c.run(150 * time.Second)
	if a := c.f.Account(); a.Ordinary.Pairs != 0 {
		t.Fatalf("%d pairs lost before the hold time can be over", a.Ordinary.Pairs)
	}
	if got := c.f.Status(nodeName(2)); got.NumberEstablishedV4 != 1 || got.PeersV4[0].State != calico.StateEstablished {
		t.Fatalf("a silent neighbor must look Established until the hold time is over: %+v", got)
	}
	c.run(100 * time.Second)
	if a := c.f.Account(); a.Ordinary.Missing != 8*7 || a.Changing.Pairs != 0 {
		t.Fatalf("after the hold time: %+v, want all 56 pairs of the living lost", a)
	}
	c.f.Revive(c.now, nodeName(1))
	c.run(5 * time.Second)
	c.complete()
}

// The BIRD of the only reflector ends: its neighbors have no session with it any more, and
// keep its routes for the restart time.
func TestOnlyReflectorCrashes(t *testing.T) {
	c := newCluster(t, 9, 1, false)
	c.withReflectors(true, false, 1)
	c.f.ResetAccount(c.now, nil)
	c.f.Crash(c.now, nodeName(1))
	if got := c.f.Status(nodeName(2)); got.NumberEstablishedV4 != 0 || got.NumberNotEstablishedV4 != 1 || got.PeersV4[0].State == calico.StateEstablished {
		t.Fatalf("a closed session must not look Established: %+v", got)
	}
	c.run(119 * time.Second)
	if a := c.f.Account(); a.Ordinary.Pairs != 0 {
		t.Fatalf("%d pairs lost before the restart time is over", a.Ordinary.Pairs)
	}
	c.run(2 * time.Second)
	if a := c.f.Account(); a.Ordinary.Missing != 8*7 {
		t.Fatalf("after the restart time: %+v, want all 56 pairs of the living lost", a)
	}
	c.f.Revive(c.now, nodeName(1))
	c.run(5 * time.Second)
	c.complete()
}

// What a dead reflector had passed on stays with its clients, but it passes
// nothing new on.
func TestDeadReflectorRelaysNothingNew(t *testing.T) {
	c := newCluster(t, 9, 1, false)
	c.withReflectors(true, false, 1)
	c.f.ResetAccount(c.now, nil)
	c.f.Kill(c.now, nodeName(1))
	c.res.Nodes = append(c.res.Nodes, makeNode(10, false))
	c.run(5 * time.Second)
	missing, _ := c.f.MissingPairs()
	if a := c.f.Account(); a.Ordinary.Pairs != 0 || missing != 2*8 {
		t.Fatalf("lost %+v, missing %d; want no loss, and no route from or to the new node (16 pairs)", a, missing)
	}
	c.pin(1, 2)
	c.promote(2)
	c.run(10 * time.Second)
	c.complete()
	if a := c.f.Account(); a.Ordinary.Pairs != 0 {
		t.Fatalf("promoting another must cost the living nothing, lost %+v", a.Ordinary)
	}
}

func TestDeadNodesNeverCount(t *testing.T) {
	c := newCluster(t, 9, 1, false)
	c.complete()
	c.f.ResetAccount(c.now, nil)
	c.f.Kill(c.now, nodeName(5))
	c.run(300 * time.Second)
	c.complete()
	c.f.Revive(c.now, nodeName(5))
	if n, _ := c.f.MissingPairs(); n != ownPairs {
		t.Fatalf("a booting node has %d pairs without a route, want its own 16", n)
	}
	c.run(5 * time.Second)
	c.complete()
	if a := c.f.Account(); a.Ordinary.Pairs+a.Changing.Pairs != 0 {
		t.Fatalf("lost %+v, want nothing", a)
	}
}

func TestRecreatedNodeStartsAnew(t *testing.T) {
	c := newCluster(t, 9, 1, false)
	c.f.ResetAccount(c.now, nil)
	for i, how := range []func(){
		func() { c.node(4).UID = "another" },
		func() { c.f.Kill(c.now, nodeName(4)); c.run(time.Second); c.node(4).UID = "a third" },
		func() { // another name takes the address over
			gone := *c.node(4)
			gone.Name, gone.UID = "newcomer", "a fourth"
			*c.node(4) = gone
		},
	} {
		how()
		c.run(5 * time.Second)
		c.complete()
		if up, configured := c.f.SessionCounts(); up != 36 || configured != 36 {
			t.Fatalf("case %d: %d of %d sessions up, want 36 of 36", i, up, configured)
		}
	}
	if a := c.f.Account(); a.Ordinary.Pairs+a.Changing.Pairs != 0 {
		t.Fatalf("lost %+v, want nothing", a)
	}
}

// Some sessions come up, go down and come up again, 5 to 16 s in all.
func TestTail(t *testing.T) {
	c := newCluster(t, 3, 1, false)
	c.complete()
	c.f.timing.TailPerMille = 1000
	a := c.lost(30*time.Second, func() {
		c.meshTo(true)
		c.res.Configurations[0].Spec.NodeMeshMaxRestartTime = seconds(60)
	})
	c.complete()
	if a.Ordinary.Pairs != 6 || a.Ordinary.Longest < 4*time.Second || a.Ordinary.Longest > 16*time.Second {
		t.Fatalf("lost %+v, want all 6 pairs for 4 to 16 s", a.Ordinary)
	}
}

// A node that joins has its sessions up one after another, and one of them may
// blink: that is no loss.
func TestJoiningNodesAreInNoAccount(t *testing.T) {
	c := newCluster(t, 9, 1, false)
	c.withReflectors(true, false, 1, 2)
	c.f.timing.TailPerMille = 500
	a := c.lost(30*time.Second, func() {
		for i := 10; i < 40; i++ {
			c.res.Nodes = append(c.res.Nodes, makeNode(i, false))
		}
	})
	c.complete()
	if a.Ordinary.Pairs+a.Changing.Pairs != 0 {
		t.Fatalf("lost %+v, want nothing", a)
	}
	c.f.timing.TailPerMille = 0
	if a = c.lost(30*time.Second, func() { c.annotate(20) }); a.Changing.Pairs != 2*38 {
		t.Fatalf("lost %+v, want the pairs of the node that joined, 76", a)
	}
}
