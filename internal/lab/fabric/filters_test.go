package fabric

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
)

const community = "64512:4242"

// tagFilter marks what reflectors learn from each other, and passes nothing on
// that is marked.
func tagFilter(name string) calico.BGPFilter {
	in := func() []calico.BGPFilterRule {
		return []calico.BGPFilterRule{{Action: "Accept", Operations: []calico.BGPFilterOperation{
			{AddCommunity: &calico.BGPFilterAddCommunity{Value: community}},
		}}}
	}
	out := func() []calico.BGPFilterRule {
		return []calico.BGPFilterRule{{Action: "Reject", Communities: &calico.BGPFilterCommunities{Values: []string{community}}}}
	}
	return calico.BGPFilter{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: calico.BGPFilterSpec{
		ImportV4: in(), ImportV6: in(), ExportV4: out(), ExportV6: out(),
	}}
}

func rejectAll(name string) calico.BGPFilter {
	no := []calico.BGPFilterRule{{Action: "Reject"}}
	return calico.BGPFilter{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: calico.BGPFilterSpec{ExportV4: no, ExportV6: no}}
}

// filter makes f the only BGPFilter, or none where it has no name.
func (c *testCluster) filter(f calico.BGPFilter) {
	c.res.Filters = nil
	if f.Name != "" {
		c.res.Filters = []calico.BGPFilter{f}
	}
}

func (c *testCluster) peerNamed(name string) *calico.BGPPeer {
	for i := range c.res.Peers {
		if c.res.Peers[i].Name == name {
			return &c.res.Peers[i]
		}
	}
	c.t.Fatalf("no BGPPeer %s", name)
	return nil
}

// multi makes the first m nodes reflectors with IDs of their own, fully meshed
// with the named tag filter ("" for none). The others are spread over m groups;
// group g peers with k reflectors from the g-th on.
func (c *testCluster) multi(m, k int, filter string) {
	c.t.Helper()
	c.layout(m, filter, func(i int) string { return fmt.Sprintf("224.0.1.%d", i) }, func(g int) (served []int) {
		for j := range k {
			served = append(served, (g+j)%m+1)
		}
		return served
	})
}

// layout is multi with the cluster ID of each reflector, and the reflectors that
// serve each of the m groups.
func (c *testCluster) layout(m int, filter string, id func(reflector int) string, serving func(group int) []int) {
	c.t.Helper()
	c.meshTo(false)
	c.between()
	if filter != "" {
		c.filter(tagFilter(filter))
		c.peerNamed("between").Spec.Filters = []string{filter}
	}
	for i := 1; i <= m; i++ {
		c.label(i)
		c.node(i).ClusterID = id(i)
	}
	for g := range m {
		c.peer(fmt.Sprintf("group-%d", g), calico.BGPPeerSpec{
			NodeSelector: fmt.Sprintf("!has(%s) && home == '%d'", reflectorLabel, g),
			PeerSelector: fmt.Sprintf("has(serves-%d)", g),
		})
		for _, r := range serving(g) {
			c.node(r).Labels[fmt.Sprintf("serves-%d", g)] = "true"
		}
	}
	for i := m + 1; i <= len(c.res.Nodes); i++ {
		c.node(i).Labels["home"] = fmt.Sprint((i - 1) % m)
	}
	c.run(20 * time.Second)
}

// pathsAt counts the paths to the destination o that node z is sent.
func (c *testCluster) pathsAt(o, z int) (n int) {
	p := c.f.planes[v4]
	from, to := c.f.byName[nodeName(o)], c.f.byName[nodeName(z)]
	for _, l := range p.links[to.slot] {
		for _, x := range p.paths[from.slot][l.reflector.rr[v4]] {
			if _, ok := relay(l.reflector, to, l.sess, x); ok && x.from != to {
				n++
			}
		}
	}
	return n
}

