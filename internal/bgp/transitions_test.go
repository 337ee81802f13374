package bgp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
)

// nine is the cluster in which the costs of writes were measured: nine nodes in
// three zones, the first three of which become reflectors, one in each zone.
func nine() Input { return newInput(9, 3) }

func (in Input) clients() Input { return in.selectors("clients", "!has(rr)", "has(rr)") }

func (in Input) promote(node int, id string) Input { return in.role(node, id, "rr") }

func (in Input) demote(node int) Input { return in.role(node, "", "-rr") }

// reflected is nine with n reflectors, joined by a selector.
func reflected(n int, id func(int) string) Input {
	in := nine().clients().reflectorMesh()
	for i := range n {
		in = in.promote(i, id(i))
	}
	return in
}

// pinnedNine is nine with n reflectors of one ID, joined by pins.
func pinnedNine(n int) Input {
	in := nine().clients()
	for i := range n {
		in = in.pinIPv4(i).promote(i, oneID(i))
	}
	return in
}

func (in Input) pinIPv4(i int) Input {
	for senior := range i {
		in = in.pin(IPv4, senior, i)
	}
	return in
}

func (in Input) restartTime(name string) Input {
	for _, p := range in.Peers {
		if p.Name == name {
			p.Spec.MaxRestartTime = &metav1.Duration{Duration: time.Minute}
			return in.peer(name, p.Spec)
		}
	}
	panic("no BGPPeer " + name)
}

// zoneClients replaces the clients' BGPPeer by one a zone.
func (in Input) zoneClients() Input {
	in = in.without("clients")
	for z := range 3 {
		in = in.selectors(fmt.Sprint("zone", z), fmt.Sprintf("!has(rr) && zone == '%d'", z), fmt.Sprintf("has(rr) && zone == '%d'", z))
	}
	return in
}

func (in Input) removeNode(i int) Input {
	in = in.clone()
	in.Nodes = append(in.Nodes[:i:i], in.Nodes[i+1:]...)
	return in
}

