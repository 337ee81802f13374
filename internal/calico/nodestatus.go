package calico

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CalicoNodeStatus asks one calico-node to report its BGP sessions. It keeps
// Calico's name of the kind.
//
// +kubebuilder:object:root=true
type CalicoNodeStatus struct { //nolint:revive // the kind's name is Calico's
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              NodeStatusSpec   `json:"spec,omitempty"`
	Status            NodeStatusStatus `json:"status,omitempty"`
}

// CalicoNodeStatusList is a list of CalicoNodeStatus.
//
// +kubebuilder:object:root=true
type CalicoNodeStatusList struct { //nolint:revive // the kind's name is Calico's
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CalicoNodeStatus `json:"items"`
}

// NodeStatusSpec is the specification of a CalicoNodeStatus.
type NodeStatusSpec struct {
	Node string `json:"node,omitempty"`
	// Classes of information to report: Agent, BGP, Routes.
	Classes []string `json:"classes,omitempty"`
	// UpdatePeriodSeconds between two reports; 0 means never again. A report
	// that says nothing new is not written.
	UpdatePeriodSeconds *uint32 `json:"updatePeriodSeconds,omitempty"`
}

// NodeStatusStatus is the report. LastUpdated is the time of the last change,
// not a heartbeat.
type NodeStatusStatus struct {
	LastUpdated metav1.Time     `json:"lastUpdated,omitempty"`
	Agent       NodeAgentStatus `json:"agent,omitempty"`
	BGP         NodeBGPStatus   `json:"bgp,omitempty"`
}

// NodeAgentStatus is what class Agent reports: the state of BIRD. What was reported
// once stays when the class is not asked for any more.
type NodeAgentStatus struct {
	BIRDV4 DaemonStatus `json:"birdV4,omitempty"`
	BIRDV6 DaemonStatus `json:"birdV6,omitempty"`
}

// DaemonStatus is one BIRD. The state is empty where it has never been reported.
type DaemonStatus struct {
	State                   string `json:"state,omitempty"`
	Version                 string `json:"version,omitempty"`
	RouterID                string `json:"routerID,omitempty"`
	LastBootTime            string `json:"lastBootTime,omitempty"`
	LastReconfigurationTime string `json:"lastReconfigurationTime,omitempty"`
}

// NodeBGPStatus lists the sessions. The numbers count BIRD's protocol state
// "up" (routes are fed); a peer's state is Established before that.
type NodeBGPStatus struct {
	NumberEstablishedV4    int          `json:"numberEstablishedV4"`
	NumberNotEstablishedV4 int          `json:"numberNotEstablishedV4"`
	NumberEstablishedV6    int          `json:"numberEstablishedV6"`
	NumberNotEstablishedV6 int          `json:"numberNotEstablishedV6"`
	PeersV4                []PeerStatus `json:"peersV4,omitempty"`
	PeersV6                []PeerStatus `json:"peersV6,omitempty"`
}

// Types and states in a PeerStatus.
const (
	PeerTypeMesh     = "NodeMesh"
	PeerTypeNode     = "NodePeer"
	PeerTypeGlobal   = "GlobalPeer"
	StateEstablished = "Established"
	StateIdle        = "Idle"

	// ClassBGP is the class of information that Tapetum asks for, and ClassAgent the
	// one that it asks for besides where it doubts that a node is alive.
	ClassBGP   = "BGP"
	ClassAgent = "Agent"

	// States of a DaemonStatus.
	DaemonReady    = "Ready"
	DaemonNotReady = "NotReady"
)

// PeerStatus is one session as a node sees it.
type PeerStatus struct {
	PeerIP string `json:"peerIP,omitempty"`
	Type   string `json:"type,omitempty"`
	State  string `json:"state,omitempty"`
	Since  string `json:"since,omitempty"`
}
