package dump

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// nodeFile is the part of a node that is read: what is not needed may be broken,
// and lists of images cost no time.
type nodeFile struct {
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              struct {
		Unschedulable bool           `json:"unschedulable,omitempty"`
		Taints        []corev1.Taint `json:"taints,omitempty"`
	} `json:"spec,omitempty"`
	Status struct {
		NodeInfo   corev1.NodeSystemInfo  `json:"nodeInfo,omitempty"`
		Conditions []corev1.NodeCondition `json:"conditions,omitempty"`
	} `json:"status,omitempty"`
}

func (n *nodeFile) node() *corev1.Node {
	out := &corev1.Node{ObjectMeta: n.ObjectMeta}
	out.Spec.Unschedulable, out.Spec.Taints = n.Spec.Unschedulable, n.Spec.Taints
	out.Status.NodeInfo, out.Status.Conditions = n.Status.NodeInfo, n.Status.Conditions
	return out
}

// kinds that are read: how to make an empty one, and in which API groups.
var kinds = map[string]struct {
	groups []string
	empty  func() metav1.Object
}{
	"Node":                     {[]string{corev1.GroupName}, func() metav1.Object { return &nodeFile{} }},
	"BGPPeer":                  {calicoGroups, func() metav1.Object { return &calico.BGPPeer{} }},
	"BGPConfiguration":         {calicoGroups, func() metav1.Object { return &calico.BGPConfiguration{} }},
	"BGPFilter":                {calicoGroups, func() metav1.Object { return &calico.BGPFilter{} }},
	"IPPool":                   {calicoGroups, func() metav1.Object { return &calico.IPPool{} }},
	"ClusterInformation":       {calicoGroups, func() metav1.Object { return &calico.ClusterInformation{} }},
	"CalicoNodeStatus":         {calicoGroups, func() metav1.Object { return &calico.CalicoNodeStatus{} }},
	"BlockAffinity":            {calicoGroups, func() metav1.Object { return &calico.BlockAffinity{} }},
	"Pod":                      {[]string{corev1.GroupName}, func() metav1.Object { return &podFile{} }},
	"CustomResourceDefinition": {[]string{"apiextensions.k8s.io"}, func() metav1.Object { return &definitionFile{} }},
	"RouteReflectorAutoscaler": {[]string{v1alpha1.GroupVersion.Group}, func() metav1.Object { return &v1alpha1.RouteReflectorAutoscaler{} }},
}

var calicoGroups = []string{calico.GroupV3.Group, calico.GroupV1.Group}

// header is what every object says of itself.
type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// decode reads an object of a known kind out of its JSON.
func decode(kind string, text []byte) (metav1.Object, error) {
	object := kinds[kind].empty()
	if err := json.Unmarshal(text, object); err != nil {
		return nil, err
	}
	return object, nil
}
