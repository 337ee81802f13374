package inventory

import (
	"net/netip"
	"time"
)

// Node is what Tapetum needs to know of a node.
type Node struct {
	Name   string
	UID    string
	Labels map[string]string
	// Created is the node's creation time.
	Created time.Time

	// Ready is the Ready condition being True; ReadySince is when that condition
	// last changed (zero where the node has none).
	Ready      bool
	ReadySince time.Time
	// Unschedulable is spec.unschedulable: cordoned.
	Unschedulable bool
	// Dedicated: the cordon was set to dedicate the node to route reflection
	// (v1alpha1.CordonedAnnotation).
	Dedicated bool
	// Deleting: the Node object is being deleted.
	Deleting bool
	// Taints are the keys of the node's taints, sorted.
	Taints []string
	// OS is linux or windows; "" where the node does not say.
	OS string

	// IPv4 and IPv6 are the BGP addresses that calico-node has annotated, without
	// prefix length; invalid (zero) where there is none.
	IPv4, IPv6 netip.Addr
	// ASNumber is the node's own AS, 0 where the cluster's applies.
	ASNumber uint32
	// ClusterID is the raw value of Calico's cluster ID annotation: a node that
	// has a valid one is a route reflector.
	ClusterID string
	// Protected are the keys of those annotations against autoscalers of nodes
	// (v1alpha1.ScaleDownDisabledAnnotation, DoNotDisruptAnnotation) that our
	// field manager owns, sorted.
	Protected []string
	// ProtectedOtherwise are those of these keys that somebody else has given
	// another value than Protection, sorted. They are theirs: never overwritten,
	// so it is of no use to ask for them.
	ProtectedOtherwise []string

	// KubeletVersion and Image tell which nodes are rolled next.
	KubeletVersion string
	Image          string
}

// HasBGP tells whether calico-node has announced an address to speak BGP from.
func (n *Node) HasBGP() bool { return n.IPv4.IsValid() || n.IPv6.IsValid() }

// CanReflect tells whether the node has what a route reflector cannot do without:
// a BGP address, and an operating system on which Calico can reflect routes.
func (n *Node) CanReflect() bool { return n.HasBGP() && (n.OS == "" || n.OS == "linux") }
