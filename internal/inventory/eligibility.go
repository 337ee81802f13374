package inventory

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// LostAfter is how long a reflector's node must have been not ready before it
// counts as lost: a restart of the kubelet is no reason to move the role.
const LostAfter = 10 * time.Second

// unfitTaints are the taints that say a node is failing or about to go. Other
// taints, dedicated nodes' NoSchedule among them, do not matter to a reflector:
// it is a calico-node, which tolerates them all.
var unfitTaints = map[string]string{
	"node.kubernetes.io/not-ready":                   "is tainted as not ready",
	"node.kubernetes.io/unreachable":                 "is tainted as unreachable",
	"node.kubernetes.io/memory-pressure":             "is under memory pressure",
	"node.kubernetes.io/disk-pressure":               "is under disk pressure",
	"node.kubernetes.io/pid-pressure":                "is under PID pressure",
	"node.kubernetes.io/network-unavailable":         "has no network",
	"node.kubernetes.io/out-of-service":              "is out of service",
	"node.cloudprovider.kubernetes.io/shutdown":      "is shut down",
	"node.cloudprovider.kubernetes.io/uninitialized": "is not initialized by its cloud provider yet",
	"ToBeDeletedByClusterAutoscaler":                 "is about to be deleted by the cluster autoscaler",
	"karpenter.sh/disrupted":                         "is about to be disrupted by Karpenter",
}

// readinessTaints come and go with the Ready condition.
var readinessTaints = map[string]bool{
	"node.kubernetes.io/not-ready":   true,
	"node.kubernetes.io/unreachable": true,
}

// IsReadinessTaint tells the taints that come and go with the Ready condition.
func IsReadinessTaint(key string) bool { return readinessTaints[key] }

// Cluster is what the eligibility of one node depends on beyond the node.
type Cluster struct {
	// ASNumber of the cluster.
	ASNumber uint32
	// IPv4 and IPv6 tell which address families the nodes of the cluster speak:
	// a reflector must speak them all.
	IPv4, IPv6 bool
}

// Survey returns what the nodes have in common.
func Survey(nodes []Node, clusterAS uint32) Cluster {
	cluster := Cluster{ASNumber: clusterAS}
	for i := range nodes {
		cluster.IPv4 = cluster.IPv4 || nodes[i].IPv4.IsValid()
		cluster.IPv6 = cluster.IPv6 || nodes[i].IPv6.IsValid()
	}
	return cluster
}

// Rules decides which nodes may be and which should be reflectors.
type Rules struct {
	cluster       Cluster
	exclude       []labels.Selector
	require       []labels.Selector
	prefer        []preference
	allowCordoned labels.Selector
}

type preference struct {
	weight   int
	selector labels.Selector
}

// NewRules compiles a placement. The error names the term that does not parse.
func NewRules(placement v1alpha1.Placement, cluster Cluster) (*Rules, error) {
	rules := &Rules{cluster: cluster, allowCordoned: labels.Nothing()}
	var err error
	if rules.exclude, err = compile("exclude", placement.Exclude); err != nil {
		return nil, err
	}
	if rules.require, err = compile("require", placement.Require); err != nil {
		return nil, err
	}
	for i := range placement.Prefer {
		term := &placement.Prefer[i]
		selector, err := metav1.LabelSelectorAsSelector(&term.Selector)
		if err != nil {
			return nil, fmt.Errorf("spec.placement.prefer[%d].selector: %w", i, err)
		}
		rules.prefer = append(rules.prefer, preference{int(term.Weight), selector})
	}
	if placement.AllowCordoned != nil {
		if rules.allowCordoned, err = metav1.LabelSelectorAsSelector(placement.AllowCordoned); err != nil {
			return nil, fmt.Errorf("spec.placement.allowCordoned: %w", err)
		}
	}
	return rules, nil
}

