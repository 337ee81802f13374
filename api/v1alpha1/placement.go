package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Placement says which nodes may be, and which should be, reflectors.
type Placement struct {
	// exclude: a node that matches any of these is never a reflector.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Exclude []metav1.LabelSelector `json:"exclude,omitempty"`

	// require: where set, a reflector must match at least one of these.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Require []metav1.LabelSelector `json:"require,omitempty"`

	// prefer: the sum of the weights of the terms that a node matches ranks the
	// eligible nodes. Unset: control-plane nodes are preferred.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Prefer []PreferTerm `json:"prefer,omitempty"`

	// allowCordoned: nodes that match stay eligible though cordoned (dedicated
	// reflectors).
	// +optional
	AllowCordoned *metav1.LabelSelector `json:"allowCordoned,omitempty"`

	// pinned names nodes that are chosen before all others, and kept, as long as
	// they can be reflectors at all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Pinned []string `json:"pinned,omitempty"`

	// protectFrom lists the autoscalers of nodes that are asked, by an annotation
	// on every reflector's node, not to remove it: ClusterAutoscaler
	// (cluster-autoscaler.kubernetes.io/scale-down-disabled) and Karpenter
	// (karpenter.sh/do-not-disrupt). The annotation goes with the role.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=2
	ProtectFrom []NodeAutoscaler `json:"protectFrom,omitempty"`
}

// NodeAutoscaler is something that removes nodes by itself.
//
// +kubebuilder:validation:Enum=ClusterAutoscaler;Karpenter
type NodeAutoscaler string

// Node autoscalers.
const (
	ClusterAutoscaler NodeAutoscaler = "ClusterAutoscaler"
	Karpenter         NodeAutoscaler = "Karpenter"
)

// PreferTerm weighs nodes for placement.
type PreferTerm struct {
	// weight is added for a node that matches; negative to avoid.
	// +kubebuilder:validation:Minimum=-100
	// +kubebuilder:validation:Maximum=100
	Weight int32 `json:"weight"`
	// selector is a Kubernetes label selector.
	Selector metav1.LabelSelector `json:"selector"`
}
