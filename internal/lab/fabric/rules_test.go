package fabric

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"tapetum.dev/tapetum/internal/calico"
)

func secretKey() *corev1.SecretKeySelector {
	return &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "bgp"}, Key: "password"}
}

// peersOf renders a node's sessions as "type state" by address.
func (c *testCluster) peersOf(i int) map[string][]string {
	out := map[string][]string{}
	for _, p := range c.f.Status(nodeName(i)).PeersV4 {
		out[p.PeerIP] = append(out[p.PeerIP], p.Type+" "+p.State)
	}
	return out
}

func TestWaitingBehindTheMesh(t *testing.T) {
	c := newCluster(t, 3, 1, false)
	c.clients()
	c.label(1) // no cluster ID yet: both are ordinary mesh members
	c.run(5 * time.Second)
	want := map[string][]string{
		"10.0.0.3": {"NodeMesh Established", "NodePeer Idle"},
		"10.0.0.4": {"NodeMesh Established", "NodePeer Idle"},
	}
	if diff := cmp.Diff(want, c.peersOf(1)); diff != "" {
		t.Fatalf("sessions of the labeled node (-want +got):\n%s", diff)
	}
	if s := c.f.Status(nodeName(1)); s.NumberEstablishedV4 != 2 || s.NumberNotEstablishedV4 != 2 {
		t.Fatalf("counted %d up and %d not, want 2 and 2", s.NumberEstablishedV4, s.NumberNotEstablishedV4)
	}
	a := c.lost(5*time.Second, func() { c.annotate(1) })
	want = map[string][]string{"10.0.0.3": {"NodePeer Established"}, "10.0.0.4": {"NodePeer Established"}}
	if diff := cmp.Diff(want, c.peersOf(1)); diff != "" {
		t.Fatalf("sessions of the reflector (-want +got):\n%s", diff)
	}
	if a.Changing.Pairs != 4 {
		t.Fatalf("lost %+v, want the reflector's own 4 pairs: what waits starts only when the lock is free", a)
	}
}

// A Node_ session that is up keeps the lock when the mesh is turned on; the
// Mesh_ protocol waits.
func TestMeshWaitsBehindNode(t *testing.T) {
	c := newCluster(t, 3, 1, false)
	c.meshTo(false)
	c.peer("all", calico.BGPPeerSpec{NodeSelector: "all()", PeerSelector: "all()"})
	c.run(5 * time.Second)
	c.complete()
	a := c.lost(5*time.Second, func() { c.meshTo(true) })
	if got := c.peersOf(1)["10.0.0.3"]; !cmp.Equal(got, []string{"NodeMesh Idle", "NodePeer Established"}) || a.Ordinary.Pairs != 0 {
		t.Fatalf("sessions %v, lost %+v; want the mesh to wait and nothing lost", got, a)
	}
}

// Established comes before fed: the number counts the latter.
func TestEstablishedIsNotFed(t *testing.T) {
	timing := DefaultTiming()
	timing.Feed = Span{time.Second, time.Second}
	timing.Connect = Span{2 * time.Second, 2 * time.Second}
	timing.TailPerMille = 0
	c := newCluster(t, 2, 1, false)
	c.f = New(1, timing)
	c.run(1700 * time.Millisecond)
	s := c.f.Status(nodeName(1))
	if s.PeersV4[0].State != calico.StateEstablished || s.NumberEstablishedV4 != 0 || s.NumberNotEstablishedV4 != 1 {
		t.Fatalf("status %+v, want Established and not counted", s)
	}
	c.run(time.Second)
	if s = c.f.Status(nodeName(1)); s.NumberEstablishedV4 != 1 {
		t.Fatalf("status %+v, want one up", s)
	}
}