// The costs of writes, measured on real Calico: pairs lost, of 72.
func TestCostsOfWrites(t *testing.T) {
	mesh := nine().withMesh(true)
	prepared := mesh.clients().reflectorMesh()
	single := reflected(3, oneID)
	meshed := single.withMesh(true)
	tagged := reflected(3, ownID).withTagFilter()
	tests := []struct {
		name          string
		before, after Input
		during, later int // pairs lost while sessions restart, and for ever
		restarts      int // sessions
	}{
		{"mesh: BGPPeers that match nothing yet", mesh, prepared, 0, 0, 0},
		{"mesh without BGPPeers: cluster ID", mesh, mesh.role(0, "224.0.0.1"), 16, 16, 0},
		{"mesh: label alone", prepared, prepared.label(0, "rr"), 0, 0, 0},
		{"mesh: label, then annotation", prepared.label(0, "rr"), prepared.promote(0, "224.0.0.1"), 16, 0, 8},
		{"mesh: first reflector", prepared, prepared.promote(0, "224.0.0.1"), 16, 0, 8},
		// 46 were measured: four pairs more in the tail of slow sessions.
		{"mesh: three promotions at once", prepared, meshed, 42, 0, 21},
		{"mesh: BGPPeers, promotions and mesh off at once", mesh, single, 72, 0, 21},
		{"mesh and reflectors: mesh off", meshed, single, 0, 0, 0},
		{"mesh without reflector: mesh off", mesh, nine(), 72, 72, 0},
		{"reflectors: mesh on", single, meshed, 0, 0, 0},
		{"reflectors: promote one without pins", single, single.promote(3, "224.0.0.1"), 16, 0, 3},
		{"reflectors: demote one without pins", single, single.demote(2), 16, 0, 2},
		{"reflectors: promote one with an ID of its own", single, single.promote(3, "224.0.0.9"), 16, 0, 3},
		{"reflectors: change an ID in place", single, single.role(0, "224.0.0.9"), 16, 0, 8},
		{"reflectors: change all IDs", single, reflected(3, func(int) string { return "224.0.0.9" }), 66, 0, 18},
		{"reflectors: create an equal BGPPeer", single, single.selectors("again", "!has(rr)", "has(rr)"), 0, 0, 0},
		{"reflectors: delete the older of two equal ones", single.selectors("again", "!has(rr)", "has(rr)"),
			single.selectors("again", "!has(rr)", "has(rr)").without("clients"), 0, 0, 0},
		{"reflectors: selector with the same result", single, single.selectors("clients", "! has(rr)", "has(rr) && has(rr)"), 0, 0, 0},
		{"reflectors: delete the BGPPeer", single, single.without("clients"), 66, 66, 0},
		{"reflectors: edit maxRestartTime", single, single.restartTime("clients"), 66, 0, 18},
		{"reflectors: clients narrowed to their zone", single, single.zoneClients(), 24, 24, 0},
		{"reflectors: delete their peering", single, single.without("reflectors"), 6, 6, 0},
		{"own IDs: tag filter on", tagged, tagged.reflectorMesh("one-hop"), 0, 0, 0},
		{"own IDs: tag filter off", tagged.reflectorMesh("one-hop"), tagged, 0, 0, 0},
		{"own IDs, tag filter: a reflector's Node deleted", tagged.reflectorMesh("one-hop"), tagged.reflectorMesh("one-hop").removeNode(0), 0, 0, 0},
		{"two reflectors: one's Node deleted", reflected(2, oneID), reflected(2, oneID).removeNode(0), 0, 0, 0},
		{"pins, mesh on: promote the second", pinnedNine(1).pinIPv4(1).withMesh(true), pinnedNine(2).withMesh(true), 0, 0, 7},
		{"pins, mesh on: demote the second", pinnedNine(2).withMesh(true), pinnedNine(1).pinIPv4(1).withMesh(true), 0, 0, 7},
		{"pins: two promotions in a burst", pinnedNine(3).pinIPv4(3).pinIPv4(4), pinnedNine(5), 0, 0, 1},
		{"pins: two demotions in a burst", pinnedNine(5), pinnedNine(3).pinIPv4(3).pinIPv4(4), 0, 0, 1},
		{"pins: label first", pinnedNine(3).pinIPv4(3), pinnedNine(3).pinIPv4(3).label(3, "rr"), 0, 0, 0},
		{"pins: annotation after the label", pinnedNine(3).pinIPv4(3).label(3, "rr"), pinnedNine(4), 0, 0, 5},
		{"pins: swap one while a third holds pins to both", pinnedNine(3), pinnedNine(3).without(pinName(IPv4, 1, 2)).pin(IPv4, 2, 1), 0, 0, 1},
		{"pins: swap the only one", pinnedNine(2), pinnedNine(2).without(pinName(IPv4, 0, 1)).pin(IPv4, 1, 0), 2, 0, 1},
		{"the first reflector goes", reflected(1, oneID).withMesh(true), reflected(1, oneID).withMesh(true).demote(0), 16, 0, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Prove(tt.before, tt.after, allUp(tt.before), nil)
			if p.LostDuring.Count != tt.during || p.LostAfter.Count != tt.later || p.RestartCount != tt.restarts {
				t.Errorf("lost during %d, after %d, %d restarts; want %d, %d, %d\n%+v", p.LostDuring.Count, p.LostAfter.Count,
					p.RestartCount, tt.during, tt.later, tt.restarts, p)
			}
			if lossless := tt.during == 0 && tt.later == 0; lossless != (p.LostDuring.Count+p.LostAfter.Count == 0) || p.OK && !lossless {
				t.Errorf("OK %v: %s", p.OK, p.Reason)
			}
		})
	}
}

// Nodes whose own role changes are no ordinary nodes.
func TestChangingNodesDoNotCount(t *testing.T) {
	before := nine().withMesh(true).clients().reflectorMesh()
	after := before.promote(0, "224.0.0.1")
	if p := Prove(before, after, allUp(before), map[string]bool{nodeName(0): true}); !p.OK || p.LostDuring.Count != 0 {
		t.Errorf("first reflector: %+v", p)
	}
}

func TestProofNeedsSessionsSeenUp(t *testing.T) {
	meshed := reflected(3, oneID).withMesh(true)
	off := meshed.withMesh(false)
	seen := allUp(meshed)
	client := meshed.Nodes[5].IPv4
	for r := range seen.Up {
		delete(seen.Up[r], client)
	}
	tests := []struct {
		name string
		seen Observed
		lost int
	}{
		{"all sessions up", allUp(meshed), 0},
		{"one client has no session up", seen, 10},            // with the five other clients
		{"nothing observed, nothing assumed", Observed{}, 30}, // the mesh joins six
		{"nothing observed, reflectors assumed up", Observed{AssumeUnobserved: true}, 0},
		{"one reflector observed", Observed{Up: map[string]map[netip.Addr]bool{nodeName(1): allUp(meshed).Up[nodeName(1)]}}, 0},
		{"the client without sessions is down", Observed{Up: seen.Up, Down: map[string]bool{nodeName(5): true}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Prove(meshed, off, tt.seen, nil)
			if p.LostDuring.Count != tt.lost || p.OK != (tt.lost == 0) {
				t.Errorf("%d pairs lost, want %d: %+v", p.LostDuring.Count, tt.lost, p)
			}
			// What touches nothing is allowed whatever is known.
			if p := Prove(meshed, meshed.selectors("x", "has(x)", "has(x)"), tt.seen, nil); !p.OK {
				t.Errorf("harmless step refused: %s", p.Reason)
			}
		})
	}
}

