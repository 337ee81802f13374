package inventory

import "time"

// Vital is what tells whether a node is alive earlier than its Ready condition does.
// All times are by Tapetum's own clock, because those of nodes may differ.
type Vital struct {
	// Heartbeat is when the node's Lease was last seen to be renewed; zero: that is not
	// known (yet).
	Heartbeat time.Time
	// AgentNotReady is since when the pod of calico-node has been seen not ready; zero:
	// it is ready, or not known.
	AgentNotReady time.Time
	// AgentStarted is when that pod was last seen to go, or its container to be started
	// anew; zero: it was not.
	AgentStarted time.Time
	// AgentLeaving: that pod is being evicted or deleted, or is gone and no other has come
	// yet.
	AgentLeaving bool
}