// Two BGPPeers for the same pair with different options: the winner is drawn
// anew at each recompute, so a write that has nothing to do with them may
// restart their sessions.
func TestOverlappingPeersFlap(t *testing.T) {
	lost := 0
	for seed := range uint64(10) {
		c := newCluster(t, 9, seed, false)
		c.withReflectors(true, false, 1, 2)
		c.peer("overlap", calico.BGPPeerSpec{
			NodeSelector: "!has(" + reflectorLabel + ")", PeerSelector: "has(" + reflectorLabel + ")", MaxRestartTime: seconds(60),
		})
		c.run(10 * time.Second)
		a := c.lost(10*time.Second, func() { c.node(9).Labels["unrelated"] = "1" })
		lost += a.Ordinary.Pairs
	}
	if lost == 0 {
		t.Fatal("an unrelated label never restarted an ambiguous session in 10 runs")
	}
}

func TestPasswordsMustAgree(t *testing.T) {
	c := newCluster(t, 3, 1, false)
	c.meshTo(false)
	c.peer("here", calico.BGPPeerSpec{Node: nodeName(1), PeerIP: "10.0.0.3", ASNumber: 64512, ReversePeering: "Manual",
		Password: &calico.BGPPassword{SecretKeyRef: secretKey()}})
	c.peer("there", calico.BGPPeerSpec{Node: nodeName(2), PeerIP: "10.0.0.2", ASNumber: 64512, ReversePeering: "Manual"})
	c.run(5 * time.Second)
	if up, configured := c.f.SessionCounts(); up != 0 || configured != 1 {
		t.Fatalf("%d of %d sessions up, want 0 of 1", up, configured)
	}
	c.res.Peers[1].Spec.Password = c.res.Peers[0].Spec.Password
	c.run(5 * time.Second)
	if up, _ := c.f.SessionCounts(); up != 1 {
		t.Fatalf("%d sessions up after the passwords agree, want 1", up)
	}
}

func TestReversePeering(t *testing.T) {
	for _, tc := range []struct {
		name, reverse string
		as            uint32
		want          int
	}{{"auto", "", 64512, 1}, {"manual", "Manual", 64512, 0}, {"another AS is no node of ours", "", 64999, 0}} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t, 2, 1, false)
			c.meshTo(false)
			c.peer("one", calico.BGPPeerSpec{Node: nodeName(1), PeerIP: "10.0.0.3", ASNumber: tc.as, ReversePeering: tc.reverse})
			c.run(5 * time.Second)
			if up, _ := c.f.SessionCounts(); up != tc.want {
				t.Fatalf("%d sessions up, want %d", up, tc.want)
			}
		})
	}
}

// BIRD refuses a whole configuration for one bad value and goes on with the
// last good one.
func TestBadConfigurationFreezesANode(t *testing.T) {
	for name, spoil := range map[string]func(c *testCluster){
		"peerIP without AS":    func(c *testCluster) { c.peer("bad", calico.BGPPeerSpec{Node: nodeName(1), PeerIP: "192.0.2.1"}) },
		"cluster ID a network": func(c *testCluster) { c.node(1).ClusterID = "10.0.0.0/8" },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 3, 1, false)
			spoil(c)
			c.run(time.Second)
			before := c.peersOf(1)
			c.res.Nodes = append(c.res.Nodes, makeNode(4, false))
			c.run(5 * time.Second)
			if diff := cmp.Diff(before, c.peersOf(1)); diff != "" {
				t.Fatalf("a frozen node took a change over:\n%s", diff)
			}
		})
	}
}

// One cluster ID never passes a route through two reflectors to a client; IDs
// of their own do.
func TestReflectionRules(t *testing.T) {
	for _, own := range []bool{false, true} {
		c := newCluster(t, 9, 1, false)
		c.meshTo(false)
		c.between()
		for _, zone := range []string{"a", "b", "c"} {
			c.peer("zone-"+zone, calico.BGPPeerSpec{
				NodeSelector: "!has(" + reflectorLabel + ") && zone == '" + zone + "'",
				PeerSelector: "has(" + reflectorLabel + ") && zone == '" + zone + "'",
			})
		}
		for i := 1; i <= 3; i++ {
			c.promote(i)
			if own {
				c.node(i).ClusterID = fmt.Sprintf("224.0.0.%d", i)
			}
		}
		c.run(20 * time.Second)
		want := 24
		if own {
			want = 0
		}
		if missing, _ := c.f.MissingPairs(); missing != want {
			t.Fatalf("own IDs %v: %d pairs missing, want %d", own, missing, want)
		}
	}
}

