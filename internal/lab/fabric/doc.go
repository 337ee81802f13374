// Package fabric simulates the BGP sessions and routes of a Calico cluster in
// virtual time: what confd would render on every node, what BIRD would make of
// it, and which (node, destination) pairs have a route at every moment.
//
// It is the independent check of the oracle in internal/bgp, so it derives the
// sessions itself from Calico's published rules and must never import that
// package, nor anything of Tapetum's planning. Pure: time and the seed of its
// randomness are passed in; the same calls with the same seed give the same run.
//
// It leaves out what no transition of Tapetum's touches: graceful restart of a
// crashed BIRD, neighbors outside the cluster (their sessions never come up), and
// the passing on of routes between AS numbers (a session between two of them
// carries its two ends' own routes only).
//
// Of route filters it models communities, where a route came from and the kind of
// peer. Rules that ask for an interface, a priority or an AS path match nothing,
// and no network that a rule names holds a node's block but the one of all
// addresses (filters.go). Operations other than adding a community change nothing.
package fabric
