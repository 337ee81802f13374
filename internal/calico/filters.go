package calico

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BGPFilter changes or drops routes on the sessions of the BGPPeers that name it.
//
// +kubebuilder:object:root=true
type BGPFilter struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              BGPFilterSpec `json:"spec,omitempty"`
}

// BGPFilterList is a list of BGPFilter.
//
// +kubebuilder:object:root=true
type BGPFilterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BGPFilter `json:"items"`
}

// BGPFilterSpec holds ordered rules; the first match decides.
type BGPFilterSpec struct {
	ExportV4 []BGPFilterRule `json:"exportV4,omitempty"`
	ImportV4 []BGPFilterRule `json:"importV4,omitempty"`
	ExportV6 []BGPFilterRule `json:"exportV6,omitempty"`
	ImportV6 []BGPFilterRule `json:"importV6,omitempty"`
}

// BGPFilterRule matches routes and accepts or rejects them. Unset matches match
// every route.
type BGPFilterRule struct {
	CIDR          string                 `json:"cidr,omitempty"`
	PrefixLength  *BGPFilterPrefixLength `json:"prefixLength,omitempty"`
	MatchOperator string                 `json:"matchOperator,omitempty"`
	Source        string                 `json:"source,omitempty"`
	Interface     string                 `json:"interface,omitempty"`
	PeerType      string                 `json:"peerType,omitempty"`
	Communities   *BGPFilterCommunities  `json:"communities,omitempty"`
	ASPathPrefix  []uint32               `json:"asPathPrefix,omitempty"`
	Priority      *int32                 `json:"priority,omitempty"`
	Operations    []BGPFilterOperation   `json:"operations,omitempty"`
	Action        string                 `json:"action"`
}

// BGPFilterPrefixLength bounds the length of a matching prefix.
type BGPFilterPrefixLength struct {
	Min *int32 `json:"min,omitempty"`
	Max *int32 `json:"max,omitempty"`
}

// BGPFilterCommunities matches routes that carry a community.
type BGPFilterCommunities struct {
	Values []string `json:"values,omitempty"`
}

// BGPFilterOperation changes an accepted route.
type BGPFilterOperation struct {
	AddCommunity *BGPFilterAddCommunity `json:"addCommunity,omitempty"`
	// The other operations of Calico, kept to tell that they are there.
	PrependASPath *BGPFilterOther `json:"prependASPath,omitempty"`
	SetPriority   *BGPFilterOther `json:"setPriority,omitempty"`
}

// BGPFilterAddCommunity adds a community.
type BGPFilterAddCommunity struct {
	Value string `json:"value,omitempty"`
}

// BGPFilterOther is an operation that Tapetum does not model.
type BGPFilterOther struct{}

// IPPool is a range of pod addresses.
//
// +kubebuilder:object:root=true
type IPPool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              IPPoolSpec `json:"spec,omitempty"`
}

// IPPoolList is a list of IPPool.
//
// +kubebuilder:object:root=true
type IPPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []IPPool `json:"items"`
}

// IPPoolSpec holds what decides whether a pool's routes need BGP.
type IPPoolSpec struct {
	CIDR             string `json:"cidr,omitempty"`
	VXLANMode        string `json:"vxlanMode,omitempty"`
	IPIPMode         string `json:"ipipMode,omitempty"`
	Disabled         bool   `json:"disabled,omitempty"`
	DisableBGPExport bool   `json:"disableBGPExport,omitempty"`
}