func TestDualStack(t *testing.T) {
	c := newCluster(t, 9, 1, true)
	if up, configured := c.f.SessionCounts(); up != 72 || configured != 72 {
		t.Fatalf("%d of %d sessions up, want 36 a family", up, configured)
	}
	c.withReflectors(true, false, 1, 2)
	c.pin(1, 3)
	c.pin(2, 3)
	c.run(time.Second)
	a := c.lost(10*time.Second, func() { c.promote(3) })
	if a.Changing.Pairs+a.Ordinary.Pairs != 0 {
		t.Fatalf("lost %+v, want nothing with pins of both families", a)
	}
	s := c.f.Status(nodeName(3))
	if s.NumberEstablishedV4 != 8 || s.NumberEstablishedV6 != 8 {
		t.Fatalf("%d and %d sessions up at the new reflector, want 8 a family", s.NumberEstablishedV4, s.NumberEstablishedV6)
	}
	// A pin of one family only: the sessions of the other go.
	c.unpeer("pin6-1-3")
	c.unpeer("pin6-2-3")
	c.run(5 * time.Second)
	if s = c.f.Status(nodeName(3)); s.NumberEstablishedV4 != 8 || s.NumberEstablishedV6 != 6 {
		t.Fatalf("%d and %d sessions up, want 8 and 6", s.NumberEstablishedV4, s.NumberEstablishedV6)
	}
}

func TestDeterminism(t *testing.T) {
	run := func(seed uint64) string {
		timing := DefaultTiming()
		timing.TailPerMille = 100
		c := newCluster(t, 30, seed, true)
		c.f = New(seed, timing)
		c.run(20 * time.Second)
		c.clients()
		c.between()
		c.f.ResetAccount(c.now, nil)
		for i := 1; i <= 3; i++ {
			c.promote(i)
			c.run(700 * time.Millisecond)
		}
		c.f.Kill(c.now, nodeName(2))
		c.meshTo(false)
		c.run(400 * time.Second)
		return fmt.Sprintf("%+v %+v %+v", c.f.Account(), c.f.Status(nodeName(1)), c.f.Status(nodeName(9)))
	}
	for seed := range uint64(3) {
		if a, b := run(seed), run(seed); a != b {
			t.Fatalf("seed %d gave two runs:\n%s\n%s", seed, a, b)
		}
	}
	if run(1) == run(2) {
		t.Fatal("two seeds gave the same run")
	}
}

func TestTimeDoesNotGoBackwards(t *testing.T) {
	c := newCluster(t, 3, 1, false)
	c.f.Advance(c.now.Add(-time.Hour))
	c.complete()
	c.f.Set(c.now.Add(-time.Hour), c.copy())
	if next, more := c.f.NextEvent(); more && next.Before(c.now) {
		t.Fatalf("next event %v lies in the past of %v", next, c.now)
	}
}

// A session that ends gives its lock back: what waited comes up in its place.
func TestLockPassesOnWhenASessionEnds(t *testing.T) {
	c := newCluster(t, 3, 1, false)
	c.meshTo(false)
	c.peer("all", calico.BGPPeerSpec{NodeSelector: "all()", PeerSelector: "all()"})
	c.run(5 * time.Second)
	c.meshTo(true)
	c.run(5 * time.Second)
	c.f.Kill(c.now, nodeName(2))
	c.f.Revive(c.now, nodeName(2))
	c.run(5 * time.Second)
	want := map[string][]string{
		"10.0.0.3": {"NodeMesh Established", "NodePeer Idle"},
		"10.0.0.4": {"NodeMesh Idle", "NodePeer Established"},
	}
	if diff := cmp.Diff(want, c.peersOf(1)); diff != "" {
		t.Fatalf("sessions after the second node booted (-want +got):\n%s", diff)
	}
}

