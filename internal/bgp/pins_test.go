package bgp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/internal/calico"
)

// pinned is a cluster of n nodes with m reflectors of one ID that are pinned to
// each other, oldest first, dual stack.
func pinned(n, m int) Input {
	in := newInput(n, 1).dual().selectors("clients", "!has(rr)", "has(rr)")
	for i := range m {
		in = in.role(i, oneID(i), "rr")
		in = in.pinsFrom(i)
	}
	return in
}

// pinsFrom makes the pins from all reflectors before node i to it.
func (in Input) pinsFrom(i int) Input {
	for senior := range i {
		in = in.pin(IPv4, senior, i).pin(IPv6, senior, i)
	}
	return in
}

func TestPinnedRolesRestartNothing(t *testing.T) {
	three := pinned(8, 3)
	four := pinned(8, 4)
	tests := []struct {
		name          string
		before, after Input
	}{
		{"create the pins of a candidate", three, three.pinsFrom(3)},
		{"promote the fourth", three.pinsFrom(3), four},
		{"demote the fourth", four, three.pinsFrom(3)},
		{"delete its pins", three.pinsFrom(3), three},
		{"promote the second", pinned(8, 1).pinsFrom(1), pinned(8, 2)},
		{"promote the second beside the mesh: clients", pinned(8, 2), pinned(8, 2).withMesh(true)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff([]Restart(nil), RestartedSessions(tt.before, tt.after)); diff != "" {
				t.Errorf("restarts (-want +got):\n%s", diff)
			}
			p := Prove(tt.before, tt.after, allUp(tt.before), nil)
			if !p.OK || p.RestartCount != 0 {
				t.Errorf("%d restarts, %+v", p.RestartCount, p)
			}
		})
	}
}

func TestSwapOfPinsRestartsOnePair(t *testing.T) {
	before := pinned(8, 3)
	after := before
	for f := range families {
		after = after.peer(pinName(Family(f), 1, 2), calico.BGPPeerSpec{ // the same object, patched
			Node: nodeName(2), PeerIP: address(Family(f), 1).String(), ASNumber: defaultAS,
		})
	}
	var want []Restart
	for _, pair := range [][2]int{{1, 2}, {2, 1}} {
		for f := range families {
			name := protocolName(Node, address(Family(f), pair[1]), 0)
			want = append(want, Restart{nodeName(pair[0]), nodeName(pair[1]), Family(f), name, name})
		}
	}
	if diff := cmp.Diff(want, RestartedSessions(before, after)); diff != "" {
		t.Errorf("restarts (-want +got):\n%s", diff)
	}
	// A third reflector holds pins to both: nothing is lost.
	if p := Prove(before, after, allUp(before), nil); !p.OK || p.RestartCount != 2 {
		t.Errorf("%d restarts, %+v", p.RestartCount, p)
	}
}

// The first promotion ends the node's own sessions of the mesh; sessions by
// reflector's BGPPeers stand in, after a restart.
func TestFirstPromotionCostsOwnRoutes(t *testing.T) {
	before := newInput(5, 1).dual().withMesh(true).selectors("clients", "!has(rr)", "has(rr)")
	after := before.role(0, oneID(0), "rr")
	for _, r := range RestartedSessions(before, after) {
		if r.Local != nodeName(0) && r.Remote != nodeName(0) {
			t.Errorf("%+v restarts", r)
		}
		if !strings.HasPrefix(r.Name, "Mesh_") || !strings.HasPrefix(r.NewName, "Node_") {
			t.Errorf("%+v is no change from the mesh", r)
		}
	}
	p := Prove(before, after, allUp(before), nil)
	if p.OK || p.LostDuring.Count != 8 || p.RestartCount != 8 {
		t.Errorf("%+v", p)
	}
	if p := Prove(before, after, allUp(before), map[string]bool{nodeName(0): true}); !p.OK {
		t.Errorf("refused although the node is known to change: %s", p.Reason)
	}
}

// One pin covers one address family only.
func TestPinOfOneFamilyDoesNotHideTheOther(t *testing.T) {
	before := pinned(6, 2).pin(IPv4, 0, 2).pin(IPv4, 1, 2)
	after := before.role(2, oneID(2), "rr")
	for _, r := range RestartedSessions(before, after) {
		t.Errorf("%+v", r)
	}
	for _, s := range Build(after).SessionsOf(nodeName(2)) {
		if s.Family == IPv6 && (s.Remote == nodeName(0) || s.Remote == nodeName(1)) {
			t.Errorf("unexpected session %+v", s)
		}
	}
	if p := Prove(before, after, allUp(before), nil); p.OK || p.LostAfter.Count != 4 {
		t.Errorf("%+v", p)
	}
}
