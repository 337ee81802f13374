package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RouteReflectorAutoscaler asks Tapetum to keep the BGP route reflectors of this
// cluster right. There is one, named "default".
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=rra,path=routereflectorautoscalers
// +kubebuilder:printcolumn:name="Topology",type=string,JSONPath=`.status.topology`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes`
// +kubebuilder:printcolumn:name="Reflectors",type=integer,JSONPath=`.status.reflectorCount`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Mesh",type=string,JSONPath=`.status.mesh`
// +kubebuilder:printcolumn:name="Next",type=string,JSONPath=`.status.nextStep`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'default'",message="there is one RouteReflectorAutoscaler a cluster: its name must be \"default\""
type RouteReflectorAutoscaler struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec RouteReflectorAutoscalerSpec `json:"spec,omitempty"`
	// +optional
	Status RouteReflectorAutoscalerStatus `json:"status,omitempty"`
}

// RouteReflectorAutoscalerList is a list of RouteReflectorAutoscaler.
//
// +kubebuilder:object:root=true
type RouteReflectorAutoscalerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RouteReflectorAutoscaler `json:"items"`
}

// Mode says how far Tapetum may go.
//
// +kubebuilder:validation:Enum=Apply;DryRun;Paused
type Mode string

// Modes.
const (
	// ModeApply plans and writes.
	ModeApply Mode = "Apply"
	// ModeDryRun plans into status and writes nothing else.
	ModeDryRun Mode = "DryRun"
	// ModePaused does nothing at all.
	ModePaused Mode = "Paused"
)

// Topology names who peers with whom.
//
// +kubebuilder:validation:Enum=Auto;Mesh;Single;Multi;Quorum;Hierarchy
type Topology string

// Topologies.
const (
	TopologyAuto      Topology = "Auto"
	TopologyMesh      Topology = "Mesh"
	TopologySingle    Topology = "Single"
	TopologyMulti     Topology = "Multi"
	TopologyQuorum    Topology = "Quorum"
	TopologyHierarchy Topology = "Hierarchy"
)

// NodeMesh says whose Calico's node-to-node mesh switch is.
//
// +kubebuilder:validation:Enum=Managed;Unmanaged
type NodeMesh string

// Values of NodeMesh.
const (
	NodeMeshManaged   NodeMesh = "Managed"
	NodeMeshUnmanaged NodeMesh = "Unmanaged"
)

// Gate says what a rollout waits for before anything is taken away.
//
// +kubebuilder:validation:Enum=Sessions;Delay
type Gate string

// Gates.
const (
	// GateSessions waits until the sessions are seen up (CalicoNodeStatus).
	GateSessions Gate = "Sessions"
	// GateDelay waits settleSeconds only.
	GateDelay Gate = "Delay"
)

