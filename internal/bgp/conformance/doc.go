// Package conformance holds the tests that compare internal/bgp with the real
// daemon: BIRD 1.6, on which Calico's own BIRD is based.
//
// Every node of a cluster gets a daemon on a loopback address, configured as
// Calico's confd would. What the daemons' tables then hold is compared with what
// the model predicts, for every pair of nodes. Sessions and filters are worked out
// from Calico's rules a second time, by internal/lab/birdconf, which knows nothing
// of the model, so that a mistake in it cannot hide itself. `make bird` fetches the
// daemon.
//
// IPv4 only: a machine has one IPv6 loopback address, and more need privileges.
package conformance
