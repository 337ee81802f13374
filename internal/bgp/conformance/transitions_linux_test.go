package conformance

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
)

// change is one edit of a transition, and whether any session restarts.
type change struct {
	what     string
	do       func(in *bgp.Input)
	restarts bool
}

func at(in *bgp.Input, node string) int {
	for i := range in.Nodes {
		if in.Nodes[i].Name == node {
			return i
		}
	}
	panic("no node " + node)
}

func promote(node, clusterID string) func(*bgp.Input) {
	return func(in *bgp.Input) {
		n := &in.Nodes[at(in, node)]
		n.Labels = map[string]string{"rr": ""}
		n.ClusterID = clusterID
	}
}

func demote(node string) func(*bgp.Input) {
	return func(in *bgp.Input) {
		n := &in.Nodes[at(in, node)]
		n.Labels, n.ClusterID = nil, ""
	}
}

func addPins(names ...[2]string) func(*bgp.Input) {
	return func(in *bgp.Input) {
		for _, p := range names {
			in.Peers = append(in.Peers, pin("pin-"+p[0]+"-"+p[1], p[0], in.Nodes[at(in, p[1])].IPv4))
		}
	}
}

func removeNamed(name string) func(*bgp.Input) {
	return func(in *bgp.Input) {
		in.Peers = slices.DeleteFunc(in.Peers, func(p calico.BGPPeer) bool { return p.Name == name })
	}
}

func addSelector(name, nodes, peers string) func(*bgp.Input) {
	return func(in *bgp.Input) {
		in.Peers = append(in.Peers, calico.BGPPeer{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: calico.BGPPeerSpec{NodeSelector: nodes, PeerSelector: peers},
		})
	}
}

func mesh(on bool) func(*bgp.Input) {
	return func(in *bgp.Input) { in.Configurations[0].Spec.NodeToNodeMeshEnabled = &on }
}

// plain are n nodes, no reflectors.
func plain(n int, meshed bool) func(*builder) {
	return func(b *builder) {
		mesh(meshed)(&b.in)
		for i := range n {
			b.node(string(rune('a'+i)), "", nil)
		}
	}
}

// transitions are those whose cost was measured with Calico's confd and BIRD.
var transitions = []struct {
	name    string
	start   func(*builder)
	changes []change
}{
	{"from the mesh to one ID with pins, and back", plain(6, true), []change{
		{"BGPPeer that matches nothing", addSelector("clients", "!has(rr)", "has(rr)"), false},
		{"first reflector", promote("a", id(0)), true},
		{"pin to the second", addPins([2]string{"a", "b"}), false},
		{"second reflector, pinned", promote("b", id(0)), true}, // its mesh sessions become the clients'
		{"pins to the third", addPins([2]string{"a", "c"}, [2]string{"b", "c"}), false},
		{"mesh off", mesh(false), false},
		{"third reflector, pinned", promote("c", id(0)), false},
		{"demote the newest", demote("c"), false},
		{"its pins go", func(in *bgp.Input) { removeNamed("pin-a-c")(in); removeNamed("pin-b-c")(in) }, false},
		{"mesh on", mesh(true), false},
	}},
	{"one ID without pins", single(2, 4), []change{
		{"third reflector", promote("c0", id(0)), true},
		{"demote it", demote("c0"), true},
	}},
	{"equal BGPPeers", single(2, 3), []change{
		{"create an equal one", addSelector("again", "!has(rr)", "has(rr)"), false},
		{"delete the old", removeNamed("clients"), false},
		{"edit the selector, same result", func(in *bgp.Input) {
			in.Peers[len(in.Peers)-1].Spec.NodeSelector = "!(has(rr) || has(none))"
		}, false},
		{"another graceful restart time", func(in *bgp.Input) {
			in.Peers[len(in.Peers)-1].Spec.MaxRestartTime = &metav1.Duration{Duration: 2e9}
		}, true},
	}},
	{"tag filter on and off", homed(4, false, true, []int{0, 1}, []int{2, 3}), []change{
		{"off", func(in *bgp.Input) { in.Peers[len(in.Peers)-1].Spec.Filters = nil }, false},
		{"on", func(in *bgp.Input) { in.Peers[len(in.Peers)-1].Spec.Filters = []string{"tag"} }, false},
		{"filter gone", func(in *bgp.Input) { in.Filters = nil }, false},
	}},
	{"cluster IDs", homed(3, false, false, []int{0, 1}, []int{1, 2}), []change{
		{"another ID in place", func(in *bgp.Input) { in.Nodes[0].ClusterID = id(7) }, true},
		{"an ID that Calico ignores", func(in *bgp.Input) { in.Nodes[0].ClusterID = "none" }, true},
	}},
}

// TestTransitions walks through the transitions that are known best.
func TestTransitions(t *testing.T) {
	t.Parallel()
	bird := birdPath(t)
	concurrently(t, "transition", len(transitions), func(t *testing.T, i int) {
		t.Helper()
		tt := transitions[i]
		t.Log(tt.name)
		inNetwork(t, func(network netip.Addr) {
			b := build(network)
			tt.start(b)
			c := startCluster(t, bird, b.in)
			defer c.stop(t)
			if err := c.settle(predict(t, c.in)); err != nil {
				t.Errorf("%v\n%s", err, describe(c.in))
				return
			}
			for _, change := range tt.changes {
				after := clone(c.in)
				change.do(&after)
				if got := len(predictRestarts(c.in, after).pairs) > 0; got != change.restarts {
					t.Errorf("%s: the model says that sessions restart: %v, measured was %v", change.what, got, change.restarts)
				}
				if !compareEdit(t, c, after, func() time.Duration { return 0 }) {
					t.Errorf("%s: see above", change.what)
					return
				}
			}
		})
	})
}