// The tag filter over a full mesh of distinct IDs: complete, k² paths, and
// complete after any reflector fell silent for good.
func TestTagFilter(t *testing.T) {
	for _, tc := range []struct{ m, k int }{{3, 2}, {4, 2}, {5, 2}, {6, 3}, {8, 2}, {9, 3}, {21, 2}} {
		t.Run(fmt.Sprintf("m %d k %d", tc.m, tc.k), func(t *testing.T) {
			c := newCluster(t, tc.m*3, 1, false)
			c.multi(tc.m, tc.k, "one-hop")
			c.complete()
			// Two clients of groups that share no reflector: only then are all paths
			// over the mesh.
			if far := tc.m/2 + 1; tc.m >= 2*tc.k {
				if n := c.pathsAt(tc.m+1, tc.m+far); n != tc.k*tc.k {
					t.Fatalf("%d paths at a client, want %d", n, tc.k*tc.k)
				}
			}
			c.f.ResetAccount(c.now, nil)
			c.f.Kill(c.now, nodeName(1))
			c.run(300 * time.Second)
			c.complete()
			if a := c.f.Account(); a.Ordinary.Pairs+a.Changing.Pairs != 0 {
				t.Fatalf("lost %+v and %+v, want nothing but what the dead one had", a.Ordinary, a.Changing)
			}
		})
	}
}

// Who sees whom, by topology. In none of them does the number of paths held grow
// beyond what is needed to know that.
func TestVisibility(t *testing.T) {
	own := func(i int) string { return fmt.Sprintf("224.0.1.%d", i) }
	one := func(int) string { return clusterID }
	zone := func(size int) func(int) string {
		return func(i int) string { return fmt.Sprintf("224.0.1.%d", (i-1)/size) }
	}
	next := func(m, k int) func(int) []int {
		return func(g int) (r []int) {
			for j := range k {
				r = append(r, (g+j)%m+1)
			}
			return r
		}
	}
	block := func(size int) func(int) []int {
		return func(g int) (r []int) {
			for j := range size {
				r = append(r, g/size*size+j+1)
			}
			return r
		}
	}
	fano := func(g int) []int { return []int{g%7 + 1, (g+1)%7 + 1, (g+3)%7 + 1} }
	for _, tc := range []struct {
		name    string
		m       int
		filter  string
		id      func(int) string
		serving func(int) []int
		clients int // pairs of clients without a route, one client a group
	}{
		{"one ID, disjoint reflectors", 6, "", one, next(6, 1), 30},
		{"one ID, everybody's reflectors", 4, "", one, next(4, 4), 0},
		{"own IDs, k = 3", 8, "", own, next(8, 3), 0},
		{"own IDs, k = 2, 21 reflectors", 21, "", own, next(21, 2), 0},
		{"one ID a zone, 3 × 3", 9, "", zone(3), block(3), 0},
		{"one ID a zone, 5 × 2", 10, "", zone(2), block(2), 0},
		{"one ID a zone, 3 × 3, tag filter", 9, "one-hop", zone(3), block(3), 0},
		{"one ID a zone, 5 × 2, tag filter", 10, "one-hop", zone(2), block(2), 0},
		{"quorum: lines of the Fano plane", 7, "", one, fano, 0},
		{"quorum: three in a row of a ring of 7", 7, "", one, next(7, 3), 14},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t, 2*tc.m, 1, false)
			c.layout(tc.m, tc.filter, tc.id, tc.serving)
			if n := c.missingClients(tc.m); n != tc.clients {
				t.Fatalf("%d pairs of clients have no route, want %d", n, tc.clients)
			}
		})
	}
}

func (c *testCluster) missingClients(m int) (n int) {
	c.f.eachPair(func(_ int, o, z *node, x *pair) {
		if o.name > nodeName(m) && z.name > nodeName(m) && !x.has {
			n++
		}
	})
	return n
}

