package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

var (
	someIDs       = []string{"", "", "", "224.0.0.1", "224.0.0.1", "224.0.0.2", "224.0.0.3", "bad"}
	someSelectors = []string{"all()", "has(a)", "!has(a)", "a == 'x'", "has(b)", "!has(b)", "b == 'y' && has(a)", "b != 'x'", "has("}
	someValues    = []string{"", "", "x", "y"}
)

// rarely is true one time in n.
func rarely(t *rapid.T, n int, what string) bool { return rapid.IntRange(1, n).Draw(t, what) == n }

// checkOften checks a property ten times as often as is usual.
func checkOften(t *testing.T, property func(*rapid.T)) {
	for range 10 {
		rapid.Check(t, property)
	}
}

// drawInput draws a small cluster of any kind.
func drawInput(t *rapid.T, most int) Input {
	n := rapid.IntRange(2, most).Draw(t, "nodes")
	in := Input{}
	several := rarely(t, 5, "several ASes")
	for i := range n {
		in.Nodes = append(in.Nodes, drawNode(t, i, several))
	}
	in.Filters = drawFilters(t)
	if rarely(t, 4, "blocks known") {
		in.Blocks = map[string][]netip.Prefix{}
		for i := range n {
			for range rapid.IntRange(0, 2).Draw(t, "blocks") {
				b := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(rapid.IntRange(172, 173).Draw(t, "pool")), 16, byte(i), 0}), 26)
				if !slices.Contains(in.Blocks[nodeName(i)], b) {
					in.Blocks[nodeName(i)] = append(in.Blocks[nodeName(i)], b)
				}
			}
		}
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "peers") {
		in.Peers = append(in.Peers, calico.BGPPeer{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("peer%d", i)}, Spec: drawPeer(t, n)})
	}
	in.Configurations = drawConfigurations(t, n)
	return in
}

func drawNode(t *rapid.T, i int, several bool) inventory.Node {
	node := inventory.Node{Name: nodeName(i), IPv4: address(IPv4, i), Labels: map[string]string{}}
	node.ClusterID = rapid.SampledFrom(someIDs).Draw(t, "cluster ID")
	switch rapid.IntRange(0, 5).Draw(t, "families") {
	case 0, 1, 2:
		node.IPv6 = address(IPv6, i)
	case 3:
		node.IPv4, node.IPv6 = netip.Addr{}, address(IPv6, i)
	}
	for _, l := range []string{"a", "b"} {
		if v := rapid.SampledFrom(someValues).Draw(t, l); v != "" {
			node.Labels[l] = v
		}
	}
	if several && rarely(t, 2, "own AS") {
		node.ASNumber = uint32(rapid.IntRange(64512, 64514).Draw(t, "AS"))
	}
	return node
}

func drawConfigurations(t *rapid.T, n int) []calico.BGPConfiguration {
	var out []calico.BGPConfiguration
	if !rarely(t, 4, "no default") {
		on := rapid.Bool().Draw(t, "mesh")
		c := calico.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
		c.Spec.NodeToNodeMeshEnabled = &on
		if rarely(t, 5, "port") {
			c.Spec.ListenPort = 1790
		}
		if rarely(t, 5, "mesh restart time") {
			c.Spec.NodeMeshMaxRestartTime = &metav1.Duration{Duration: 60 * time.Second}
		}
		out = append(out, c)
	}
	if rarely(t, 5, "node port") {
		c := calico.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "node." + nodeName(rapid.IntRange(0, n-1).Draw(t, "port of"))}}
		c.Spec.ListenPort = uint16(rapid.SampledFrom([]int{179, 1791}).Draw(t, "node port"))
		out = append(out, c)
	}
	return out
}

func drawPeer(t *rapid.T, n int) calico.BGPPeerSpec {
	var s calico.BGPPeerSpec
	switch rapid.IntRange(0, 5).Draw(t, "local") {
	case 0:
	case 1:
		s.Node = nodeName(rapid.IntRange(0, n).Draw(t, "node"))
	default:
		s.NodeSelector = rapid.SampledFrom(someSelectors).Draw(t, "nodeSelector")
	}
	if rapid.IntRange(0, 3).Draw(t, "remote") > 0 {
		s.PeerSelector = rapid.SampledFrom(someSelectors).Draw(t, "peerSelector")
	} else {
		f := Family(rapid.IntRange(0, 1).Draw(t, "family"))
		ip := address(f, rapid.IntRange(0, n).Draw(t, "peerIP"))
		s.PeerIP = ip.String()
		if rarely(t, 5, "port in peerIP") {
			s.PeerIP = netip.AddrPortFrom(ip, uint16(rapid.SampledFrom([]int{179, 1790, 1791}).Draw(t, "peer port"))).String()
		}
		s.ASNumber = uint32(rapid.SampledFrom([]int{64512, 64512, 64512, 64513, 0}).Draw(t, "peer AS"))
	}
	if rarely(t, 6, "options") {
		s.MaxRestartTime = &metav1.Duration{Duration: 30 * time.Second}
	}
	if rarely(t, 12, "password") {
		s.Password = &calico.BGPPassword{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "secret"}, Key: "key"}}
	}
	if rarely(t, 6, "manual") {
		s.ReversePeering = "Manual"
	}
	if rarely(t, 15, "local AS") {
		as := uint32(64513)
		s.LocalASNumber = &as
	}
	if rarely(t, 15, "allowed local AS") {
		one := int32(1)
		s.NumAllowedLocalASNumber = &one
	}
	if rarely(t, 3, "filtered") {
		s.Filters = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"f0", "f1", "f2", "f9"}), 1, 2, rapid.ID[string]).Draw(t, "filters")
	}
	return s
}

