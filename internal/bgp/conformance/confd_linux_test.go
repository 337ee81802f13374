package conformance

import (
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// derive returns the protocols by node, sorted by name, and the neighbors to whom
// two BGPPeers give different options.
func derive(in bgp.Input) (map[string][]birdconf.Protocol, []string) {
	return birdconf.Derive(&birdconf.Input{
		Nodes: in.Nodes, Peers: in.Peers, Configurations: in.Configurations, Filters: in.Filters, Blocks: in.Blocks,
	}, birdconf.IPv4, nil)
}
