package topology

import (
	"net/netip"

	"tapetum.dev/tapetum/internal/inventory"
)

// ids gives out cluster IDs: the lowest that are free, above a base that is shared.
type ids struct {
	base, at netip.Addr
	// holders of each ID that a node carries, in whatever way it is written.
	holders map[netip.Addr][]string
	given   map[netip.Addr]bool
}

// newIDs knows every cluster ID on the nodes, ours or not. base is an IPv4 address
// (spec.clusterID).
func newIDs(base string, nodes []inventory.Node) *ids {
	out := &ids{holders: map[netip.Addr][]string{}, given: map[netip.Addr]bool{}}
	out.base, _ = netip.ParseAddr(base)
	if !out.base.Is4() {
		out.base = netip.AddrFrom4([4]byte{224, 0, 0, 1})
	}
	out.at = out.base
	for i := range nodes {
		if id, err := netip.ParseAddr(nodes[i].ClusterID); err == nil {
			out.holders[id] = append(out.holders[id], nodes[i].Name)
		}
	}
	return out
}

// keep tells whether the ID can stay what the nodes given share: no other node has
// it, it is not the base, and nobody else kept it. It is theirs then.
func (i *ids) keep(id string, nodes ...string) bool {
	address, err := netip.ParseAddr(id)
	if err != nil || !address.Is4() || address == i.base || i.given[address] {
		return false
	}
	for _, holder := range i.holders[address] {
		mine := false
		for _, node := range nodes {
			mine = mine || node == holder
		}
		if !mine {
			return false
		}
	}
	i.given[address] = true
	return true
}

// next is the lowest ID above the base that no node carries and that has not been
// given. Keep those that stand first. After 255.255.255.255 it goes on at 0.0.0.1.
func (i *ids) next() string {
	for {
		i.at = i.at.Next()
		if !i.at.IsValid() || !i.at.Is4() {
			i.at = netip.AddrFrom4([4]byte{0, 0, 0, 1})
		}
		if len(i.holders[i.at]) == 0 && !i.given[i.at] && i.at != i.base {
			i.given[i.at] = true
			return i.at.String()
		}
	}
}
