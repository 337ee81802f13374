package controller

import (
	"maps"
	"strings"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// keptAnnotations are the annotations of nodes that somebody reads; those under
// v1alpha1.NodeKeyPrefix are kept too.
var keptAnnotations = map[string]bool{
	inventory.AnnotationIPv4:     true,
	inventory.AnnotationIPv6:     true,
	inventory.AnnotationASNumber: true,
	v1alpha1.ClusterIDAnnotation: true,

	v1alpha1.ScaleDownDisabledAnnotation: true,
	v1alpha1.DoNotDisruptAnnotation:      true,
}

// trimNode keeps of a node what inventory.FromKubernetes reads and what tells
// versions apart. A node is 10 to 30 kB, mostly images and heartbeats; 5,000 of
// them would fill the memory of a small pod.
func trimNode(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return object, nil // a tombstone
	}
	trimmed := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:              node.Name,
			UID:               node.UID,
			ResourceVersion:   node.ResourceVersion,
			CreationTimestamp: node.CreationTimestamp,
			DeletionTimestamp: node.DeletionTimestamp,
			Labels:            node.Labels,
			Annotations:       maps.Clone(node.Annotations),
			ManagedFields:     inventory.ProtectionFields(node),
		},
		Spec: corev1.NodeSpec{Unschedulable: node.Spec.Unschedulable},
	}
	maps.DeleteFunc(trimmed.Annotations, func(key, _ string) bool {
		return !keptAnnotations[key] && !strings.HasPrefix(key, v1alpha1.NodeKeyPrefix)
	})
	for _, taint := range node.Spec.Taints {
		trimmed.Spec.Taints = append(trimmed.Spec.Taints, corev1.Taint{Key: taint.Key, Effect: taint.Effect})
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			trimmed.Status.Conditions = []corev1.NodeCondition{{
				Type:               condition.Type,
				Status:             condition.Status,
				LastTransitionTime: condition.LastTransitionTime,
			}}
		}
	}
	info := node.Status.NodeInfo
	trimmed.Status.NodeInfo = corev1.NodeSystemInfo{
		OperatingSystem: info.OperatingSystem,
		KubeletVersion:  info.KubeletVersion,
		OSImage:         info.OSImage,
		KernelVersion:   info.KernelVersion,
	}
	return trimmed, nil
}

// trimStatus keeps of a CalicoNodeStatus what internal/sessions reads.
func trimStatus(object any) (any, error) {
	status, ok := object.(*calico.CalicoNodeStatus)
	if !ok {
		return object, nil
	}
	status.ManagedFields = nil
	compact(status)
	return status, nil
}

// compact drops the reports that are not Tapetum's, which may be large and change
// often, and makes the others small: a reflector reports thousands of sessions,
// and each brings its own copy of the same few words.
func compact(status *calico.CalicoNodeStatus) {
	if !calico.ManagedByUs(status) {
		status.Status = calico.NodeStatusStatus{}
		return
	}
	for _, peers := range [][]calico.PeerStatus{status.Status.BGP.PeersV4, status.Status.BGP.PeersV6} {
		for i := range peers {
			peers[i].Type = shared(peers[i].Type)
			peers[i].State = shared(peers[i].State)
			peers[i].Since = ""
		}
	}
}

// shared returns one and the same string for all that are equal.
func shared(s string) string { return unique.Make(s).Value() }

// trimMetadata is for all other kinds.
func trimMetadata(object any) (any, error) {
	if object, ok := object.(metav1.Object); ok {
		object.SetManagedFields(nil)
	}
	return object, nil
}
