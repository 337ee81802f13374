// Package birdconf writes the BIRD configuration of a node as Calico's confd
// does: which BGP protocols a node has, by which names and options, and the text.
//
// It follows Calico's published rules by itself, so that what is measured with it
// cannot repeat a mistake of the oracle or the planner: it must never import
// internal/bgp, topology or rollout. Pure: the order in which confd happens to
// take the BGPPeers is passed in.
package birdconf
