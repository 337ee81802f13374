// Package inventory answers: which nodes are there, and which of them could be a
// route reflector?
//
// It turns Kubernetes nodes into small values that the other packages work with.
// Pure: it knows no client, and nothing of topologies or BGP sessions.
package inventory
