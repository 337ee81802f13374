package inventory

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// Calico's annotations on nodes.
const (
	AnnotationIPv4     = "projectcalico.org/IPv4Address"
	AnnotationIPv6     = "projectcalico.org/IPv6Address"
	AnnotationASNumber = "projectcalico.org/ASNumber"
)

// FromKubernetes converts a node. Annotations that do not parse count as unset,
// as in Calico.
func FromKubernetes(node *corev1.Node) Node {
	out := Node{
		Name:           node.Name,
		UID:            string(node.UID),
		Labels:         node.Labels,
		Created:        node.CreationTimestamp.Time,
		Unschedulable:  node.Spec.Unschedulable,
		Deleting:       node.DeletionTimestamp != nil,
		OS:             node.Status.NodeInfo.OperatingSystem,
		IPv4:           address(node.Annotations[AnnotationIPv4], netip.Addr.Is4),
		IPv6:           address(node.Annotations[AnnotationIPv6], netip.Addr.Is6),
		ASNumber:       asNumber(node.Annotations[AnnotationASNumber]),
		ClusterID:      node.Annotations[v1alpha1.ClusterIDAnnotation],
		KubeletVersion: node.Status.NodeInfo.KubeletVersion,
		Image:          node.Status.NodeInfo.OSImage + " " + node.Status.NodeInfo.KernelVersion,
	}
	if out.OS == "" {
		out.OS = node.Labels[corev1.LabelOSStable]
	}
	out.Protected, out.ProtectedOtherwise = protection(node)
	_, out.Dedicated = node.Annotations[v1alpha1.CordonedAnnotation]
	for _, taint := range node.Spec.Taints {
		out.Taints = append(out.Taints, taint.Key)
	}
	slices.Sort(out.Taints)
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			out.Ready = condition.Status == corev1.ConditionTrue
			out.ReadySince = condition.LastTransitionTime.Time
		}
	}
	return out
}

// address takes "10.0.0.5/24" or "10.0.0.5". An address of the other family
// counts as unset: BIRD could not speak from it.
func address(annotation string, family func(netip.Addr) bool) netip.Addr {
	addr, err := netip.ParseAddr(annotation)
	if err != nil {
		prefix, err := netip.ParsePrefix(annotation)
		if err != nil {
			return netip.Addr{}
		}
		addr = prefix.Addr()
	}
	addr = addr.Unmap()
	if addr.Zone() != "" || !family(addr) {
		return netip.Addr{}
	}
	return addr
}

// asNumber takes "64512" or the dotted form "1.10".
func asNumber(annotation string) uint32 {
	if high, low, dotted := strings.Cut(annotation, "."); dotted {
		h, errHigh := strconv.ParseUint(high, 10, 16)
		l, errLow := strconv.ParseUint(low, 10, 16)
		if errHigh != nil || errLow != nil {
			return 0
		}
		return uint32(h)<<16 | uint32(l)
	}
	n, err := strconv.ParseUint(annotation, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