// RouteReflectorAutoscalerSpec is what a user asks for. What contradicts itself is
// refused here where the object alone shows it; package topology has the same rules,
// in the same words, for policies that come from a file.
//
// +kubebuilder:validation:XValidation:rule="self.topology == 'Mesh' || self.limits.reflectorFailures < self.scaling.max",message="limits.reflectorFailures must be less than scaling.max"
// +kubebuilder:validation:XValidation:rule="self.topology != 'Multi' || self.reflectorsPerClient <= self.scaling.max",message="reflectorsPerClient must not be greater than scaling.max"
// +kubebuilder:validation:XValidation:rule="self.topology != 'Multi' || self.limits.reflectorFailures < self.reflectorsPerClient",message="limits.reflectorFailures must be less than reflectorsPerClient, else a client can lose all its route reflectors"
// +kubebuilder:validation:XValidation:rule="self.topology != 'Multi' || self.reflectorsPerClient * self.reflectorsPerClient <= self.limits.pathsPerRoute",message="reflectorsPerClient squared is the number of paths a route in Multi: it must not be greater than limits.pathsPerRoute"
// +kubebuilder:validation:XValidation:rule="self.topology != 'Single' || self.scaling.min <= self.limits.pathsPerRoute",message="scaling.min is the least number of paths a route in Single: it must not be greater than limits.pathsPerRoute"
// +kubebuilder:validation:XValidation:rule="self.topology in ['Mesh', 'Hierarchy'] || self.scaling.min <= self.limits.sessionsPerReflector + 1",message="scaling.min is the least number of route reflectors that peer with each other: it must not be greater than limits.sessionsPerReflector and 1"
// +kubebuilder:validation:XValidation:rule="self.topology == 'Mesh' || !has(self.placement.pinned) || size(self.placement.pinned) <= self.scaling.max",message="placement.pinned must not name more nodes than scaling.max"
type RouteReflectorAutoscalerSpec struct {
	// mode is Apply, DryRun (plan into status, write nothing else) or Paused.
	// +optional
	// +kubebuilder:default=Apply
	Mode Mode `json:"mode,omitempty"`

	// topology is who peers with whom. Auto takes the cheapest that keeps to the limits.
	// +optional
	// +kubebuilder:default=Auto
	Topology Topology `json:"topology,omitempty"`

	// meshUpTo is the number of nodes up to which Auto stays on Calico's
	// node-to-node mesh. It goes back to the mesh below 80 % of this number,
	// after the stabilization window.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MeshUpTo *int32 `json:"meshUpTo,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Scaling Scaling `json:"scaling,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Limits Limits `json:"limits,omitempty"`

	// reflectorsPerClient is with how many reflectors a client peers in
	// topologies where it does not peer with all.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=20
	ReflectorsPerClient int32 `json:"reflectorsPerClient,omitempty"`

	// clusterID is the BGP cluster ID of the reflectors, a bare IPv4 address;
	// the base for topologies with several.
	// +optional
	// +kubebuilder:default="224.0.0.1"
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip(self).family() == 4 && self != '0.0.0.0'",message="clusterID must be a bare IPv4 address such as 224.0.0.1 (no prefix length, not 0.0.0.0)"
	ClusterID string `json:"clusterID,omitempty"`

	// zoneLabel is the node label over whose values reflectors are spread.
	// Nodes without it form one zone "".
	// +optional
	// +kubebuilder:default="topology.kubernetes.io/zone"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	ZoneLabel string `json:"zoneLabel,omitempty"`

	// rackLabel is the node label that tells the racks of topology Hierarchy.
	// Unset: the zones are the racks.
	// +optional
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^(([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`
	RackLabel string `json:"rackLabel,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Placement Placement `json:"placement,omitempty"`

	// nodeMesh is Managed (Tapetum turns Calico's mesh off and on) or Unmanaged
	// (it never touches it, and says what it would need).
	// +optional
	// +kubebuilder:default=Managed
	NodeMesh NodeMesh `json:"nodeMesh,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Rollout Rollout `json:"rollout,omitempty"`

	// brakes say when a rollout holds because much goes wrong at once.
	// +optional
	// +kubebuilder:default={}
	Brakes Brakes `json:"brakes,omitempty"`

	// sessions are options of all BGP sessions with route reflectors. What is unset
	// stays as it is: at first as it was in the node-to-node mesh. A change goes
	// from one reflector to the next, because it restarts sessions.
	// +optional
	Sessions *Sessions `json:"sessions,omitempty"`
}

// Sessions are options of BGP sessions.
type Sessions struct {
	// password names the key of a Secret in calico-node's namespace. Change the
	// reference, not the Secret: Calico takes up a Secret's new content on all
	// nodes at once, which restarts every session at once.
	// +optional
	Password *SecretKey `json:"password,omitempty"`
	// maxRestartSeconds is BGP's graceful restart time.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4095
	MaxRestartSeconds *int32 `json:"maxRestartSeconds,omitempty"`
	// keepaliveSeconds is BGP's keepalive time.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	KeepaliveSeconds *int32 `json:"keepaliveSeconds,omitempty"`
}

// SecretKey is a key of a Secret.
type SecretKey struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// Scaling says how many reflectors there should be.
//
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || self.min <= self.max",message="scaling.min must not be greater than scaling.max"
// +kubebuilder:validation:XValidation:rule="!(has(self.nodesPerReflector) && has(self.ladder))",message="set only one of scaling.nodesPerReflector and scaling.ladder"
// +kubebuilder:validation:XValidation:rule="!has(self.ladder) || self.ladder.map(s, s.nodes).isSorted()",message="scaling.ladder is out of order: list its steps by ascending nodes"
// +kubebuilder:validation:XValidation:rule="!has(self.ladder) || self.ladder.all(s, self.ladder.all(t, t.nodes <= s.nodes || t.reflectors >= s.reflectors))",message="scaling.ladder is out of order: a step with more nodes must not have fewer reflectors"
type Scaling struct {
	// min is the least number of reflectors.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Min int32 `json:"min,omitempty"`

	// max is the greatest number of reflectors.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Max int32 `json:"max,omitempty"`

	// nodesPerReflector asks for one reflector for each so many nodes, rounded
	// up. 200 when neither this nor ladder is set.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	NodesPerReflector *int32 `json:"nodesPerReflector,omitempty"`

	// ladder gives the number of reflectors by steps: the last step whose nodes
	// are not more than the cluster's counts; below the first step, the first.
	// +optional
	// +listType=map
	// +listMapKey=nodes
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Ladder []LadderStep `json:"ladder,omitempty"`

	// scaleDownStabilizationSeconds is for how long fewer reflectors (or the
	// mesh) must have been enough before any is taken away.
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	ScaleDownStabilizationSeconds *int32 `json:"scaleDownStabilizationSeconds,omitempty"`
}

// LadderStep is one step of a ladder.
type LadderStep struct {
	// nodes is the number of nodes from which this step counts.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	Nodes int32 `json:"nodes"`
	// reflectors is the number of reflectors from there on.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Reflectors int32 `json:"reflectors"`
}

// Limits is what every plan must keep to.
type Limits struct {
	// sessionsPerReflector is the most BGP sessions an address family that one
	// reflector may have.
	// +optional
	// +kubebuilder:default=500
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=10000
	SessionsPerReflector int32 `json:"sessionsPerReflector,omitempty"`

	// pathsPerRoute is the most paths for one route that a client may hold. The own
	// routes of reflectors do not count.
	// +optional
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	PathsPerRoute int32 `json:"pathsPerRoute,omitempty"`

	// reflectorFailures is how many reflectors may fail at once without a
	// client losing a route.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	ReflectorFailures *int32 `json:"reflectorFailures,omitempty"`
}

// Rollout says how a change is carried out.
type Rollout struct {
	// gate is Sessions (wait until sessions are seen up) or Delay (wait
	// settleSeconds only, for clusters without CalicoNodeStatus).
	// +optional
	// +kubebuilder:default=Sessions
	Gate Gate `json:"gate,omitempty"`

	// settleSeconds is how long a gate must have been open before anything is
	// taken away.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	SettleSeconds *int32 `json:"settleSeconds,omitempty"`

	// sessionTimeoutSeconds is how long a gate may stay shut before Degraded
	// names the nodes it waits for. The rollout holds; it never goes on blind.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	SessionTimeoutSeconds int32 `json:"sessionTimeoutSeconds,omitempty"`

	// ignoreNotReadyAfterSeconds: a node that has been NotReady for so long, and
	// that no reflector has Established, is left out of the gate, by name.
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	IgnoreNotReadyAfterSeconds *int32 `json:"ignoreNotReadyAfterSeconds,omitempty"`

	// disruptionTimeoutSeconds: a node that is being deleted, drained or disrupted, and
	// that no reflector has Established, is waited for so long by gates, and then left
	// out of them, by name.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	DisruptionTimeoutSeconds *int32 `json:"disruptionTimeoutSeconds,omitempty"`
}