func compile(field string, terms []metav1.LabelSelector) ([]labels.Selector, error) {
	var out []labels.Selector
	for i := range terms {
		selector, err := metav1.LabelSelectorAsSelector(&terms[i])
		if err != nil {
			return nil, fmt.Errorf("spec.placement.%s[%d]: %w", field, i, err)
		}
		out = append(out, selector)
	}
	return out, nil
}

// Weight is the sum of the weights of the preferences that the node matches.
func (r *Rules) Weight(node *Node) int {
	sum := 0
	for _, p := range r.prefer {
		if p.selector.Matches(labels.Set(node.Labels)) {
			sum += p.weight
		}
	}
	return sum
}

// Ineligible says why the node cannot become a reflector; "" when it can.
func (r *Rules) Ineligible(node *Node) string {
	if node.ClusterID != "" {
		return fmt.Sprintf("has the cluster ID annotation %q that is not Tapetum's", node.ClusterID)
	}
	if !node.Ready {
		return "is not ready"
	}
	return r.unfit(node, false)
}

// Unkeepable says why a node that is a reflector should not stay one; "" when it
// can. A node that has been not ready for less than LostAfter can. Usable tells
// whether it still does its work, so that it may stay while nobody can replace it.
func (r *Rules) Unkeepable(node *Node, now time.Time) (reason string, usable bool) {
	wavering := false
	if !node.Ready {
		if now.Sub(node.ReadySince) >= LostAfter {
			return "is not ready", false
		}
		wavering = true
	}
	if reason = r.unfit(node, wavering); reason == "" {
		return "", true
	}
	// That it lacks an address family which some node has by now is no reason to
	// be without it.
	return reason, !node.Deleting && r.useless(node) == "" && r.unwanted(node) == ""
}

// unfit holds the rules that candidates and standing reflectors share. While a
// node wavers, the taints of its readiness do not count.
func (r *Rules) unfit(node *Node, wavering bool) string {
	if reason := r.incapable(node); reason != "" {
		return reason
	}
	if node.Deleting {
		return "is being deleted"
	}
	if node.Unschedulable && !node.Dedicated && !r.allowCordoned.Matches(labels.Set(node.Labels)) {
		return "is cordoned"
	}
	for _, taint := range node.Taints {
		if reason, unfit := unfitTaints[taint]; unfit && (!wavering || !readinessTaints[taint]) {
			return reason
		}
	}
	return r.unwanted(node)
}

// useless: the node could not reflect any routes, whatever anybody wants.
func (r *Rules) useless(node *Node) string {
	switch {
	case !node.HasBGP():
		return "has no BGP address (Calico's annotation " + AnnotationIPv4 + " or " + AnnotationIPv6 + ")"
	case !node.CanReflect():
		return "runs " + node.OS + ", where Calico cannot reflect routes"
	case node.ASNumber != 0 && node.ASNumber != r.cluster.ASNumber:
		return fmt.Sprintf("has the AS number %d, the cluster %d", node.ASNumber, r.cluster.ASNumber)
	}
	return ""
}

// incapable: the node could not reflect all routes.
func (r *Rules) incapable(node *Node) string {
	if reason := r.useless(node); reason != "" {
		return reason
	}
	switch {
	case r.cluster.IPv4 && !node.IPv4.IsValid():
		return "has no IPv4 BGP address, which other nodes have"
	case r.cluster.IPv6 && !node.IPv6.IsValid():
		return "has no IPv6 BGP address, which other nodes have"
	}
	return ""
}

// unwanted: the policy is against the node.
func (r *Rules) unwanted(node *Node) string {
	set := labels.Set(node.Labels)
	for i, selector := range r.exclude {
		if selector.Matches(set) {
			return fmt.Sprintf("matches spec.placement.exclude[%d]", i)
		}
	}
	if len(r.require) == 0 {
		return ""
	}
	for _, selector := range r.require {
		if selector.Matches(set) {
			return ""
		}
	}
	return "matches no term of spec.placement.require"
}
