package conformance

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// builder makes the resources of a cluster.
type builder struct {
	network netip.Addr
	in      bgp.Input
}

func build(network netip.Addr) *builder {
	off := false
	return &builder{network: network, in: bgp.Input{
		Configurations: []calico.BGPConfiguration{{
			ObjectMeta: metav1.ObjectMeta{Name: "default"},
			Spec:       calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off},
		}},
		Blocks: map[string][]netip.Prefix{},
	}}
}

// node adds a node; an empty cluster ID makes no reflector.
func (b *builder) node(name, clusterID string, labels map[string]string) {
	i := len(b.in.Nodes)
	b.in.Nodes = append(b.in.Nodes, inventory.Node{
		Name: name, Labels: labels, ClusterID: clusterID, IPv4: address(b.network, i), Ready: true, OS: "linux",
	})
	b.in.Blocks[name] = []netip.Prefix{block(i)}
}

func (b *builder) peer(name, nodes, peers string, filters ...string) {
	b.in.Peers = append(b.in.Peers, calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       calico.BGPPeerSpec{NodeSelector: nodes, PeerSelector: peers, Filters: filters},
	})
}

// tag is the filter that keeps routes from crossing the reflector mesh twice.
func (b *builder) tag() string {
	const value = "64512:4242"
	carries := &calico.BGPFilterCommunities{Values: []string{value}}
	b.in.Filters = append(b.in.Filters, calico.BGPFilter{
		ObjectMeta: metav1.ObjectMeta{Name: "tag"},
		Spec: calico.BGPFilterSpec{
			ImportV4: []calico.BGPFilterRule{{Action: "Accept", Operations: []calico.BGPFilterOperation{{AddCommunity: &calico.BGPFilterAddCommunity{Value: value}}}}},
			ExportV4: []calico.BGPFilterRule{{Action: "Reject", Communities: carries}},
		},
	})
	return "tag"
}

func id(i int) string { return fmt.Sprintf("224.0.0.%d", i+1) }

// single: one cluster ID, m reflectors, and clients that peer with all of them.
func single(m, clients int) func(*builder) {
	return func(b *builder) {
		for i := range m {
			b.node(fmt.Sprintf("r%d", i), id(0), map[string]string{"rr": ""})
		}
		for i := range clients {
			b.node(fmt.Sprintf("c%d", i), "", nil)
		}
		b.peer("clients", "!has(rr)", "has(rr)")
		b.peer("reflectors", "has(rr)", "has(rr)")
	}
}

// homed: reflectors in a full mesh, and clients with the reflectors given as their
// homes. sameID: all reflectors have one cluster ID.
func homed(m int, sameID, tagged bool, homes ...[]int) func(*builder) {
	return func(b *builder) {
		for i := range m {
			cluster := id(i)
			if sameID {
				cluster = id(0)
			}
			b.node(fmt.Sprintf("r%d", i), cluster, map[string]string{"rr": ""})
		}
		for c, list := range homes {
			b.node(fmt.Sprintf("c%d", c), "", map[string]string{"client": fmt.Sprint(c)})
			for _, h := range list {
				b.in.Nodes[h].Labels[fmt.Sprintf("serves.%d", c)] = ""
			}
			b.peer(fmt.Sprintf("clients-%d", c), fmt.Sprintf("client == %q", fmt.Sprint(c)), fmt.Sprintf("has(serves.%d)", c))
		}
		var filters []string
		if tagged {
			filters = append(filters, b.tag())
		}
		b.peer("reflectors", "has(rr)", "has(rr)", filters...)
	}
}

// zonal: one cluster ID a zone with r reflectors and one client, all reflectors meshed.
func zonal(zones, r int, tagged bool) func(*builder) {
	return func(b *builder) {
		for z := range zones {
			for i := range r {
				b.node(fmt.Sprintf("z%dr%d", z, i), id(z), map[string]string{"zone": fmt.Sprint(z), "rr": ""})
			}
			b.node(fmt.Sprintf("z%dc", z), "", map[string]string{"zone": fmt.Sprint(z)})
			b.peer(fmt.Sprintf("zone-%d", z), fmt.Sprintf("!has(rr) && zone == \"%d\"", z), fmt.Sprintf("has(rr) && zone == \"%d\"", z))
		}
		var filters []string
		if tagged {
			filters = append(filters, b.tag())
		}
		b.peer("reflectors", "has(rr)", "has(rr)", filters...)
	}
}

