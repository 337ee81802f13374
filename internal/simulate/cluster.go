package simulate

import (
	"fmt"
	"net/netip"
	"time"

	"tapetum.dev/tapetum/internal/inventory"
)

// Limits of what can be made up.
const (
	// MaxNodes is how many addresses the made-up node network has room for.
	MaxNodes = 100_000
	// MaxZones is how many zones have names.
	MaxZones = 1000
)

// Options of a cluster.
type Options struct {
	// Nodes, 1 to MaxNodes, of which the first three are control-plane nodes where
	// there are more than three.
	Nodes int
	// Zones, 1 to MaxZones, over which the nodes are dealt out in turn.
	Zones int
	// ZoneLabel is the label that names a node's zone.
	ZoneLabel string
	// Racks, 0 to MaxZones, over which the nodes are dealt out in turn, and the label
	// that names a node's rack. 0: nodes have no rack.
	Racks     int
	RackLabel string
	// DualStack gives every node an IPv6 address as well.
	DualStack bool
	// Now is the present; nodes are older, each a second older than the next.
	Now time.Time
}

// Validate tells what is wrong with the options.
func (o Options) Validate() error {
	if o.Nodes < 1 || o.Nodes > MaxNodes {
		return fmt.Errorf("%d nodes: want 1 to %d", o.Nodes, MaxNodes)
	}
	if o.Zones < 1 || o.Zones > MaxZones {
		return fmt.Errorf("%d zones: want 1 to %d", o.Zones, MaxZones)
	}
	if o.Racks < 0 || o.Racks > MaxZones {
		return fmt.Errorf("%d racks: want 0 to %d", o.Racks, MaxZones)
	}
	return nil
}

const controlPlane = 3

// Nodes makes up healthy nodes on the mesh, sorted by name.
func Nodes(o Options) []inventory.Node {
	out := make([]inventory.Node, o.Nodes)
	for i := range out {
		name, labels := fmt.Sprintf("node-%05d", i+1), map[string]string{o.ZoneLabel: zone(i % o.Zones)}
		if o.Racks > 0 {
			labels[o.RackLabel] = fmt.Sprintf("rack-%03d", i%o.Racks+1)
		}
		if o.Nodes > controlPlane && i < controlPlane {
			labels["node-role.kubernetes.io/control-plane"] = ""
		}
		out[i] = inventory.Node{
			Name: name, UID: fmt.Sprintf("uid-%05d", i+1), OS: "linux", Labels: labels,
			Ready: true, ReadySince: o.Now.Add(-time.Hour), Created: o.Now.Add(-time.Hour - time.Duration(o.Nodes-i)*time.Second),
			IPv4: netip.AddrFrom4([4]byte{10, byte((i + 1) >> 16), byte((i + 1) >> 8), byte(i + 1)}),
		}
		if o.DualStack {
			out[i].IPv6 = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 13: byte((i + 1) >> 16), 14: byte((i + 1) >> 8), 15: byte(i + 1)})
		}
	}
	return out
}

// zone names zones zone-a to zone-z, then zone-27 and on.
func zone(i int) string {
	if i < 26 {
		return "zone-" + string(rune('a'+i))
	}
	return fmt.Sprintf("zone-%d", i+1)
}

// Sizes are the cluster sizes between two bounds, both included, in the steps
// 1, 2, 5, 10 and so on.
func Sizes(from, to int) []int {
	out := []int{from}
	for decade := 1; decade <= to; decade *= 10 {
		for _, step := range []int{1, 2, 5} {
			if size := step * decade; size > from && size < to {
				out = append(out, size)
			}
		}
	}
	if to > from {
		out = append(out, to)
	}
	return out
}
