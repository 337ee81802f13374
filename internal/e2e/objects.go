package e2e

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/birdconf"
	"tapetum.dev/tapetum/internal/lab/standin"
)

const (
	zoneLabel = "topology.kubernetes.io/zone"
	// agentNamespace is where calico-node's pods are.
	agentNamespace = "calico-system"
	agentContainer = "calico-node"
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
			NodeInfo:   standin.NodeInfo("v1.37.2"),
			Conditions: []corev1.NodeCondition{standin.ReadyCondition(true)},
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
			Containers: []corev1.Container{{Name: agentContainer, Image: "calico/node:" + calicoVersion}},
		},
	}
}

func agentName(node string) string { return "calico-node-" + node }

func namespaceObject(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}