func TestProofKeepsRedundancyAndPaths(t *testing.T) {
	five := pinnedNine(5)
	tests := []struct {
		name          string
		before, after Input
		limits        Limits
		ok            bool
	}{
		{"from five reflectors to three, newest first", five, pinnedNine(3).pinIPv4(3).pinIPv4(4), DefaultLimits, true},
		{"to one", pinnedNine(2), pinnedNine(1).pinIPv4(1), DefaultLimits, false},
		{"to one, no failure to be survived", pinnedNine(2), pinnedNine(1).pinIPv4(1), Limits{0, 30, 0}, true},
		{"mesh off with one reflector", pinnedNine(1).withMesh(true), pinnedNine(1), DefaultLimits, false},
		{"mesh off with two reflectors", pinnedNine(2).withMesh(true), pinnedNine(2), DefaultLimits, true},
		{"a change while redundancy is gone already", pinnedNine(1).pinIPv4(1), pinnedNine(2), DefaultLimits, true},
		{"too many paths", full(4), full(4).selectors("more", "has(home0)", "has(rr)"), DefaultLimits, false},
		{"too many paths already", full(4), full(4).label(0, "x"), DefaultLimits, true},
		{"tag filter off above the limit", multi(6, 3, 6, true), multi(6, 3, 6, true).reflectorMesh(), DefaultLimits, false},
		{"tag filter on above the limit", multi(6, 3, 6, true).reflectorMesh(), multi(6, 3, 6, true), DefaultLimits, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changing := map[string]bool{}
			if p := Prove(tt.before, tt.after, allUp(tt.before), changing, tt.limits); p.OK != tt.ok {
				t.Errorf("OK %v, want %v: %+v", p.OK, tt.ok, p)
			}
		})
	}
}

// Another tag would let routes pass the mesh again and again while some
// reflectors have it and others do not.
func TestMixtureOfFiltersIsProved(t *testing.T) {
	before := multi(6, 3, 6, true)
	after := before.clone()
	other := "64512:1"
	after.Filters[0].Spec.ImportV4 = []calico.BGPFilterRule{{Action: "Accept", Operations: []calico.BGPFilterOperation{
		{AddCommunity: &calico.BGPFilterAddCommunity{Value: other}}}}}
	after.Filters[0].Spec.ExportV4 = []calico.BGPFilterRule{{Action: "Reject", Communities: &calico.BGPFilterCommunities{Values: []string{other}}}}
	if n := Build(after).Paths().Max; n != 9 {
		t.Fatalf("%d paths afterwards", n)
	}
	if p := Prove(before, after, allUp(before), nil); p.OK || p.PathsOnTheWay.Max <= 30 {
		t.Errorf("a change of tag is proved: %+v", p)
	}
}

// TestMissingFromTheStart: a node that has no routes in the mesh, because its AS number is
// its own, is no redundancy that the first reflector takes away.
func TestMissingFromTheStart(t *testing.T) {
	before := nine().withMesh(true).clients()
	before.Nodes[7].ASNumber = 65001
	proof := Prove(before, before.promote(0, oneID(0)), Observed{AssumeMesh: true, AssumeUnobserved: true}, map[string]bool{nodeName(0): true})
	if !proof.OK || proof.Weakens.Reflectors != 0 {
		t.Errorf("margin %d afterwards; not proved: %s", proof.MarginAfter, proof.Reason)
	}
}

// TestAmbiguousSessionsAreNoState: each client has a session with each reflector by two
// BGPPeers that say different things. That one of them goes restarts all, and cannot be
// proved; but nothing could be lost that is there for sure.
func TestAmbiguousSessionsAreNoState(t *testing.T) {
	after := reflected(2, oneID)
	before := after.selectors("everybody", "all()", "has(rr)")
	before.Peers[len(before.Peers)-1].Spec.MaxRestartTime = &metav1.Duration{Duration: time.Minute}
	reflectors := map[string]bool{nodeName(0): true, nodeName(1): true}
	seen := allUp(before)
	if p := Prove(before, after, seen, reflectors); p.OK || p.LostDuring.Count == 0 {
		t.Errorf("proved: %+v", p)
	}
	seen.DistrustAmbiguous = true
	if p := Prove(before, after, seen, reflectors); !p.OK {
		t.Errorf("not proved: %s", p.Reason)
	}
	// Ordinary sessions still count.
	if p := Prove(after, after.without("clients"), allUp(after), reflectors); p.OK {
		t.Error("the clients' BGPPeer may go")
	}
}
