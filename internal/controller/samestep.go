package controller

import (
	"reflect"

	"tapetum.dev/tapetum/internal/rollout"
)

// sameStep compares what would be written, not the words about it.
func sameStep(a, b *rollout.Step) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Action == b.Action && a.Object == b.Object &&
		reflect.DeepEqual(a.Role, b.Role) && reflect.DeepEqual(a.Homes, b.Homes) &&
		samePeer(a, b) && sameFilter(a, b) && sameNodeStatus(a, b) && sameMesh(a.Mesh, b.Mesh)
}

func samePeer(a, b *rollout.Step) bool {
	if a.Peer == nil || b.Peer == nil {
		return a.Peer == b.Peer
	}
	return a.Peer.Name == b.Peer.Name && reflect.DeepEqual(a.Peer.Spec, b.Peer.Spec)
}

func sameFilter(a, b *rollout.Step) bool {
	if a.Filter == nil || b.Filter == nil {
		return a.Filter == b.Filter
	}
	return a.Filter.Name == b.Filter.Name && reflect.DeepEqual(a.Filter.Spec, b.Filter.Spec)
}

func sameNodeStatus(a, b *rollout.Step) bool {
	if a.NodeStatus == nil || b.NodeStatus == nil {
		return a.NodeStatus == b.NodeStatus
	}
	return a.NodeStatus.Name == b.NodeStatus.Name && reflect.DeepEqual(a.NodeStatus.Spec, b.NodeStatus.Spec)
}

func sameMesh(a, b *rollout.MeshFields) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.ResourceVersion, y.ResourceVersion = "", ""
	return reflect.DeepEqual(x, y)
}
