package lab

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/standin"
)

const (
	zoneLabel = "topology.kubernetes.io/zone"
	// RackLabel is on every node of a lab with racks.
	RackLabel         = "topology.tapetum.lab/rack"
	controlPlaneLabel = "node-role.kubernetes.io/control-plane"
)

// plan says what the i-th node of a lab is, from 0.
type plan struct {
	index        int
	name, zone   string
	rack         string // "" in a lab without racks
	controlPlane bool
}

func (c *Cluster) planOf(index int) plan {
	p := plan{index: index, controlPlane: index < c.options.ControlPlanes}
	zone, zones, racks := index%c.options.Zones, c.options.Zones, c.options.Racks
	p.zone = "zone-" + string(rune('a'+zone))
	if racks > 0 {
		here := (racks - zone + zones - 1) / zones // racks of the zone
		p.rack = fmt.Sprintf("rack-%03d", zone+zones*(index/zones%here)+1)
	}
	if p.controlPlane {
		p.name = fmt.Sprintf("control-%d", index+1)
	} else {
		p.name = fmt.Sprintf("node-%03d", index+1-c.options.ControlPlanes)
	}
	return p
}

// node builds the Node object as kubelet registers it and calico-node annotates
// it.
func (c *Cluster) node(p plan) *corev1.Node {
	subnet, host := p.index/200, p.index%200+10
	annotations := map[string]string{inventory.AnnotationIPv4: fmt.Sprintf("10.20.%d.%d/24", subnet, host)}
	addresses := []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.20.%d.%d", subnet, host)}}
	if c.options.DualStack {
		v6 := fmt.Sprintf("fd20::%x:%x", subnet, host)
		annotations[inventory.AnnotationIPv6] = v6 + "/64"
		addresses = append(addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: v6})
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: p.name, Annotations: annotations,
			Labels: map[string]string{
				zoneLabel: p.zone, corev1.LabelHostname: p.name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
			},
		},
		Status: corev1.NodeStatus{
			Addresses:  append(addresses, corev1.NodeAddress{Type: corev1.NodeHostName, Address: p.name}),
			NodeInfo:   standin.NodeInfo("v1.37.2"),
			Conditions: []corev1.NodeCondition{standin.ReadyCondition(true)},
		},
	}
	if p.rack != "" {
		node.Labels[RackLabel] = p.rack
	}
	if p.controlPlane {
		node.Labels[controlPlaneLabel] = ""
		node.Spec.Taints = []corev1.Taint{{Key: controlPlaneLabel, Effect: corev1.TaintEffectNoSchedule}}
	}
	return node
}

// affinity builds the BlockAffinity of a worker's /26.
func (c *Cluster) affinity(p plan) *unstructured.Unstructured {
	block := p.index * 64
	third, fourth := block/256%256, block%256
	second := 64 + block/65536
	return standin.BlockAffinity(c.options.Group, p.name+"-block", p.name, fmt.Sprintf("10.%d.%d.%d/26", second, third, fourth))
}
