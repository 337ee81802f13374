package conformance

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

var (
	seed     = flag.Uint64("seed", 1, "seed of the random clusters; the i-th cluster has seed + i")
	clusters = flag.Int("clusters", 200, "number of random clusters")
	edited   = flag.Int("edited", 60, "number of random clusters that are edited while they run")
)

// scaled is a number of clusters, fewer with -short.
func scaled(n int) int {
	if testing.Short() {
		return min(n, 20)
	}
	return n
}

// workers is how many clusters run at once: daemons sleep most of the time, and
// the default of go test, one per CPU, would wait for nothing.
const workers = 12

// concurrently runs do as subtests, several at once.
func concurrently(t *testing.T, name string, n int, do func(t *testing.T, i int)) {
	t.Helper()
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(workers, n) {
		wait.Go(func() {
			for i := range next {
				t.Run(fmt.Sprintf("%s %d", name, i), func(t *testing.T) { do(t, i) })
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
}

// chance draws values for random clusters.
type chance struct{ *rand.Rand }

func newChance(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 0))} }

func (r chance) percent(p int) bool { return r.IntN(100) < p }

func pick[T any](r chance, list ...T) T { return list[r.IntN(len(list))] }

var zones = []string{"a", "b", "c"}

// randomInput draws a cluster of 3 to 9 nodes whose outcome confd does not leave
// to chance.
func randomInput(r chance, network netip.Addr) bgp.Input {
	for {
		in := drawInput(r, network)
		if settled(in) {
			return in
		}
	}
}

// tooManyPaths bounds clusters that would tell nothing more, only take long.
const tooManyPaths = 1500

// settled tells whether the resources say what happens: no two BGPPeers that
// contradict each other, no two ports for one neighbor, of which BIRD would take
// what dials first, and no two protocols with different filters, or of which only
// one fits, where the older would stand. (The mesh's is older than a node's.)
// Explosions of paths are left to the measured topologies.
func settled(in bgp.Input) bool {
	protocols, conflicts := derive(in)
	if len(conflicts) > 0 {
		return false
	}
	for _, list := range protocols {
		first := map[netip.Addr]birdconf.Protocol{}
		for _, p := range list {
			other, second := first[p.IP]
			if second && (other.Port != p.Port || !slices.Equal(other.Filters, p.Filters) || other.AS != p.AS && strings.HasPrefix(other.Name, "Global_")) {
				return false
			}
			first[p.IP] = p
		}
	}
	_, most, capped := bgp.Build(in).PathsPerRoute()
	for _, node := range bgp.Build(in).Reflectors() {
		paths, over := bgp.Build(in).PathsTo(node, bgp.IPv4, nil)
		capped = capped || over
		for _, n := range paths {
			most = max(most, n)
		}
	}
	return !capped && most <= tooManyPaths
}

func drawInput(r chance, network netip.Addr) bgp.Input {
	b := build(network)
	mesh := r.percent(35)
	b.in.Configurations[0].Spec.NodeToNodeMeshEnabled = &mesh
	if r.percent(25) {
		b.in.Configurations[0].Spec.ListenPort = pick(r, calico.DefaultPort, port+1)
	}
	for i := range 3 + r.IntN(7) {
		labels, cluster := drawRole(r)
		b.node(fmt.Sprintf("n%d", i), cluster, labels)
	}
	if r.percent(15) {
		drawASNumbers(r, b.in.Nodes)
	}
	if r.percent(15) {
		b.in.Configurations = append(b.in.Configurations, calico.BGPConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "node.n1"}, Spec: calico.BGPConfigurationSpec{ListenPort: port + 2},
		})
	}
	for i := range r.IntN(3) {
		b.in.Filters = append(b.in.Filters, drawFilter(r, fmt.Sprintf("f%d", i)))
	}
	for i := range 1 + r.IntN(4) {
		b.in.Peers = append(b.in.Peers, drawPeer(r, &b.in, fmt.Sprintf("p%d", i)))
	}
	return b.in
}

// drawASNumbers gives some nodes an AS of their own, as racks have that peer with
// their switches by eBGP.
func drawASNumbers(r chance, nodes []inventory.Node) {
	for i := range nodes {
		if r.percent(50) {
			nodes[i].ASNumber = pick[uint32](r, 65001, 65002, calico.DefaultASNumber)
		}
	}
}

