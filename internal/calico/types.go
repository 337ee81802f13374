package calico

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BGPPeer says which nodes peer with whom.
//
// +kubebuilder:object:root=true
type BGPPeer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              BGPPeerSpec `json:"spec,omitempty"`
}

// BGPPeerList is a list of BGPPeer.
//
// +kubebuilder:object:root=true
type BGPPeerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BGPPeer `json:"items"`
}

// BGPPeerSpec is the specification of a BGPPeer. Node and NodeSelector both
// empty: a global peer, of every node. PeerIP and PeerSelector exclude each other.
type BGPPeerSpec struct {
	Node         string `json:"node,omitempty"`
	NodeSelector string `json:"nodeSelector,omitempty"`
	// PeerIP is an address, "address:port" or "[address]:port".
	PeerIP string `json:"peerIP,omitempty"`
	// ASNumber of the peer; must be set with PeerIP and unset with PeerSelector.
	ASNumber      uint32  `json:"asNumber,omitempty"`
	LocalASNumber *uint32 `json:"localASNumber,omitempty"`
	PeerSelector  string  `json:"peerSelector,omitempty"`

	KeepOriginalNextHop bool         `json:"keepOriginalNextHop,omitempty"`
	NextHopMode         string       `json:"nextHopMode,omitempty"`
	Password            *BGPPassword `json:"password,omitempty"`
	// SourceAddress is UseNodeIP (also when unset) or None.
	SourceAddress string `json:"sourceAddress,omitempty"`
	// MaxRestartTime is the graceful restart time; unset: BIRD's 120 s.
	MaxRestartTime          *metav1.Duration `json:"maxRestartTime,omitempty"`
	KeepaliveTime           *metav1.Duration `json:"keepaliveTime,omitempty"`
	NumAllowedLocalASNumber *int32           `json:"numAllowedLocalASNumbers,omitempty"`
	TTLSecurity             *int32           `json:"ttlSecurity,omitempty"`
	ReachableBy             string           `json:"reachableBy,omitempty"`
	Filters                 []string         `json:"filters,omitempty"`
	LocalWorkloadSelector   string           `json:"localWorkloadSelector,omitempty"`
	// ReversePeering is Auto (also when unset) or Manual.
	ReversePeering string `json:"reversePeering,omitempty"`
}

// BGPPassword points at the password of a session.
type BGPPassword struct {
	SecretKeyRef *corev1.SecretKeySelector `json:"secretKeyRef,omitempty"`
}

// BGPConfiguration is the BGP configuration of the cluster ("default") or of one
// node ("node.<name>").
//
// +kubebuilder:object:root=true
type BGPConfiguration struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              BGPConfigurationSpec `json:"spec,omitempty"`
}

// BGPConfigurationList is a list of BGPConfiguration.
//
// +kubebuilder:object:root=true
type BGPConfigurationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BGPConfiguration `json:"items"`
}

// BGPConfigurationSpec holds the fields that Tapetum reads or writes. It is
// never written whole: writes are merge patches of the mesh fields.
type BGPConfigurationSpec struct {
	// NodeToNodeMeshEnabled unset means on.
	NodeToNodeMeshEnabled *bool `json:"nodeToNodeMeshEnabled,omitempty"`
	// ASNumber unset means 64512.
	ASNumber               *uint32          `json:"asNumber,omitempty"`
	ListenPort             uint16           `json:"listenPort,omitempty"`
	NodeMeshPassword       *BGPPassword     `json:"nodeMeshPassword,omitempty"`
	NodeMeshMaxRestartTime *metav1.Duration `json:"nodeMeshMaxRestartTime,omitempty"`
	// ProgramClusterRoutes says for which IPPools BIRD gives the kernel the routes to other
	// nodes' pods; Felix does for the others. Unset: the default of that Calico.
	ProgramClusterRoutes string `json:"programClusterRoutes,omitempty"`
}

// ClusterInformation tells about the datastore.
//
// +kubebuilder:object:root=true
type ClusterInformation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ClusterInformationSpec `json:"spec,omitempty"`
}

// ClusterInformationList is a list of ClusterInformation.
//
// +kubebuilder:object:root=true
type ClusterInformationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterInformation `json:"items"`
}

// ClusterInformationSpec is the specification of ClusterInformation.
type ClusterInformationSpec struct {
	CalicoVersion string `json:"calicoVersion,omitempty"`
	// DatastoreReady false: a migration or an upgrade runs, nobody may write.
	DatastoreReady *bool `json:"datastoreReady,omitempty"`
}

// BlockAffinity says that a node owns an address block.
//
// +kubebuilder:object:root=true
type BlockAffinity struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              BlockAffinitySpec `json:"spec,omitempty"`
}

// BlockAffinityList is a list of BlockAffinity.
//
// +kubebuilder:object:root=true
type BlockAffinityList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BlockAffinity `json:"items"`
}

// BlockAffinitySpec is the specification of BlockAffinity.
type BlockAffinitySpec struct {
	State string `json:"state,omitempty"`
	Node  string `json:"node,omitempty"`
	CIDR  string `json:"cidr,omitempty"`
	Type  string `json:"type,omitempty"`
}