// hierarchy: a reflectors a rack with the rack's ID, s spine reflectors with one.
func hierarchy(racks, a, s int) func(*builder) {
	return func(b *builder) {
		for i := range s {
			b.node(fmt.Sprintf("spine%d", i), id(100), map[string]string{"tier": "spine"})
		}
		for k := range racks {
			rack := fmt.Sprint(k)
			for i := range a {
				b.node(fmt.Sprintf("k%dr%d", k, i), id(k), map[string]string{"tier": "rack", "rack": rack})
			}
			b.node(fmt.Sprintf("k%dc", k), "", map[string]string{"rack": rack})
			b.peer("rack-"+rack, fmt.Sprintf("!has(tier) && rack == %q", rack), fmt.Sprintf("tier == \"rack\" && rack == %q", rack))
		}
		b.peer("up", `tier == "rack"`, `tier == "spine"`)
		b.peer("spine", `tier == "spine"`, `tier == "spine"`)
	}
}

// measured are the rows of the table that was measured with BIRD before the model
// was written, with the number of paths between two clients that it gives.
var measured = []struct {
	name  string
	build func(*builder)
	// paths between any two clients; visible ordered pairs of clients.
	paths, pairs int
	big          bool
}{
	{"one ID, all with all, 2 reflectors", single(2, 3), 2, 6, false},
	{"one ID, all with all, 3 reflectors", single(3, 3), 3, 6, false},
	{"one ID, all with all, 5 reflectors", single(5, 3), 5, 6, false},
	{"one ID, disjoint reflectors", homed(2, true, false, []int{0}, []int{1}), 0, 0, false},
	{"own IDs, disjoint reflectors", homed(2, false, false, []int{0}, []int{1}), 1, 2, false},
	{"own IDs, 3 reflectors, 3 homes", homed(3, false, false, []int{0, 1, 2}, []int{0, 1, 2}), 15, 2, false},
	{"own IDs, 4 reflectors, 3 homes", homed(4, false, false, []int{0, 1, 2}, []int{0, 1, 2}), 33, 2, false},
	{"own IDs, 5 reflectors, 3 homes", homed(5, false, false, []int{0, 1, 2}, []int{0, 1, 2}), 99, 2, false},
	{"own IDs, 6 reflectors, 3 homes", homed(6, false, false, []int{0, 1, 2}, []int{0, 1, 2}), 393, 2, false},
	{"own IDs, 7 reflectors, 3 homes", homed(7, false, false, []int{0, 1, 2}, []int{0, 1, 2}), 1959, 2, true},
	{"own IDs, tag filter, 3 reflectors, 2 homes", homed(3, false, true, []int{0, 1}, []int{1, 2}), -1, 2, false},
	{"own IDs, tag filter, 5 reflectors, 2 homes", homed(5, false, true, []int{0, 1}, []int{2, 3}, []int{4, 0}), -1, 6, false},
	{"own IDs, tag filter, 8 reflectors, 2 homes", homed(8, false, true, []int{0, 1}, []int{2, 3}, []int{4, 5}), 4, 6, false},
	{"own IDs, tag filter, 6 reflectors, 3 homes", homed(6, false, true, []int{0, 1, 2}, []int{3, 4, 5}), 9, 2, false},
	{"own IDs, tag filter, 21 reflectors, 2 homes", homed(21, false, true, []int{0, 1}, []int{5, 6}, []int{10, 20}), 4, 6, false},
	{"zonal, 3 zones of 2", zonal(3, 2, false), 12, 6, false},
	{"zonal, 3 zones of 3", zonal(3, 3, false), 36, 6, false},
	{"zonal, 4 zones of 2", zonal(4, 2, false), 52, 12, false},
	{"zonal, 5 zones of 2", zonal(5, 2, false), 316, 20, true},
	{"zonal, tag filter, 3 zones of 3", zonal(3, 3, true), 9, 6, false},
	{"zonal, tag filter, 5 zones of 2", zonal(5, 2, true), 4, 20, false},
	{"hierarchy 2,2", hierarchy(3, 2, 2), 8, 6, false},
	{"hierarchy 2,3", hierarchy(3, 2, 3), 12, 6, false},
	{"hierarchy 3,3", hierarchy(3, 3, 3), 27, 6, false},
	{"quorum, lines of the Fano plane", homed(7, true, false,
		[]int{0, 1, 3}, []int{1, 2, 4}, []int{2, 3, 5}, []int{3, 4, 6}, []int{4, 5, 0}, []int{5, 6, 1}, []int{6, 0, 2}), 1, 42, false},
	{"quorum, arbitrary subsets of 3", homed(7, true, false,
		[]int{0, 1, 2}, []int{0, 1, 3}, []int{2, 3, 4}, []int{4, 5, 6}, []int{0, 5, 6}, []int{1, 3, 5}, []int{2, 4, 6}), -1, -1, false},
}

