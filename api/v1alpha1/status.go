package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types.
const (
	// ConditionReady: the topology in force is the one asked for, and it keeps its promise.
	ConditionReady = "Ready"
	// ConditionProgressing: steps are left, or a gate is being waited for.
	ConditionProgressing = "Progressing"
	// ConditionDegraded: something needs a person.
	ConditionDegraded = "Degraded"
)

// Mesh states in status.
const (
	MeshOn  = "On"
	MeshOff = "Off"
)

// ReflectorState says where a reflector stands.
type ReflectorState string

// Reflector states.
const (
	// ReflectorReady: the role is set and all expected sessions are seen up.
	ReflectorReady ReflectorState = "Ready"
	// ReflectorConnecting: the role is set, sessions are still coming up.
	ReflectorConnecting ReflectorState = "Connecting"
	// ReflectorPending: chosen, the role is not set yet.
	ReflectorPending ReflectorState = "Pending"
	// ReflectorLeaving: it will lose the role once others carry its clients.
	ReflectorLeaving ReflectorState = "Leaving"
	// ReflectorLost: its node is not ready.
	ReflectorLost ReflectorState = "Lost"
)

// RouteReflectorAutoscalerStatus is what Tapetum sees and does.
type RouteReflectorAutoscalerStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// topology in force now, not the one asked for.
	// +optional
	Topology Topology `json:"topology,omitempty"`

	// nodes is the number of nodes that speak BGP.
	// +optional
	Nodes int32 `json:"nodes"`

	// reflectorCount is the number of nodes that have the role now.
	// +optional
	ReflectorCount int32 `json:"reflectorCount"`

	// +optional
	// +listType=map
	// +listMapKey=name
	Reflectors []ReflectorStatus `json:"reflectors,omitempty"`

	// mesh is On or Off: Calico's node-to-node mesh.
	// +optional
	Mesh string `json:"mesh,omitempty"`

	// nextStep is the step that will be taken next, or what it waits for.
	// +optional
	NextStep string `json:"nextStep,omitempty"`

	// plan lists the reflectors asked for; in DryRun this is all that is done.
	// +optional
	Plan *PlanStatus `json:"plan,omitempty"`

	// +optional
	Promise *Promise `json:"promise,omitempty"`

	// clocks are the moments since which something has been so; rollout windows
	// are counted from them, so that a restart of Tapetum forgets nothing.
	// +optional
	// +listType=map
	// +listMapKey=name
	Clocks []Clock `json:"clocks,omitempty"`

	// brakes say what holds a rollout, and how many role changes were made lately.
	// +optional
	Brakes *BrakesStatus `json:"brakes,omitempty"`

	// reverts are the times at which somebody undid what Tapetum had written.
	// +optional
	// +listType=map
	// +listMapKey=object
	Reverts []Revert `json:"reverts,omitempty"`
}

// ReflectorStatus is one reflector.
type ReflectorStatus struct {
	// name of the node.
	Name string `json:"name"`
	// +optional
	Zone string `json:"zone,omitempty"`
	// +optional
	ClusterID string `json:"clusterID,omitempty"`
	// tier is core, multi, quorum or rack.
	// +optional
	Tier string `json:"tier,omitempty"`
	// +optional
	State ReflectorState `json:"state,omitempty"`
	// sessionsEstablished counts the expected sessions that are seen up, of both
	// address families.
	// +optional
	SessionsEstablished int32 `json:"sessionsEstablished"`
	// +optional
	SessionsExpected int32 `json:"sessionsExpected"`
}

// PlanStatus is the goal.
type PlanStatus struct {
	// topology that the plan asks for.
	Topology Topology `json:"topology"`
	// why this topology and this many reflectors, in a sentence or two.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Why string `json:"why,omitempty"`
	// nextBorder is the number of nodes at which growth would change the topology
	// by Auto; unset: none up to 100,000, or the topology is a person's choice.
	// +optional
	NextBorder *int32 `json:"nextBorder,omitempty"`
	// nextTopology is what Auto would choose from nextBorder on.
	// +optional
	NextTopology Topology `json:"nextTopology,omitempty"`
	// groups is the number of groups of clients that have reflectors of their own.
	// +optional
	Groups int32 `json:"groups,omitempty"`
	// reflectors are the nodes that should be reflectors, sorted by name.
	// +optional
	// +listType=set
	Reflectors []string `json:"reflectors,omitempty"`
	// mesh is what Calico's node-to-node mesh should be, On or Off.
	// +optional
	Mesh string `json:"mesh,omitempty"`
}

// Promise is what the topology in force guarantees, as computed by the oracle.
type Promise struct {
	// complete: every node has a path to every other node's address blocks.
	Complete bool `json:"complete"`
	// anyReflector: the same after the loss of any limits.reflectorFailures reflectors.
	AnyReflector bool `json:"anyReflector"`
	// anyZone: the same after the loss of any one zone.
	AnyZone bool `json:"anyZone"`
	// maxSessions is the most sessions an address family on any reflector, or on
	// any node where there is no reflector.
	MaxSessions int32 `json:"maxSessions"`
	// maxPaths is the most paths per route that a client holds.
	MaxPaths int32 `json:"maxPaths"`
}

// Clock is a moment since which something has been so.
type Clock struct {
	Name  string           `json:"name"`
	Since metav1.MicroTime `json:"since"`
}

// Revert counts how often somebody undid one object.
type Revert struct {
	// object, as Kind/name.
	Object string `json:"object"`
	// manager is the field manager that undid it, where the API server knows.
	// +optional
	Manager string `json:"manager,omitempty"`
	// times of the last reverts, oldest first.
	// +optional
	// +listType=atomic
	Times []metav1.Time `json:"times,omitempty"`
}
