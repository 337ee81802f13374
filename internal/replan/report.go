package replan

import (
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/sessions"
)

// report fills in what calico-node would report once every session is up that
// should be: all but those with nodes that are not ready. It does so in every
// CalicoNodeStatus of Tapetum's whose node's sessions may have changed, and leaves
// those of others as they are.
func (w *walk) report() {
	c := &w.cluster
	if len(c.Statuses) == 0 || !w.unreported() {
		w.stale, w.all = nil, false
		return
	}
	ready := make(map[string]bool, len(c.Nodes))
	for i := range c.Nodes {
		ready[c.Nodes[i].Name] = c.Nodes[i].Ready
	}
	network := bgp.Build(bgp.Input{Nodes: c.Nodes, Peers: c.Peers, Configurations: c.Configurations, Filters: c.Filters})
	for i := range c.Statuses {
		status := &c.Statuses[i]
		if sessions.Ours(status) && ready[status.Spec.Node] && (w.all || w.stale[status.Spec.Node]) {
			status.Status = answer(network.SessionsOf(status.Spec.Node), ready)
			status.Status.LastUpdated = metav1.NewTime(w.now)
			if slices.Contains(status.Spec.Classes, calico.ClassAgent) {
				status.Status.Agent.BIRDV4.State, status.Status.Agent.BIRDV6.State = calico.DaemonReady, calico.DaemonReady
			}
		}
	}
	w.stale, w.all = nil, false
}

// unreported: some report may be older than the last steps.
func (w *walk) unreported() bool { return w.all || len(w.stale) > 0 }

// touch notes whose sessions a step may change. Most steps of a large rollout are
// pins, which concern two nodes.
func (w *walk) touch(step *rollout.Step) {
	if w.stale == nil {
		w.stale = map[string]bool{}
	}
	switch {
	case step.NodeStatus != nil:
		w.stale[step.NodeStatus.Spec.Node] = true
	case step.Peer != nil && step.Peer.Spec.Node != "" && step.Peer.Spec.PeerIP != "":
		w.stale[step.Peer.Spec.Node] = true
		address, err := netip.ParseAddr(step.Peer.Spec.PeerIP)
		w.all = w.all || err != nil
		for i := range w.cluster.Nodes {
			if node := &w.cluster.Nodes[i]; node.IPv4 == address || node.IPv6 == address {
				w.stale[node.Name] = true
			}
		}
	case step.Peer != nil, step.Role != nil, len(step.Homes) > 0, step.Action == rollout.MeshOff, step.Action == rollout.MeshOn:
		w.all = true
	}
}

func answer(all []bgp.Session, ready map[string]bool) calico.NodeStatusStatus {
	var out calico.NodeStatusStatus
	for _, session := range all {
		peers, up, down := &out.BGP.PeersV4, &out.BGP.NumberEstablishedV4, &out.BGP.NumberNotEstablishedV4
		if session.Family == bgp.IPv6 {
			peers, up, down = &out.BGP.PeersV6, &out.BGP.NumberEstablishedV6, &out.BGP.NumberNotEstablishedV6
		}
		peer := calico.PeerStatus{PeerIP: session.RemoteIP.String(), Type: peerType(session.Kind), State: calico.StateEstablished}
		if ready[session.Remote] {
			*up++
		} else {
			*down++
			peer.State = calico.StateIdle
		}
		*peers = append(*peers, peer)
	}
	return out
}

func peerType(kind bgp.Kind) string {
	switch kind {
	case bgp.Mesh:
		return calico.PeerTypeMesh
	case bgp.Global:
		return calico.PeerTypeGlobal
	default:
		return calico.PeerTypeNode
	}
}
