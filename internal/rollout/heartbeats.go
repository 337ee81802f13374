package rollout

import (
	"fmt"
	"slices"
	"time"

	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/sessions"
)

// reportedSince is by how much a node's own report must be newer than the moment from
// which it counts as not ready, in case its clock is not quite right.
const reportedSince = 10 * time.Second

// heard is a node that is not ready for Kubernetes and whose sessions are up.
type heard struct {
	node *inventory.Node
	// certain: BGP would have noticed by now if it were dead.
	certain bool
}

// heartbeatsLost: many nodes are not ready for Kubernetes though route reflectors see
// their sessions Established: kubelets cannot report, and the nodes are well. Certain
// where that is so even of those alone which have been so for longer than BGP takes to
// notice. Reflectors of these are taken for ready: a decision about them would rest on
// nothing but the heartbeats.
func (s *state) heartbeatsLost() (b *brake, certain bool) {
	all := s.heard()
	nodes, reflectors, sure, sureReflectors := 0, 0, 0, 0
	for _, h := range all {
		standing := slices.Contains(s.standing.Reflectors, h.node.Name)
		nodes, reflectors = nodes+1, reflectors+count(standing)
		sure, sureReflectors = sure+count(h.certain), sureReflectors+count(h.certain && standing)
	}
	many := func(nodes, reflectors int) bool {
		return nodes > 1 && more(nodes, s.count(), s.spec.Brakes.NotReadyPercent) ||
			reflectors > 1 && more(reflectors, len(s.standing.Reflectors), s.spec.Brakes.ReflectorsNotReadyPercent)
	}
	if !many(nodes, reflectors) {
		return nil, false
	}
	for _, h := range all {
		if h.certain && slices.Contains(s.standing.Reflectors, h.node.Name) {
			delete(s.fails, h.node.Name) // BGP says that it lives
			h.node.Ready = true
			h.node.Taints = slices.DeleteFunc(slices.Clone(h.node.Taints), inventory.IsReadinessTaint)
		}
	}
	return &brake{
		reason: ReasonHeartbeats,
		what:   fmt.Sprintf("%d of %d nodes are not ready for Kubernetes though their BGP sessions are up", nodes, s.count()),
		remedy: "nothing is taken away while that is so; look at the kubelets, and at their way to the API server",
	}, many(sure, sureReflectors)
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// heard are the nodes that are not ready and seen up by a reflector that is ready: a
// report of any other may be older than what it speaks of.
func (s *state) heard() []heard {
	var out []heard
	witnesses := s.witnesses()
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		if node.Ready || !node.HasBGP() || node.Deleting || s.fails[node.Name] != "" && !s.manySuspects() {
			continue
		}
		if s.reportsItself(node) {
			out = append(out, heard{node: node, certain: true})
		} else if slices.ContainsFunc(witnesses, func(view sessions.View) bool { return sees(view, node) }) {
			at := node.ReadySince.Add(lostButSeen)
			s.wakeAt(at)
			out = append(out, heard{node: node, certain: !at.After(s.in.Now)})
		}
	}
	return out
}

// witnesses are the reports of those reflectors that live for certain.
func (s *state) witnesses() []sessions.View {
	var out []sessions.View
	for _, name := range s.standing.Reflectors {
		if view, reported := s.views[name]; reported && (s.nodes[name].Ready || s.reportsItself(s.nodes[name])) {
			out = append(out, view)
		}
	}
	return out
}

// sees tells whether a session with the node is Established.
func sees(view sessions.View, node *inventory.Node) bool {
	_, v4 := view.Established[node.IPv4]
	_, v6 := view.Established[node.IPv6]
	return v4 && node.IPv4.IsValid() || v6 && node.IPv6.IsValid()
}

// reportsItself: the node has written a report since it turned not ready.
func (s *state) reportsItself(node *inventory.Node) bool {
	view, reported := s.views[node.Name]
	return reported && !node.Ready && view.Updated.Sub(node.ReadySince) > reportedSince && !view.Updated.After(s.in.Now.Add(reportedSince))
}
