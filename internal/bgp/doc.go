// Package bgp is the oracle: which BGP sessions do these Calico resources make,
// which routes arrive where, and what would a change do to them?
//
// It repeats what Calico's confd derives from nodes, BGPPeers, BGPConfigurations
// and BGPFilters, and what BIRD 1.6 then does with a route. Pure. It must not know
// topologies: the planner's mistakes could otherwise repeat themselves here.
package bgp
