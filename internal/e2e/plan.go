package e2e

import (
	"fmt"
	"net/netip"

	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// plan says what the i-th node is, from 0.
type plan struct {
	index      int
	name, zone string
	// addresses and block are by family; a node that runs no pods has no block.
	addresses map[birdconf.Family]netip.Prefix
	blocks    map[birdconf.Family]netip.Prefix
}

// Ranges of the cluster. No machine outside ever sees them.
var (
	poolV4 = netip.MustParsePrefix("10.64.0.0/16")
	poolV6 = netip.MustParsePrefix("fd64::/64")
)

// maxNodes is what the address plan has room for.
const maxNodes = 200

// planOf spreads the nodes over zones. blockless: it owns no address block, as a
// control-plane node may.
func planOf(index, zones int, families []birdconf.Family, blockless bool) plan {
	p := plan{
		index: index, name: fmt.Sprintf("node-%02d", index+1), zone: "zone-" + string(rune('a'+index%zones)),
		addresses: map[birdconf.Family]netip.Prefix{}, blocks: map[birdconf.Family]netip.Prefix{},
	}
	if blockless {
		p.name = fmt.Sprintf("control-%02d", index+1)
	}
	for _, family := range families {
		if family == birdconf.IPv4 {
			p.addresses[family] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 20, 0, byte(10 + index)}), 24)
			p.blocks[family] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 64, byte(index / 4), byte(index % 4 * 64)}), 26)
			continue
		}
		p.addresses[family] = netip.PrefixFrom(inRange("fd20::", uint16(10+index)), 64) //nolint:gosec // below maxNodes
		p.blocks[family] = netip.PrefixFrom(inRange("fd64::", uint16(index*64)), 122)   //nolint:gosec // below maxNodes
	}
	if blockless {
		clear(p.blocks)
	}
	return p
}

func inRange(first string, last uint16) netip.Addr {
	b := netip.MustParseAddr(first).As16()
	b[14], b[15] = byte(last>>8), byte(last)
	return netip.AddrFrom16(b)
}
