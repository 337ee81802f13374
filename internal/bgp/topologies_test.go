package bgp

import (
	"fmt"
	"testing"
)

// reflectors makes the first m nodes reflectors with the IDs that id gives, and
// the label rr.
func (in Input) reflectors(m int, id func(i int) string) Input {
	for i := range m {
		in = in.role(i, id(i), "rr", fmt.Sprintf("rr%d", i))
	}
	return in
}

func oneID(int) string   { return "224.0.0.1" }
func ownID(i int) string { return fmt.Sprintf("224.0.0.%d", i+1) }

// homes lets client c peer with the given reflectors, by labels of its own.
func (in Input) homes(client int, reflectors ...int) Input {
	for _, r := range reflectors {
		in = in.label(client, fmt.Sprintf("home%d", r))
		in = in.selectors(fmt.Sprintf("home%d", r), fmt.Sprintf("has(home%d)", r), fmt.Sprintf("has(rr%d)", r))
	}
	return in
}

func (in Input) reflectorMesh(filters ...string) Input {
	return in.selectors("reflectors", "has(rr)", "has(rr)", filters...)
}

// singleID: every client with all reflectors, one ID.
func singleID(m, clients int) Input {
	return newInput(m+clients, 1).reflectors(m, oneID).
		selectors("clients", "!has(rr)", "has(rr)").reflectorMesh()
}

// multi: own IDs, full reflector mesh, client c with k reflectors from c on.
func multi(m, k, clients int, filtered bool) Input {
	in := newInput(m+clients, 1).reflectors(m, ownID)
	for c := range clients {
		for j := range k {
			in = in.homes(m+c, (c+j)%m)
		}
	}
	if filtered {
		return in.withTagFilter().reflectorMesh("one-hop")
	}
	return in.reflectorMesh()
}

// zonal: an ID a zone, each with some reflectors and two clients, which peer with
// all reflectors of their zone; all reflectors meshed.
func zonal(zones, each int, filtered bool) Input {
	m := zones * each
	in := newInput(m+2*zones, 1).reflectors(m, func(i int) string { return ownID(i / each) })
	for z := range zones {
		for c := range 2 {
			for j := range each {
				in = in.homes(m+2*z+c, z*each+j)
			}
		}
	}
	if filtered {
		return in.withTagFilter().reflectorMesh("one-hop")
	}
	return in.reflectorMesh()
}

// hierarchy: racks of a reflectors with the rack's ID, s spines with one ID, two
// clients a rack.
func hierarchy(racks, a, s int) Input {
	m := racks*a + s
	in := newInput(m+2*racks, 1).reflectors(m, func(i int) string { return ownID(min(i/a, racks)) })
	for i := range racks * a {
		in = in.label(i, "tier=rack")
	}
	for i := range s {
		in = in.label(racks*a+i, "tier=spine")
	}
	for r := range racks {
		for c := range 2 {
			for j := range a {
				in = in.homes(m+2*r+c, r*a+j)
			}
		}
	}
	return in.selectors("spines", "tier == 'rack'", "tier == 'spine'")
}

// quorum: one ID, 7 reflectors, a client for each block.
func quorum(blocks [][3]int) Input {
	in := newInput(7+len(blocks), 1).reflectors(7, oneID)
	for c, b := range blocks {
		in = in.homes(7+c, b[:]...)
	}
	return in.reflectorMesh()
}

// clientPaths counts, over ordered pairs of clients: those with a route, and the
// fewest (of those) and most paths that one holds.
func clientPaths(in Input, reflectors int) (visible, fewest, most int, capped bool) {
	n := Build(in)
	fewest = pathCap
	for i := reflectors; i < len(in.Nodes); i++ {
		for j := reflectors; j < len(in.Nodes); j++ {
			if i == j {
				continue
			}
			_, count, over := n.Ways(nodeName(i), nodeName(j), IPv4, 0)
			if count > 0 {
				visible++
				fewest = min(fewest, count)
			}
			most, capped = max(most, count), capped || over
		}
	}
	return visible, fewest, most, capped
}