// TestMeasuredTopologies compares the model with BIRD for the topologies that are
// known best, whole and with a reflector and a client killed.
func TestMeasuredTopologies(t *testing.T) {
	t.Parallel()
	bird := birdPath(t)
	for _, tt := range measured {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.big && testing.Short() {
				t.Skip("tens of thousands of paths: left out with -short")
			}
			inNetwork(t, func(network netip.Addr) {
				b := build(network)
				tt.build(b)
				compareWithTable(t, b.in, tt.paths, tt.pairs)
				compare(t, bird, b.in, b.in.Nodes[0].Name)
			})
		})
	}
}

// TestPathExplosion is the row of the table that the model does not count to the
// end. Only one client announces a route: 10 would fill the memory.
func TestPathExplosion(t *testing.T) {
	t.Parallel()
	bird := birdPath(t)
	if testing.Short() {
		t.Skip("tens of thousands of paths: left out with -short")
	}
	const measured = 11745
	inNetwork(t, func(network netip.Addr) {
		b := build(network)
		homed(8, false, false, []int{0, 1, 2}, []int{0, 1, 2})(b)
		if fewest, most, capped := bgp.Build(b.in).PathsPerRoute(); !capped || most != 10_000 {
			t.Errorf("PathsPerRoute = %d, %d, capped %v; want 10,000, capped", fewest, most, capped)
		}
		announced := b.in.Blocks["c0"]
		b.in.Blocks = map[string][]netip.Prefix{"c0": announced}
		c := startCluster(t, bird, b.in)
		defer c.stop(t)
		held, same := 0, 0
		for range pollsAtMost {
			paths, err := c.daemons["c1"].Paths()
			if err != nil {
				t.Fatal(err)
			}
			if same++; paths[announced[0]] != held {
				held, same = paths[announced[0]], 0
			}
			if held == measured && same >= samePolls || held > 0 && same >= patience {
				break
			}
			time.Sleep(pollEvery)
		}
		if held != measured {
			t.Errorf("c1 holds %d paths to c0, measured were %d", held, measured)
		}
	})
}

// compareWithTable checks the prediction against the table; -1 is left open.
func compareWithTable(t *testing.T, in bgp.Input, paths, pairs int) {
	t.Helper()
	visible := 0
	predicted := predict(t, in)
	for pair, n := range predicted.paths {
		if isReflector(in, pair.From) || isReflector(in, pair.To) {
			continue
		}
		visible++
		if paths >= 0 && n != paths {
			t.Errorf("%s holds %d paths to %s, measured were %d", pair.From, n, pair.To, paths)
		}
	}
	if pairs >= 0 && visible != pairs {
		t.Errorf("%d ordered pairs of clients see each other, measured were %d", visible, pairs)
	}
}

func isReflector(in bgp.Input, node string) bool {
	return slices.ContainsFunc(in.Nodes, func(n inventory.Node) bool { return n.Name == node && n.ClusterID != "" })
}

// compare runs a cluster, compares it with the prediction, then kills one daemon
// and compares again.
func compare(t *testing.T, bird string, in bgp.Input, victim string) {
	t.Helper()
	c := startCluster(t, bird, in)
	defer c.stop(t)
	whole := predict(t, in)
	checkPathsPerRoute(t, in, whole)
	if err := c.settle(whole); err != nil {
		t.Errorf("%v\n%s", err, describe(in))
		return
	}
	c.kill(victim)
	left := predictWithout(t, in, victim)
	if other := predict(t, without(in, victim)); !other.equal(left) {
		t.Errorf("%s lost is not the same as %s not there:\n%s", victim, victim, left.diff(other))
	}
	if err := c.settle(left); err != nil {
		t.Errorf("after %s was killed: %v\n%s", victim, err, describe(in))
	}
}