// A calico-node older than v3.32 drops what it does not know of the tag filter:
// what is left rejects everything that it would send to the other reflectors.
func TestTagFilterOnAnOldNode(t *testing.T) {
	c := newCluster(t, 9, 1, false)
	c.res.WithoutCommunities = map[string]bool{nodeName(1): true}
	c.multi(3, 2, "one-hop")
	// Reflector 1 serves groups 0 and 2. What it does not send over the mesh: its own
	// destination, which the clients of group 1 and both other reflectors miss.
	// Everybody else's reaches the others by the other home.
	missing, sample := c.f.MissingPairs()
	if missing != 4 {
		t.Fatalf("%d pairs missing, want 4: %v", missing, sample)
	}
	for _, p := range sample {
		if p.Destination != nodeName(1) {
			t.Fatalf("%v is missing, want only the old node's own", p)
		}
	}
	c.res.WithoutCommunities = nil
	a := c.lost(5*time.Second, func() {})
	c.complete()
	if a.Ordinary.Pairs != 4 || a.Ordinary.Longest > 250*time.Millisecond {
		t.Fatalf("lost %+v, want the same 4 pairs until the node was up to date", a)
	}
}

// Two reflectors a rack, with an ID of the rack, are clients of two spines that
// share one.
func TestHierarchy(t *testing.T) {
	const racks, rackSize = 3, 2
	c := newCluster(t, 2+racks*(rackSize+3), 1, false)
	c.meshTo(false)
	c.peer("spines", calico.BGPPeerSpec{NodeSelector: "spine == 'yes'", PeerSelector: "spine == 'yes'"})
	c.peer("racks", calico.BGPPeerSpec{NodeSelector: "has(leaf)", PeerSelector: "spine == 'yes'"})
	for i := 1; i <= 2; i++ {
		c.node(i).ClusterID, c.node(i).Labels["spine"] = clusterID, "yes"
	}
	for r := range racks {
		rack := fmt.Sprint(r)
		c.peer("rack-"+rack, calico.BGPPeerSpec{NodeSelector: "rack == '" + rack + "'", PeerSelector: "leaf == '" + rack + "'"})
		for j := range rackSize + 3 {
			n := c.node(3 + r*(rackSize+3) + j)
			if j < rackSize {
				n.ClusterID, n.Labels["leaf"] = "224.0.1."+rack, rack
			} else {
				n.Labels["rack"] = rack
			}
		}
	}
	c.run(20 * time.Second)
	c.complete()
	for _, dead := range []int{1, 3} {
		c.f.Kill(c.now, nodeName(dead))
	}
	c.run(300 * time.Second)
	c.complete()
}

// Both families have their own rules.
func TestFilterOfOneFamily(t *testing.T) {
	c := newCluster(t, 9, 1, true)
	c.multi(3, 1, "")
	f := rejectAll("no")
	f.Spec.ExportV4 = nil
	c.filter(f)
	c.peerNamed("between").Spec.Filters = []string{"no"}
	c.run(time.Second)
	missing, sample := c.f.MissingPairs()
	// Nine nodes in three islands of three.
	if missing != 9*6 || !sample[0].IPv6 {
		t.Fatalf("%d pairs missing, such as %v; want the 54 between the islands, of IPv6", missing, sample[0])
	}
}

