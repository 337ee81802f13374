// Package render says a topology in Calico's words, and reads one back out of
// them: BGPPeers, node labels and cluster ID annotations.
//
// Pure. It decides nothing: which reflectors is internal/topology's answer, in
// which order to write is internal/rollout's.
package render