// drawRole gives a node labels and perhaps a cluster ID; mostly the two agree.
func drawRole(r chance) (map[string]string, string) {
	labels := map[string]string{"zone": pick(r, zones...)}
	cluster := ""
	if r.percent(45) {
		cluster = id(r.IntN(3))
	}
	if (cluster != "") != r.percent(8) {
		labels["rr"] = pick(r, "x", "y")
	}
	return labels, cluster
}

func drawSelector(r chance) string {
	return pick(r,
		"all()", "has(rr)", "!has(rr)", `rr == "x"`, `rr != "y"`, fmt.Sprintf("zone == %q", pick(r, zones...)),
		fmt.Sprintf("has(rr) && zone == %q", pick(r, zones...)), fmt.Sprintf("!has(rr) && zone != %q", pick(r, zones...)),
		`zone in {"a", "b"}`, `rr == "y" || zone == "c"`, `has(none)`, `zone starts with "a"`,
	)
}

func drawPeer(r chance, in *bgp.Input, name string) calico.BGPPeer {
	p := calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name}}
	switch {
	case r.percent(80):
		p.Spec.NodeSelector = drawSelector(r)
	case r.percent(60):
		p.Spec.Node = pick(r, in.Nodes...).Name
	}
	if r.percent(75) {
		p.Spec.PeerSelector = drawSelector(r)
	} else {
		n := pick(r, in.Nodes...)
		p.Spec.PeerIP, p.Spec.ASNumber = n.IPv4.String(), cmp.Or(n.ASNumber, calico.DefaultASNumber)
		if r.percent(15) {
			p.Spec.ASNumber = 64999 // nobody's: no session
		} else if r.percent(15) {
			p.Spec.PeerIP = netip.AddrPortFrom(n.IPv4, pick(r, calico.DefaultPort, port+1)).String()
		}
	}
	if r.percent(10) {
		p.Spec.ReversePeering = "Manual"
	}
	if r.percent(15) {
		p.Spec.MaxRestartTime = &metav1.Duration{Duration: time.Duration(1+r.IntN(2)) * time.Second}
	}
	if r.percent(10) {
		p.Spec.SourceAddress = "UseNodeIP"
	}
	for _, f := range in.Filters {
		if r.percent(40) {
			p.Spec.Filters = append(p.Spec.Filters, f.Name)
		}
	}
	if r.percent(5) {
		p.Spec.Filters = append(p.Spec.Filters, "missing")
	}
	return p
}

func drawFilter(r chance, name string) calico.BGPFilter {
	f := calico.BGPFilter{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for range r.IntN(3) {
		f.Spec.ImportV4 = append(f.Spec.ImportV4, drawRule(r))
	}
	for range r.IntN(3) {
		f.Spec.ExportV4 = append(f.Spec.ExportV4, drawRule(r))
	}
	return f
}

func drawRule(r chance) calico.BGPFilterRule {
	rule := calico.BGPFilterRule{Action: pick(r, "Accept", "Accept", "Reject")}
	if r.percent(50) {
		rule.Communities = &calico.BGPFilterCommunities{Values: []string{drawCommunity(r)}}
	}
	if r.percent(40) || rule.Communities == nil && rule.Action == "Reject" {
		rule.CIDR, rule.MatchOperator = block(r.IntN(9)).String(), pick(r, "In", "NotIn", "Equal", "NotEqual")
		if r.percent(40) {
			rule.CIDR, rule.MatchOperator = netip.PrefixFrom(block(4*r.IntN(2)).Addr(), 22).String(), pick(r, "In", "NotIn")
		}
	}
	if rule.Action == "Accept" && r.percent(60) {
		rule.Operations = []calico.BGPFilterOperation{{AddCommunity: &calico.BGPFilterAddCommunity{Value: drawCommunity(r)}}}
	}
	return rule
}

func drawCommunity(r chance) string { return pick(r, "64512:1", "64512:2") }

// TestRandomClusters compares the model with BIRD for small clusters of all
// kinds, most of which nobody would want, whole and with one daemon killed.
func TestRandomClusters(t *testing.T) {
	t.Parallel()
	bird := birdPath(t)
	t.Logf("seed %d, run again with -seed", *seed)
	concurrently(t, "cluster", scaled(*clusters), func(t *testing.T, i int) {
		t.Helper()
		inNetwork(t, func(network netip.Addr) {
			r := newChance(*seed + uint64(i))
			in := randomInput(r, network)
			compare(t, bird, in, pick(r, in.Nodes...).Name)
		})
	})
}