func TestRules(t *testing.T) {
	min24, max24, max32 := int32(24), int32(24), int32(32)
	type in struct {
		rules   []calico.BGPFilterRule
		inside  bool // same AS number
		learned bool
		carried string
	}
	comm := func(v ...string) *calico.BGPFilterCommunities { return &calico.BGPFilterCommunities{Values: v} }
	add := func(v string) []calico.BGPFilterOperation {
		return []calico.BGPFilterOperation{{AddCommunity: &calico.BGPFilterAddCommunity{Value: v}}}
	}
	no := calico.BGPFilterRule{Action: "Reject"}
	seven := int32(7)
	for _, tc := range []struct {
		name    string
		in      in
		pass    bool
		carried string // community that the route has afterwards
	}{
		{"no rules", in{}, true, ""},
		{"reject", in{rules: []calico.BGPFilterRule{no}}, false, ""},
		{"first match decides", in{rules: []calico.BGPFilterRule{{Action: "Accept"}, no}}, true, ""},
		{"community absent", in{rules: []calico.BGPFilterRule{{Action: "Reject", Communities: comm("1:1")}}}, true, ""},
		{"community present", in{rules: []calico.BGPFilterRule{{Action: "Reject", Communities: comm("1:1")}}, carried: "1:1"}, false, "1:1"},
		{"another community", in{rules: []calico.BGPFilterRule{{Action: "Reject", Communities: comm("1:1")}}, carried: "1:2"}, true, "1:2"},
		{"only the first value counts", in{rules: []calico.BGPFilterRule{{Action: "Reject", Communities: comm("1:1", "1:2")}}, carried: "1:2"}, true, "1:2"},
		{"large community", in{rules: []calico.BGPFilterRule{{Action: "Reject", Communities: comm("1:2:3")}}, carried: "1:2:3"}, false, "1:2:3"},
		{"no value", in{rules: []calico.BGPFilterRule{{Action: "Reject", Communities: comm()}}}, true, ""},
		{"add", in{rules: []calico.BGPFilterRule{{Action: "Accept", Operations: add("1:1")}}}, true, "1:1"},
		{"learned, own route", in{rules: []calico.BGPFilterRule{{Action: "Reject", Source: "RemotePeers"}}}, true, ""},
		{"learned, another's", in{rules: []calico.BGPFilterRule{{Action: "Reject", Source: "RemotePeers"}}, learned: true}, false, ""},
		{"eBGP only", in{rules: []calico.BGPFilterRule{{Action: "Reject", PeerType: "eBGP"}}, inside: true}, true, ""},
		{"iBGP only", in{rules: []calico.BGPFilterRule{{Action: "Reject", PeerType: "iBGP"}}, inside: true}, false, ""},
		{"interface", in{rules: []calico.BGPFilterRule{{Action: "Reject", Interface: "eth0"}}}, true, ""},
		{"priority", in{rules: []calico.BGPFilterRule{{Action: "Reject", Priority: &seven}}}, true, ""},
		{"AS path", in{rules: []calico.BGPFilterRule{{Action: "Reject", ASPathPrefix: []uint32{1}}}}, true, ""},
		{"in a network", in{rules: []calico.BGPFilterRule{{Action: "Reject", CIDR: "192.0.2.0/24", MatchOperator: "In"}}}, true, ""},
		{"not in a network", in{rules: []calico.BGPFilterRule{{Action: "Reject", CIDR: "192.0.2.0/24", MatchOperator: "NotIn"}}}, false, ""},
		{"in the network of all", in{rules: []calico.BGPFilterRule{{Action: "Reject", CIDR: "0.0.0.0/0", MatchOperator: "In"}}}, false, ""},
		{"the default route itself", in{rules: []calico.BGPFilterRule{{Action: "Reject", CIDR: "0.0.0.0/0", MatchOperator: "Equal"}}}, true, ""},
		{"lengths that blocks have", in{rules: []calico.BGPFilterRule{{Action: "Reject", CIDR: "0.0.0.0/0", MatchOperator: "In",
			PrefixLength: &calico.BGPFilterPrefixLength{Min: &min24, Max: &max32}}}}, false, ""},
		{"lengths that blocks do not have", in{rules: []calico.BGPFilterRule{{Action: "Reject", CIDR: "0.0.0.0/0", MatchOperator: "In",
			PrefixLength: &calico.BGPFilterPrefixLength{Max: &max24}}}}, true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := New(1, DefaultTiming())
			rules := f.appendRules(nil, tc.in.rules, rulesKey{inside: tc.in.inside})
			bit := func(s string) tags {
				if s == "" {
					return 0
				}
				return f.tag(s)
			}
			carried, pass := apply(rules, bit(tc.in.carried), tc.in.learned)
			if pass != tc.pass || carried != bit(tc.carried) {
				t.Fatalf("passes %v with communities %b, want %v with %b", pass, carried, tc.pass, bit(tc.carried))
			}
		})
	}
}
