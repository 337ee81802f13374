package birdconf

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// Input is what confd on every node reads.
type Input struct {
	Nodes          []inventory.Node
	Peers          []calico.BGPPeer
	Configurations []calico.BGPConfiguration
	Filters        []calico.BGPFilter
	// Blocks are the address blocks of each node, of either family.
	Blocks map[string][]netip.Prefix
	// Pools are the ranges that the blocks are from, of either family.
	Pools []netip.Prefix
}

// Family is an address family: for each one a node has a BIRD of its own.
type Family int

// Families.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// Has tells whether an address is of the family.
func (f Family) Has(a netip.Addr) bool { return a.IsValid() && a.Is4() == (f == IPv4) }

// Of returns a node's BGP address of the family; invalid where it has none.
func (f Family) Of(n *inventory.Node) netip.Addr {
	if f == IPv6 {
		return n.IPv6
	}
	return n.IPv4
}

// asNumber is the AS that a node speaks for.
func (in *Input) asNumber(n *inventory.Node) uint32 {
	if n.ASNumber != 0 {
		return n.ASNumber
	}
	return calico.GlobalAS(in.Configurations)
}

// ClusterID is what confd renders; "" where it renders none. Calico lets networks
// pass as well as addresses.
func ClusterID(n *inventory.Node) string {
	if _, valid, err := calico.ParseClusterID(n.ClusterID); valid || errors.Is(err, calico.ErrClusterIDNetwork) {
		return n.ClusterID
	}
	return ""
}

// protocolName is what confd calls the protocol to a neighbor.
func protocolName(kind string, ip netip.Addr, port uint16) string {
	name := kind + "_" + strings.NewReplacer(".", "_", ":", "_").Replace(ip.String())
	if port > 0 {
		name += fmt.Sprintf("_port_%d", port)
	}
	return name
}
