package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/birdconf"
	"tapetum.dev/tapetum/internal/lab/birdctl"
)

// The main thread must stay where it is: it stands for the whole process.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	asTapetum()
	if code, done := Reexec(); done {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// patience bounds every wait.
const patience = 3 * time.Minute

// require skips a test where the machine does not allow it, but not in CI.
func require(t *testing.T) map[birdconf.Family]string {
	t.Helper()
	birds, _, err := Birds()
	if allowed := Allowed(); err == nil {
		err = allowed
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("CI needs this: %v", err)
	case errors.Is(err, ErrForbidden), errors.Is(err, birdctl.ErrNone):
		t.Skip(err)
	default:
		t.Fatal(err)
	}
	return birds
}

func testDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("configurations and logs are in %s", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func await(t *testing.T, what string, want func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		missing := want()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %s", what, patience, missing)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// startLAN boots n nodes in a mesh of both families and waits until it is up.
func startLAN(t *testing.T, n int, families ...birdconf.Family) (*lan, birdconf.Input) {
	t.Helper()
	l, err := newLAN(&Options{Dir: testDir(t), Birds: require(t), Seed: 1, Lag: DefaultLag})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	in := birdconf.Input{Blocks: map[string][]netip.Prefix{}, Pools: []netip.Prefix{poolV4, poolV6}}
	for i := range n {
		p := planOf(i, 3, families, false)
		if err := l.add(p); err != nil {
			t.Fatal(err)
		}
		node := inventory.Node{Name: p.name, Labels: map[string]string{"name": p.name}, IPv4: p.addresses[birdconf.IPv4].Addr(), IPv6: p.addresses[birdconf.IPv6].Addr()}
		in.Nodes = append(in.Nodes, node)
		for _, b := range p.blocks {
			in.Blocks[p.name] = append(in.Blocks[p.name], b)
		}
	}
	for _, m := range l.all() {
		if err := m.begin(&in); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "mesh", l.calm)
	return l, in
}

// TestKernelsTell: what happens in BIRD is read from the kernels.
func TestKernelsTell(t *testing.T) {
	l, in := startLAN(t, 4, birdconf.IPv4, birdconf.IPv6)
	begun := time.Now()

	// The first node becomes a reflector while no BGPPeer is there: its own routes
	// go, and those to it; all others stay.
	reflector := in
	reflector.Nodes = append([]inventory.Node(nil), in.Nodes...)
	reflector.Nodes[0].ClusterID = "224.0.0.1"
	l.set(reflector)
	await(t, "a reflector without peers", func() string {
		if len(l.missing()) != 12 { // 6 a family
			return "not all are gone"
		}
		return ""
	})
	reflector.Peers = []calico.BGPPeer{{Spec: calico.BGPPeerSpec{NodeSelector: `name != "node-01"`, PeerSelector: `name == "node-01"`}}}
	l.set(reflector)
	await(t, "sessions with the reflector", l.calm)
	time.Sleep(time.Second)
	lost := map[pair]bool{}
	for _, g := range l.ledger.since(begun) {
		t.Logf("%s -> %s %s pathless %v", g.node, l.owners[g.network], g.length(time.Now()), g.pathless)
		if g.lost(time.Now()) {
			lost[g.pair] = true
			if g.node != "node-01" && l.owners[g.network] != "node-01" {
				t.Errorf("%s lost %s", g.node, g.network)
			}
		}
	}
	if len(lost) != 12 {
		t.Errorf("%d pairs were lost, want 12: %v", len(lost), lost)
	}
	if err := l.health(); err != nil {
		t.Error(err)
	}
}

// TestLossIsSeen: where the mesh goes and nothing is in its place, every pair is
// lost, and counted as what must not be.
func TestLossIsSeen(t *testing.T) {
	l, in := startLAN(t, 3, birdconf.IPv4)
	begun := time.Now()
	off := false
	without := in
	without.Configurations = []calico.BGPConfiguration{{ObjectMeta: named("default"), Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off}}}
	l.set(without)
	await(t, "no mesh", func() string {
		if len(l.missing()) != 6 {
			return "some routes are still there"
		}
		return ""
	})
	a := add(l.ledger.since(begun), &sides{owners: l.owners}, begun, time.Now().Add(lossFrom))
	if a.classes[ordinary].lost != 6 || a.classes[changing].lost+a.classes[failed].lost != 0 {
		t.Errorf("lost by class %+v, want 6 ordinary pairs", a.classes)
	}
	await(t, "BIRD's own word", func() string { // its log is read by others than the kernels' messages
		for _, g := range l.ledger.since(begun) {
			if !g.pathless {
				return fmt.Sprintf("%s has no route to %s, but BIRD did not say so", g.node, g.network)
			}
		}
		return ""
	})
}

// TestWedge: a BIRD that stands still does not answer and is not asked; its neighbors
// keep what they had from it until their hold timers end, and when it goes on before,
// nothing has happened.
func TestWedge(t *testing.T) {
	l, _ := startLAN(t, 3, birdconf.IPv4)
	m, err := l.machine("node-02")
	if err != nil {
		t.Fatal(err)
	}
	if said, err := m.report(); err != nil || said.Agent.BIRDV4.State != calico.DaemonReady || said.Agent.BIRDV4.RouterID == "" || said.BGP.NumberEstablishedV4 != 2 {
		t.Errorf("before: %+v, %v; want a BIRD that is ready, and two sessions", said, err)
	}
	begun := time.Now()
	if err := m.wedge(true); err != nil {
		t.Fatal(err)
	}
	if _, err := m.report(); err == nil || m.birdAnswers() || m.works() || !m.reachable() {
		t.Errorf("a BIRD that stands still reports (%v), answers (%v) or works (%v), or its node is not reachable", err, m.birdAnswers(), m.works())
	}
	if text := l.calm(); text != "" {
		t.Errorf("the others are not at rest: %s", text)
	}
	if err := l.health(); err != nil {
		t.Errorf("the process is there: %v", err)
	}
	if err := m.wedge(false); err != nil {
		t.Fatal(err)
	}
	await(t, "node-02 again", l.calm)
	if lost := l.ledger.since(begun); len(lost) > 0 {
		t.Errorf("gaps %+v", lost)
	}
}

// TestPowerLoss: whoever loses power is forgotten at once, the others keep what they
// had from it, and it comes back to an empty table.
func TestPowerLoss(t *testing.T) {
	l, _ := startLAN(t, 3, birdconf.IPv4)
	// In a mesh the higher address dials: this one need not wait until the others
	// find out that it was away.
	m, err := l.machine("node-03")
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := m.powerOff(); err != nil {
		t.Fatal(err)
	}
	block := m.blocks[birdconf.IPv4]
	if !l.ledger.has(pair{"node-01", block}) || l.ledger.has(pair{"node-03", planOf(0, 3, []birdconf.Family{birdconf.IPv4}, false).blocks[birdconf.IPv4]}) {
		t.Error("the neighbor has lost the route, or the dead node still has its own")
	}
	if text := l.calm(); text != "" {
		t.Errorf("the others are not at rest: %s", text)
	}
	if err := m.powerOn(); err != nil {
		t.Fatal(err)
	}
	await(t, "node-03 again", l.calm)
	l.recovers(m.name)
	a := add(l.ledger.since(begun), &sides{owners: l.owners, outages: l.allOutages()}, begun, time.Now())
	if a.classes[ordinary].lost+a.classes[changing].lost > 0 {
		t.Errorf("lost by class %+v, want none but the failed node's", a.classes)
	}
}
