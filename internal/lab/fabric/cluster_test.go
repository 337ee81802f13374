package fabric

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

const (
	reflectorLabel = "example.org/reflector"
	clusterID      = "224.0.0.1"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// testCluster drives a fabric: every change of res is written at once by write.
type testCluster struct {
	t   testing.TB
	f   *Fabric
	now time.Time
	res Resources
}

func newCluster(t testing.TB, nodes int, seed uint64, dual bool) *testCluster {
	t.Helper()
	timing := DefaultTiming()
	timing.TailPerMille = 0 // the tail has a test of its own
	c := &testCluster{t: t, f: New(seed, timing), now: start}
	for i := 1; i <= nodes; i++ {
		c.res.Nodes = append(c.res.Nodes, makeNode(i, dual))
	}
	c.run(5 * time.Second)
	return c
}

func makeNode(i int, dual bool) inventory.Node {
	n := inventory.Node{
		Name: nodeName(i), UID: fmt.Sprintf("uid-%d", i), Labels: map[string]string{"zone": string(rune('a' + i%3))},
		IPv4: netip.AddrFrom4([4]byte{10, 0, byte(i / 250), byte(i%250 + 1)}),
	}
	if dual {
		n.IPv6 = netip.MustParseAddr(fmt.Sprintf("fd00::%x", i))
	}
	return n
}

func nodeName(i int) string { return fmt.Sprintf("n%03d", i) }

// write hands the resources over, then lets d pass.
func (c *testCluster) write(d time.Duration) {
	c.f.Set(c.now, c.copy())
	c.now = c.now.Add(d)
	c.f.Advance(c.now)
}

func (c *testCluster) run(d time.Duration) { c.write(d) }

func (c *testCluster) copy() Resources {
	var r Resources
	for _, n := range c.res.Nodes {
		labels := map[string]string{}
		for k, v := range n.Labels {
			labels[k] = v
		}
		n.Labels = labels
		r.Nodes = append(r.Nodes, n)
	}
	r.Peers = append(r.Peers, c.res.Peers...)
	r.Configurations = append(r.Configurations, c.res.Configurations...)
	r.Filters = append(r.Filters, c.res.Filters...)
	r.WithoutCommunities = maps.Clone(c.res.WithoutCommunities)
	return r
}

func (c *testCluster) node(i int) *inventory.Node {
	for j := range c.res.Nodes {
		if c.res.Nodes[j].Name == nodeName(i) {
			return &c.res.Nodes[j]
		}
	}
	c.t.Fatalf("no node %d", i)
	return nil
}

func (c *testCluster) peer(name string, spec calico.BGPPeerSpec) {
	c.res.Peers = append(c.res.Peers, calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec})
}

func (c *testCluster) unpeer(name string) {
	for i := range c.res.Peers {
		if c.res.Peers[i].Name == name {
			c.res.Peers = append(c.res.Peers[:i:i], c.res.Peers[i+1:]...)
			return
		}
	}
	c.t.Fatalf("no BGPPeer %s", name)
}

func (c *testCluster) label(i int)    { c.node(i).Labels[reflectorLabel] = "1" }
func (c *testCluster) annotate(i int) { c.node(i).ClusterID = clusterID }
func (c *testCluster) promote(i int)  { c.label(i); c.annotate(i) }

func (c *testCluster) demote(i int) {
	delete(c.node(i).Labels, reflectorLabel)
	c.node(i).ClusterID = ""
}

// clients is the peering of every ordinary node with every reflector.
func (c *testCluster) clients() {
	c.peer("clients", calico.BGPPeerSpec{
		NodeSelector: "!has(" + reflectorLabel + ")", PeerSelector: "has(" + reflectorLabel + ")",
	})
}

// between is the peering of reflectors among themselves by selector.
func (c *testCluster) between() {
	c.peer("between", calico.BGPPeerSpec{
		NodeSelector: "has(" + reflectorLabel + ")", PeerSelector: "has(" + reflectorLabel + ")",
	})
}

// pin makes junior a neighbor of senior by address, in both families.
func (c *testCluster) pin(senior, junior int) {
	j := c.node(junior)
	c.peer(fmt.Sprintf("pin-%d-%d", senior, junior), calico.BGPPeerSpec{Node: nodeName(senior), PeerIP: j.IPv4.String(), ASNumber: 64512})
	if j.IPv6.IsValid() {
		c.peer(fmt.Sprintf("pin6-%d-%d", senior, junior), calico.BGPPeerSpec{Node: nodeName(senior), PeerIP: j.IPv6.String(), ASNumber: 64512})
	}
}

func (c *testCluster) meshTo(on bool) {
	c.res.Configurations = []calico.BGPConfiguration{{
		ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &on},
	}}
}

// lost runs one write and returns the account of it after d.
func (c *testCluster) lost(d time.Duration, write func()) Account {
	c.t.Helper()
	c.f.ResetAccount(c.now, nil)
	write()
	c.write(d)
	return c.f.Account()
}

func (c *testCluster) complete() {
	c.t.Helper()
	if n, sample := c.f.MissingPairs(); n != 0 {
		c.t.Fatalf("%d pairs have no route, such as %v", n, sample[0])
	}
}

// withReflectors brings a cluster from the mesh to m reflectors, step by step.
func (c *testCluster) withReflectors(pins, keepMesh bool, m ...int) {
	c.t.Helper()
	c.clients()
	if !pins {
		c.between()
	}
	c.run(time.Second)
	for i, n := range m {
		if pins {
			for _, senior := range m[:i] {
				c.pin(senior, n)
			}
			c.run(time.Second)
		}
		c.promote(n)
		c.run(5 * time.Second)
	}
	if !keepMesh {
		c.meshTo(false)
		c.run(5 * time.Second)
	}
	c.complete()
}

func seconds(n int) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n) * time.Second}
}
