package e2e

import (
	"fmt"
	"net/netip"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

const (
	zoneLabel = "topology.kubernetes.io/zone"
	// agentNamespace is where calico-node's pods are.
	agentNamespace = "calico-system"
	calicoVersion  = "v3.33.0"
	leaseSeconds   = 40
)

// nodeObject is the Node as kubelet registers it and calico-node annotates it.
func nodeObject(p *plan) *corev1.Node {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: p.name, Annotations: map[string]string{},
			Labels: map[string]string{
				zoneLabel: p.zone, corev1.LabelHostname: p.name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
			},
		},
		Status: corev1.NodeStatus{
			NodeInfo: corev1.NodeSystemInfo{
				OperatingSystem: "linux", Architecture: "amd64", KubeletVersion: "v1.37.2",
				OSImage: "Debian GNU/Linux 13", KernelVersion: "6.12.0", ContainerRuntimeVersion: "containerd://2.1.4",
			},
			Conditions: []corev1.NodeCondition{readyCondition(true)},
		},
	}
	for family, annotation := range map[birdconf.Family]string{
		birdconf.IPv4: inventory.AnnotationIPv4, birdconf.IPv6: inventory.AnnotationIPv6,
	} {
		if address, ok := p.addresses[family]; ok {
			node.Annotations[annotation] = address.String()
			node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: address.Addr().String()})
		}
	}
	return node
}

func readyCondition(ready bool) corev1.NodeCondition {
	now := metav1.Now()
	if ready {
		return corev1.NodeCondition{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: now, LastTransitionTime: now,
			Reason: "KubeletReady", Message: "kubelet is posting ready status",
		}
	}
	return corev1.NodeCondition{
		Type: corev1.NodeReady, Status: corev1.ConditionUnknown, LastHeartbeatTime: now, LastTransitionTime: now,
		Reason: "NodeStatusUnknown", Message: "Kubelet stopped posting node status.",
	}
}

// leaseObject is the node's lease, which kubelet renews.
func leaseObject(node string) *coordinationv1.Lease {
	seconds, now := int32(leaseSeconds), metav1.NewMicroTime(time.Now())
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: node, Namespace: corev1.NamespaceNodeLease},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &node, LeaseDurationSeconds: &seconds, RenewTime: &now},
	}
}

// agentPod is the node's calico-node.
func agentPod(node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: agentName(node), Namespace: agentNamespace, Labels: map[string]string{"k8s-app": "calico-node"}},
		Spec: corev1.PodSpec{
			NodeName: node, HostNetwork: true,
			Containers: []corev1.Container{{Name: "calico-node", Image: "calico/node:" + calicoVersion}},
		},
	}
}

func agentName(node string) string { return "calico-node-" + node }

// workloadPod is a pod of the pod network.
func workloadPod(node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "workload-" + node, Namespace: corev1.NamespaceDefault, Labels: map[string]string{"app": "workload"}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "workload", Image: "workload:1"}}},
	}
}

// affinityObject says that a node owns a block. Unstructured, because "deleted" is
// a string in one group and a boolean in the other.
func affinityObject(group schema.GroupVersion, node string, family birdconf.Family, block netip.Prefix) *unstructured.Unstructured {
	var deleted any = false
	if group == calico.GroupV1 {
		deleted = "false"
	}
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"node": node, "state": "confirmed", "cidr": block.String(), "deleted": deleted, "type": "host",
	}}}
	object.SetGroupVersionKind(group.WithKind("BlockAffinity"))
	object.SetName(fmt.Sprintf("%s-v%d", node, family))
	return object
}

func clusterInformation(group schema.GroupVersion) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"datastoreReady": true, "calicoVersion": calicoVersion,
	}}}
	object.SetGroupVersionKind(group.WithKind("ClusterInformation"))
	object.SetName("default")
	return object
}

func namespaceObject(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}
