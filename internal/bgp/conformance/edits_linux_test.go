package conformance

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// TestEdits applies random edits to running clusters, to all nodes at once or, as
// Calico does, to some earlier than to others.
func TestEdits(t *testing.T) {
	t.Parallel()
	bird := birdPath(t)
	t.Logf("seed %d, run again with -seed", *seed)
	concurrently(t, "cluster", scaled(*edited), func(t *testing.T, i int) {
		t.Helper()
		inNetwork(t, func(network netip.Addr) {
			r := newChance(*seed + 1_000_000 + uint64(i))
			c := startCluster(t, bird, randomInput(r, network))
			defer c.stop(t)
			if err := c.settle(predict(t, c.in)); err != nil {
				t.Errorf("%v\n%s", err, describe(c.in))
				return
			}
			for range 5 {
				most := pick(r, 0, time.Second/5)
				lag := func() time.Duration { return time.Duration(r.Int64N(int64(most) + 1)) }
				if !compareEdit(t, c, randomEdit(r, c.in), lag) {
					return
				}
			}
		})
	})
}

// randomEdit draws an edit that changes something and leaves nothing to chance.
func randomEdit(r chance, in bgp.Input) bgp.Input {
	for {
		out := clone(in)
		for range 1 + r.IntN(2) {
			drawEdit(r, &out)
		}
		if describe(out) != describe(in) && settled(out) && !blocked(in, out) {
			return out
		}
	}
}

// blocked tells whether a session might never come up again, of two nodes of which
// one has two protocols for the other. When a session goes down, the protocol that
// waited takes over, but connections that come in are given to the first by name;
// so the two ends may wait for each other for ever. Left are edits that only add
// protocols to what stands, or do not touch the pair.
func blocked(before, after bgp.Input) bool {
	now, _ := derive(before)
	later, _ := derive(after)
	for i := range after.Nodes {
		for j := range after.Nodes {
			a, b := &after.Nodes[i], &after.Nodes[j]
			if len(toward(later[a.Name], b)) < 2 {
				continue
			}
			ours, theirs := toward(now[a.Name], b), toward(now[b.Name], a)
			if len(ours) == 0 && len(theirs) == 0 {
				continue // new on both ends, which then begin with the first by name
			}
			if !grows(ours, toward(later[a.Name], b)) || !grows(theirs, toward(later[b.Name], a)) {
				return true
			}
		}
	}
	// The mesh's protocol would wait, and be the first by name.
	return !calico.MeshEnabled(before.Configurations) && calico.MeshEnabled(after.Configurations) && len(overlapping(after)) > 0
}

func toward(list []birdconf.Protocol, n *inventory.Node) []birdconf.Protocol {
	return slices.DeleteFunc(slices.Clone(list), func(p birdconf.Protocol) bool { return p.IP != n.IPv4 })
}

// grows: all protocols, one at least, stay as they are.
func grows(now, later []birdconf.Protocol) bool {
	return len(now) > 0 && !slices.ContainsFunc(now, func(p birdconf.Protocol) bool {
		return !slices.ContainsFunc(later, func(q birdconf.Protocol) bool { p.Filters = q.Filters; return reflect.DeepEqual(p, q) })
	})
}

func clone(in bgp.Input) bgp.Input {
	in.Nodes = slices.Clone(in.Nodes)
	for i := range in.Nodes {
		in.Nodes[i].Labels = maps.Clone(in.Nodes[i].Labels)
	}
	in.Peers = slices.Clone(in.Peers)
	for i := range in.Peers {
		in.Peers[i] = *in.Peers[i].DeepCopy()
	}
	in.Configurations = slices.Clone(in.Configurations)
	for i := range in.Configurations {
		in.Configurations[i] = *in.Configurations[i].DeepCopy()
	}
	in.Filters = slices.Clone(in.Filters)
	for i := range in.Filters {
		in.Filters[i] = *in.Filters[i].DeepCopy()
	}
	return in
}

func drawEdit(r chance, in *bgp.Input) {
	pick(r, editRole, editRole, editLabel, editPeer, editPeer, addPeer, removePeer, addPin, editFilter, editMesh)(r, in)
}

// editRole is what a promotion, a demotion or another cluster ID is.
func editRole(r chance, in *bgp.Input) {
	n := &in.Nodes[r.IntN(len(in.Nodes))]
	n.Labels, n.ClusterID = drawRole(r)
}

func editLabel(r chance, in *bgp.Input) {
	n := &in.Nodes[r.IntN(len(in.Nodes))]
	n.Labels["zone"] = pick(r, zones...)
}

func editPeer(r chance, in *bgp.Input) {
	if len(in.Peers) == 0 {
		return
	}
	i := r.IntN(len(in.Peers))
	p := &in.Peers[i].Spec
	fresh := drawPeer(r, in, in.Peers[i].Name).Spec
	switch r.IntN(5) {
	case 0:
		in.Peers[i].Spec = fresh
	case 1:
		p.Filters = fresh.Filters
	case 2:
		p.MaxRestartTime = &metav1.Duration{Duration: time.Duration(1+r.IntN(2)) * time.Second}
	case 3:
		p.Node, p.NodeSelector = fresh.Node, fresh.NodeSelector
	default:
		p.PeerIP, p.ASNumber, p.PeerSelector = fresh.PeerIP, fresh.ASNumber, fresh.PeerSelector
	}
}

func addPeer(r chance, in *bgp.Input) {
	in.Peers = append(in.Peers, drawPeer(r, in, freeName(in)))
}

// addPin names both ends of a session, one of them by its address, which hides
// that node's cluster ID.
func addPin(r chance, in *bgp.Input) {
	in.Peers = append(in.Peers, pin(freeName(in), pick(r, in.Nodes...).Name, pick(r, in.Nodes...).IPv4))
}

func pin(name, node string, ip netip.Addr) calico.BGPPeer {
	return calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       calico.BGPPeerSpec{Node: node, PeerIP: ip.String(), ASNumber: calico.DefaultASNumber},
	}
}

func freeName(in *bgp.Input) string {
	for i := 0; ; i++ {
		name := fmt.Sprintf("p%d", i)
		if !slices.ContainsFunc(in.Peers, func(p calico.BGPPeer) bool { return p.Name == name }) {
			return name
		}
	}
}

func removePeer(r chance, in *bgp.Input) {
	if len(in.Peers) > 0 {
		i := r.IntN(len(in.Peers))
		in.Peers = slices.Delete(in.Peers, i, i+1)
	}
}

func editFilter(r chance, in *bgp.Input) {
	if len(in.Filters) > 0 {
		i := r.IntN(len(in.Filters))
		in.Filters[i] = drawFilter(r, in.Filters[i].Name)
	}
}

func editMesh(_ chance, in *bgp.Input) {
	on := !calico.MeshEnabled(in.Configurations)
	in.Configurations[0].Spec.NodeToNodeMeshEnabled = &on
}
