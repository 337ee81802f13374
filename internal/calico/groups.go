package calico

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The two API groups in which Calico serves its resources.
var (
	GroupV3 = schema.GroupVersion{Group: "projectcalico.org", Version: "v3"}
	GroupV1 = schema.GroupVersion{Group: "crd.projectcalico.org", Version: "v1"}
)

// AddToScheme registers the types of this package under one of the two groups.
// Only one: a Go type that stands for two kinds could not be written.
func AddToScheme(scheme *runtime.Scheme, group schema.GroupVersion) error {
	scheme.AddKnownTypes(group,
		&BGPPeer{}, &BGPPeerList{},
		&BGPConfiguration{}, &BGPConfigurationList{},
		&CalicoNodeStatus{}, &CalicoNodeStatusList{},
		&ClusterInformation{}, &ClusterInformationList{},
		&BlockAffinity{}, &BlockAffinityList{},
		&BGPFilter{}, &BGPFilterList{},
		&IPPool{}, &IPPoolList{},
	)
	metav1.AddToGroupVersion(scheme, group)
	return nil
}
