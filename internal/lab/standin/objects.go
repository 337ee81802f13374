package standin

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"tapetum.dev/tapetum/internal/calico"
)

// BlockAffinity says that a node owns an address block. Unstructured, because
// "deleted" is a string in one group and a boolean in the other.
func BlockAffinity(group schema.GroupVersion, name, node, cidr string) *unstructured.Unstructured {
	var deleted any = false
	if group == calico.GroupV1 {
		deleted = "false"
	}
	return object(group, "BlockAffinity", name, map[string]any{
		"node": node, "state": "confirmed", "cidr": cidr, "deleted": deleted, "type": "host",
	})
}

// ClusterInformation says that Calico's datastore may be written, and what version
// it is of.
func ClusterInformation(group schema.GroupVersion, version string) *unstructured.Unstructured {
	return object(group, "ClusterInformation", "default", map[string]any{"datastoreReady": true, "calicoVersion": version})
}

func object(group schema.GroupVersion, kind, name string, spec map[string]any) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	out.SetGroupVersionKind(group.WithKind(kind))
	out.SetName(name)
	return out
}

// Workload is a pod of the pod network that runs on a node.
func Workload(node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "workload-" + node, Namespace: corev1.NamespaceDefault, Labels: map[string]string{"app": "workload"}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "workload", Image: "workload:1"}}},
	}
}