func drawFilters(t *rapid.T) []calico.BGPFilter {
	var out []calico.BGPFilter
	for i := range 3 {
		f := calico.BGPFilter{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("f%d", i)}}
		f.Spec.ImportV4 = drawRules(t, true)
		f.Spec.ExportV4 = drawRules(t, true)
		f.Spec.ImportV6 = drawRules(t, false)
		f.Spec.ExportV6 = drawRules(t, false)
		out = append(out, f)
	}
	return out
}

func drawRules(t *rapid.T, v4 bool) []calico.BGPFilterRule {
	var out []calico.BGPFilterRule
	for range rapid.IntRange(0, 2).Draw(t, "rules") {
		r := calico.BGPFilterRule{Action: rapid.SampledFrom([]string{"Accept", "Reject"}).Draw(t, "action")}
		if rapid.Bool().Draw(t, "match") {
			r.Communities = &calico.BGPFilterCommunities{Values: []string{rapid.SampledFrom([]string{"1:1", "2:2"}).Draw(t, "community")}}
		}
		if rapid.Bool().Draw(t, "tag") {
			r.Operations = []calico.BGPFilterOperation{{AddCommunity: &calico.BGPFilterAddCommunity{
				Value: rapid.SampledFrom([]string{"1:1", "2:2"}).Draw(t, "adds")}}}
		}
		if v4 && rarely(t, 4, "cidr") {
			r.CIDR = rapid.SampledFrom([]string{"0.0.0.0/0", "172.16.0.0/12", "172.16.1.0/24"}).Draw(t, "in")
			r.MatchOperator = rapid.SampledFrom([]string{"In", "NotIn"}).Draw(t, "operator")
		}
		if rarely(t, 6, "peer type") {
			r.PeerType = rapid.SampledFrom([]string{"eBGP", "iBGP"}).Draw(t, "type")
		}
		if rarely(t, 8, "source") {
			r.Source = "RemotePeers"
		}
		out = append(out, r)
	}
	return out
}

// allSessions are the sessions of all nodes as the naive model has them, and their names.
func (s *naive) allSessions() ([]Session, map[sessionEnds]string) {
	var out []Session
	names := map[sessionEnds]string{}
	for _, x := range s.sessions() {
		kind := map[string]Kind{"Mesh": Mesh, "Node": Node, "Global": Global}[x.out.kind]
		slices.Sort(x.waiting)
		out = append(out, Session{
			Local: x.from, Remote: x.to, LocalIP: s.nodes[x.from].addr[x.family], RemoteIP: s.nodes[x.to].addr[x.family],
			Family: Family(x.family), Port: x.out.port, Kind: kind, Waiting: x.waiting,
			Client: x.out.client, EBGP: x.out.peerAS != x.out.localAS,
			Ambiguous: x.out.alternatives > 1 || x.back.alternatives > 1,
		})
		names[endsOf(&out[len(out)-1])] = x.out.name()
	}
	return out, names
}

type sessionEnds struct {
	local, remote string
	family        Family
}

func endsOf(s *Session) sessionEnds { return sessionEnds{s.Local, s.Remote, s.Family} }

// The model of classes agrees with one that goes node by node.
func TestAgreesWithNaiveModel(t *testing.T) {
	checkOften(t, func(t *rapid.T) {
		in := drawInput(t, 7)
		n, s := Build(in), newNaive(in)
		var sessions []Session
		for _, name := range s.names {
			mine := n.SessionsOf(name)
			for i := range mine {
				slices.Sort(mine[i].Waiting)
			}
			sessions = append(sessions, mine...)
		}
		want, names := s.allSessions()
		slices.SortStableFunc(want, func(a, b Session) int {
			if a.Local != b.Local || a.Family == b.Family {
				return 0
			}
			return int(a.Family) - int(b.Family)
		})
		sortSessions(want)
		sortSessions(sessions)
		if diff := cmp.Diff(want, sessions, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Fatalf("sessions (-naive +model):\n%s", diff)
		}
		for i := range sessions {
			if got, want := sessions[i].Name(), names[endsOf(&sessions[i])]; got != want {
				t.Fatalf("%+v is named %s, by the naive model %s", sessions[i], got, want)
			}
		}
		missing, ok := s.missing(nil)
		if !ok {
			return
		}
		compareVisibility(t, n.Visibility(nil), missing)
		comparePaths(t, n, s)
		compareLosses(t, n, s)
	})
}

