package controller

import (
	"encoding/json"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
)

// nodeKeys is what a role means for the keys that a node carries now.
type nodeKeys struct {
	// annotations to have: the cluster ID and the protection that may be written.
	annotations map[string]string
	// leftOut are annotations of the role that are somebody else's, sorted.
	leftOut []string
	// extraLabels and extraAnnotations are on the node and Tapetum's, and not in the
	// role, sorted.
	extraLabels, extraAnnotations []string
	// sticky: an apply would leave one of these.
	sticky bool
	// foreignID is a cluster ID that is not Tapetum's; "" for none.
	foreignID string
}

func keysOf(node *corev1.Node, role *rollout.NodeRole) nodeKeys {
	keys := nodeKeys{annotations: map[string]string{}}
	for _, key := range slices.Sorted(maps.Keys(node.Labels)) {
		if _, wanted := role.Labels[key]; render.IsNodeLabel(key) && !wanted {
			keys.extraLabels = append(keys.extraLabels, key)
			keys.sticky = keys.sticky || ownersOf(node, "f:labels", key).stays()
		}
	}
	keys.clusterID(node, role)
	for _, key := range inventory.ProtectionKeys {
		keys.protection(node, role, key)
	}
	return keys
}

// clusterID sorts the cluster ID annotation in.
func (k *nodeKeys) clusterID(node *corev1.Node, role *rollout.NodeRole) {
	id, set := node.Annotations[v1alpha1.ClusterIDAnnotation]
	of := ownersOf(node, "f:annotations", v1alpha1.ClusterIDAnnotation)
	_, reflector := node.Labels[v1alpha1.ReflectorLabel]
	switch {
	case set && !reflector && !of.apply && !of.update && id != role.LeftID:
		// Tapetum neither wrote it, nor one that somebody has changed since.
		k.foreignID = id
	case set && role.ClusterID == "":
		k.extraAnnotations = append(k.extraAnnotations, v1alpha1.ClusterIDAnnotation)
		k.sticky = k.sticky || of.stays()
	}
	if role.ClusterID != "" {
		k.annotations[v1alpha1.ClusterIDAnnotation] = role.ClusterID
	}
}

// protection sorts an annotation against autoscalers in.
func (k *nodeKeys) protection(node *corev1.Node, role *rollout.NodeRole, key string) {
	value, wanted := role.Annotations[key]
	stands, set := node.Annotations[key]
	of := ownersOf(node, "f:annotations", key)
	switch {
	case wanted && set && stands != value && !of.apply && !of.update:
		k.leftOut = append(k.leftOut, key)
	case wanted:
		k.annotations[key] = value
	case set && !of.others && (of.apply || of.update):
		k.extraAnnotations = append(k.extraAnnotations, key)
		k.sticky = k.sticky || of.update
	}
}

// ownership tells who owns a key of a node's metadata.
type ownership struct {
	// apply, update: Tapetum, by server-side apply, or by another write.
	apply, update bool
	// others: somebody else.
	others bool
}

// stays: an apply without the key would leave it.
func (o ownership) stays() bool { return o.others || o.update || !o.apply }

func ownersOf(node *corev1.Node, section, key string) ownership {
	var of ownership
	for _, entry := range node.ManagedFields {
		if entry.FieldsV1 == nil {
			continue
		}
		var fields map[string]map[string]map[string]json.RawMessage
		if json.Unmarshal([]byte(entry.FieldsV1.String()), &fields) != nil {
			of.others = true // of unknown shape: assume the worst
			continue
		}
		if _, owns := fields["f:metadata"][section]["f:"+key]; !owns {
			continue
		}
		switch {
		case entry.Manager != v1alpha1.FieldManager:
			of.others = true
		case entry.Operation == metav1.ManagedFieldsOperationApply:
			of.apply = true
		default:
			of.update = true
		}
	}
	return of
}