// BIRD gives an incoming connection to the first protocol by name, and refuses
// it where that one waits for the lock.
func TestIncomingConnectionNeedsTheLock(t *testing.T) {
	mesh := protocol{kind: kindMesh, opt: &options{passive: true}}
	node := protocol{kind: kindNode, opt: &options{}}
	global := protocol{kind: kindGlobal, opt: &options{}}
	for _, tc := range []struct {
		name     string
		from, to protocol
		line     []protocol
		want     bool
	}{
		{"alone", node, node, []protocol{node}, true},
		{"first and holder", node, mesh, []protocol{mesh, node}, true},
		{"the first by name waits", node, node, []protocol{node, mesh}, false},
		{"global is first by name", node, mesh, []protocol{mesh, global}, false},
		{"passive does not dial", mesh, node, []protocol{node}, false},
	} {
		if got := dials(tc.from, tc.to, &neighbor{line: tc.line}); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// A global peering silences a node's own to the same address, and is one-sided:
// its reverse is the reflector's own.
func TestGlobalPeers(t *testing.T) {
	c := newCluster(t, 3, 1, false)
	c.meshTo(false)
	c.clients()
	c.peer("global", calico.BGPPeerSpec{PeerSelector: "has(" + reflectorLabel + ")"})
	c.promote(1)
	c.run(5 * time.Second)
	c.complete()
	if diff := cmp.Diff(map[string][]string{"10.0.0.2": {"GlobalPeer Established"}}, c.peersOf(2)); diff != "" {
		t.Fatalf("sessions of a client (-want +got):\n%s", diff)
	}
	want := map[string][]string{"10.0.0.3": {"NodePeer Established"}, "10.0.0.4": {"NodePeer Established"}}
	if diff := cmp.Diff(want, c.peersOf(1)); diff != "" {
		t.Fatalf("sessions of the reflector (-want +got):\n%s", diff)
	}
}

// Ports: a configured one becomes part of what is compared, and both ends must
// agree on it.
func TestListenPort(t *testing.T) {
	c := newCluster(t, 3, 1, false)
	a := c.lost(10*time.Second, func() {
		c.meshTo(true)
		c.res.Configurations[0].Spec.ListenPort = 179 // what it was, but explicit
	})
	c.complete()
	if a.Ordinary.Pairs != 6 {
		t.Fatalf("lost %+v, want all 6 pairs: naming the port restarts every session", a.Ordinary)
	}
	c.meshTo(false)
	c.peer("one", calico.BGPPeerSpec{Node: nodeName(1), PeerIP: "10.0.0.3:1790", ASNumber: 64512, ReversePeering: "Manual"})
	c.peer("back", calico.BGPPeerSpec{Node: nodeName(2), PeerIP: "10.0.0.2:1791", ASNumber: 64512, ReversePeering: "Manual"})
	c.run(5 * time.Second)
	if up, configured := c.f.SessionCounts(); up != 0 || configured != 1 {
		t.Fatalf("%d of %d sessions up though nobody listens there, want 0 of 1", up, configured)
	}
}

// TestOwnASInTheMesh: of a node that names no AS number confd expects its own, whatever
// the cluster's is.
func TestOwnASInTheMesh(t *testing.T) {
	c := newCluster(t, 5, 1, false)
	c.node(1).ASNumber, c.node(2).ASNumber, c.node(3).ASNumber = 65001, 65001, 64512
	c.run(40 * time.Second)
	for _, tc := range []struct {
		a, b int
		up   bool
	}{{1, 2, true}, {1, 3, true}, {1, 4, false}, {4, 2, false}, {3, 4, true}, {4, 5, true}} {
		ip := c.node(tc.b).IPv4.String()
		if got := c.peersOf(tc.a)[ip][0] == "NodeMesh Established"; got != tc.up {
			t.Errorf("session of node %d with node %d up: %v, want %v (%v)", tc.a, tc.b, got, tc.up, c.peersOf(tc.a)[ip])
		}
	}
}