var fano = [][3]int{{0, 1, 2}, {0, 3, 4}, {0, 5, 6}, {1, 3, 5}, {1, 4, 6}, {2, 3, 6}, {2, 4, 5}}

// arbitrary 3-subsets of 7, five pairs of which are disjoint.
var arbitrary = [][3]int{{0, 1, 2}, {3, 4, 5}, {4, 5, 6}, {3, 4, 6}, {0, 1, 3}, {0, 2, 5}, {0, 3, 4}}

// full: own IDs, full reflector mesh, two clients that both peer with the first
// three reflectors.
func full(m int) Input {
	in := newInput(m+2, 1).reflectors(m, ownID).reflectorMesh()
	return in.homes(m, 0, 1, 2).homes(m+1, 0, 1, 2)
}

// The figures were measured with real BIRD 1.6.8: one route, paths held by a
// client.
func TestMeasuredTopologies(t *testing.T) {
	tests := []struct {
		name    string
		in      Input
		m       int
		visible int // ordered pairs of clients
		most    int // paths that a client holds for a route of another
		capped  bool
	}{
		{"one ID, all reflectors, m=2", singleID(2, 6), 2, 30, 2, false},
		{"one ID, all reflectors, m=3", singleID(3, 6), 3, 30, 3, false},
		{"one ID, all reflectors, m=5", singleID(5, 6), 5, 30, 5, false},
		{"one ID, disjoint", newInput(4, 1).reflectors(2, oneID).homes(2, 0).homes(3, 1).reflectorMesh(), 2, 0, 0, false},
		{"own IDs, k=3, m=3", full(3), 3, 2, 15, false},
		{"own IDs, k=3, m=4", full(4), 4, 2, 33, false},
		{"own IDs, k=3, m=5", full(5), 5, 2, 99, false},
		{"own IDs, k=3, m=6", full(6), 6, 2, 393, false},
		{"own IDs, k=3, m=7", full(7), 7, 2, 1959, false},
		{"own IDs, k=3, m=8: really 11,745", full(8), 8, 2, 10_000, true},
		{"own IDs, k=3, m=11: really 5.9 million", full(11), 11, 2, 10_000, true},
		{"tag filter, k=2, m=3", multi(3, 2, 6, true), 3, 30, 4, false},
		{"tag filter, k=2, m=5", multi(5, 2, 6, true), 5, 30, 4, false},
		{"tag filter, k=2, m=11", multi(11, 2, 6, true), 11, 30, 4, false},
		{"tag filter, k=2, m=21", multi(21, 2, 6, true), 21, 30, 4, false},
		{"tag filter, k=3, m=6", multi(6, 3, 6, true), 6, 30, 9, false},
		{"zonal IDs, 3 zones of 2", zonal(3, 2, false), 6, 30, 12, false},
		{"zonal IDs, 3 zones of 3", zonal(3, 3, false), 9, 30, 36, false},
		{"zonal IDs, 4 zones of 2", zonal(4, 2, false), 8, 56, 52, false},
		{"zonal IDs, 5 zones of 2", zonal(5, 2, false), 10, 90, 316, false},
		{"zonal IDs, tag filter, 3 zones of 3", zonal(3, 3, true), 9, 30, 9, false},
		{"zonal IDs, tag filter, 5 zones of 2", zonal(5, 2, true), 10, 90, 4, false},
		{"hierarchy, a=2, s=2", hierarchy(3, 2, 2), 8, 30, 8, false},
		{"hierarchy, a=2, s=3", hierarchy(3, 2, 3), 9, 30, 12, false},
		{"hierarchy, a=3, s=3", hierarchy(3, 3, 3), 12, 30, 27, false},
		{"quorum, Fano plane", quorum(fano), 7, 42, 1, false},
		{"quorum, arbitrary blocks", quorum(arbitrary), 7, 32, 2, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			visible, _, most, capped := clientPaths(tt.in, tt.m)
			if visible != tt.visible || most != tt.most || capped != tt.capped {
				t.Errorf("%d pairs visible, %d paths, capped %v; measured %d, %d, %v",
					visible, most, capped, tt.visible, tt.most, tt.capped)
			}
		})
	}
}