// Nodes of one role in clusters with several ASes are taken together as well.
func TestClassesOfSeveralASesAgreeWithNaiveModel(t *testing.T) {
	checkOften(t, func(t *rapid.T) {
		in := drawInput(t, 7)
		for i := range in.Nodes {
			in.Nodes[i].ASNumber = uint32(rapid.SampledFrom([]int{0, 0, 64513, 64514}).Draw(t, "AS again"))
		}
		for i := range in.Peers {
			in.Peers[i].Spec.LocalASNumber, in.Peers[i].Spec.NumAllowedLocalASNumber = nil, nil
		}
		n, s := build(in, 0), newNaive(in)
		if missing, ok := s.missing(nil); ok {
			compareVisibility(t, n.Visibility(nil), missing)
			comparePaths(t, n, s)
		}
	})
}

// compareLosses loses a random set of nodes, and each reflector.
func compareLosses(t *rapid.T, n *Network, s *naive) {
	gone := map[string]bool{}
	for _, name := range s.names {
		if rarely(t, 3, "lost") {
			gone[name] = true
		}
	}
	lost := func(name string) bool { return gone[name] }
	missing, _ := s.missing(lost)
	compareVisibility(t, n.Visibility(lost), missing)
	complete, _ := s.missing(nil)
	survives := len(complete) == 0
	reflectors := n.Reflectors()
	for _, r := range reflectors {
		missing, _ := s.missing(func(name string) bool { return name == r })
		survives = survives && len(missing) == 0
	}
	if len(reflectors) > 0 && n.SurvivesReflectors(1) != survives {
		t.Fatalf("survives any reflector: %v, naive model: %v", !survives, survives)
	}
	zones := func(name string) string { return s.nodes[name].labels["a"] }
	zonal, kinds := true, map[string]bool{}
	for _, name := range s.names {
		kinds[zones(name)] = true
	}
	for zone := range kinds {
		missing, _ := s.missing(func(name string) bool { return zones(name) == zone })
		zonal = zonal && len(missing) == 0
	}
	if n.SurvivesZones(zones) != (zonal || len(kinds) < 2) {
		t.Fatalf("survives any zone: %v, naive model: %v", !zonal, zonal)
	}
}

func sortSessions(list []Session) {
	slices.SortFunc(list, func(a, b Session) int {
		return comparePairs(Pair{a.Local, fmt.Sprint(a.Family, a.Remote)}, Pair{b.Local, fmt.Sprint(b.Family, b.Remote)})
	})
}

func compareVisibility(t *rapid.T, got Visibility, missing map[Pair]bool) {
	var want []Pair
	for p := range missing {
		want = append(want, p)
	}
	slices.SortFunc(want, comparePairs)
	if got.MissingPairs != len(want) || got.Complete != (len(want) == 0) {
		t.Fatalf("%d pairs missing %v, naive model: %v", got.MissingPairs, got.Sample, want)
	}
	if diff := cmp.Diff(want[:min(len(want), sampleSize)], got.Sample); diff != "" && len(want) > 0 {
		t.Fatalf("sample (-naive +model):\n%s", diff)
	}
}

func comparePaths(t *rapid.T, n *Network, s *naive) {
	sessions := s.sessions()
	most, fewest := 0, 1<<30
	for f := range 2 {
		for _, origin := range s.names {
			if !s.nodes[origin].addr[f].IsValid() {
				continue
			}
			held, ok := s.spread(origin, f, sessions, s.currentFilters, nil)
			if !ok {
				return
			}
			for _, holder := range s.names {
				if holder == origin || !s.nodes[holder].addr[f].IsValid() {
					continue
				}
				byBlock := map[netip.Prefix]int{}
				for _, r := range held[holder] {
					byBlock[r.block]++
				}
				for _, b := range s.blocks(origin, f) {
					if s.nodes[holder].cluster == "" && s.nodes[origin].cluster == "" {
						most, fewest = max(most, byBlock[b]), min(fewest, byBlock[b])
					}
				}
				ways, count, _ := n.Ways(origin, holder, Family(f), pathCap)
				if len(s.blocks(origin, f)) == 1 && count != byBlock[s.blocks(origin, f)[0]] {
					t.Fatalf("%v: %s holds %d paths to %s (%d named), naive model: %.2000v", Family(f), holder, count, origin, len(ways), held[holder])
				}
			}
		}
	}
	if fewest == 1<<30 {
		fewest = 0
	}
	gotFewest, gotMost, capped := n.PathsPerRoute()
	if gotFewest != fewest || gotMost != most || capped {
		t.Fatalf("paths per route %d to %d, capped %v; naive model: %d to %d", gotFewest, gotMost, capped, fewest, most)
	}
}
