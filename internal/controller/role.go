package controller

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/rollout"
)

// writeRole gives a node its role, or takes all of it away, in one server-side
// apply: labels and cluster ID must change together.
//
// Whose a value is, is decided on the node as it stands, and the apply carries
// that version of it, so that nothing can change in between. The rules:
//
//   - Labels under v1alpha1.NodeKeyPrefix are Tapetum's alone. If somebody has
//     changed one, it is put back by force (rollout counts, and stops if they
//     keep doing it).
//   - A cluster ID is Tapetum's if Tapetum's field manager owns it or the node
//     carries Tapetum's reflector label. Any other is somebody's own reflector,
//     and refused.
//   - Taking a role away is an apply of nothing, which removes what only Tapetum
//     owns. A key that somebody else has come to own as well, by writing it by
//     hand, would stay; then one merge patch removes the keys by name.
//
// The UID keeps an apply from creating a node that has gone in the meantime.
func (r *Reconciler) writeRole(ctx context.Context, role *rollout.NodeRole) (pending, error) {
	node := &corev1.Node{}
	if err := r.Live.Get(ctx, client.ObjectKey{Name: role.Node}, node); err != nil {
		return pending{}, err
	}
	if string(node.UID) != role.UID {
		return pending{}, fmt.Errorf("%w: it has been replaced by another of the same name", errStep)
	}
	id, hasID := node.Annotations[v1alpha1.ClusterIDAnnotation]
	if hasID && id != role.ClusterID && !clusterIDIsOurs(node) {
		return pending{}, fmt.Errorf("%w: cluster ID %q was set on node %s by other means than Tapetum", errForeign, id, role.Node)
	}
	body, kind, err := roleBody(node, role)
	if err != nil {
		return pending{}, err
	}
	options := []client.PatchOption{client.FieldOwner(v1alpha1.FieldManager)}
	if kind == types.ApplyPatchType {
		options = append(options, client.ForceOwnership)
	}
	after := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: role.Node}}
	err = r.Writer.Patch(ctx, after, client.RawPatch(kind, body), options...)
	return written(after, err), err
}

func roleBody(node *corev1.Node, role *rollout.NodeRole) ([]byte, types.PatchType, error) {
	metadata := map[string]any{
		"name":            node.Name,
		"uid":             string(node.UID),
		"resourceVersion": node.ResourceVersion,
	}
	kind := types.ApplyPatchType
	body := map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": metadata}
	switch {
	case len(role.Labels) > 0 || role.ClusterID != "":
		metadata["labels"] = role.Labels
		if role.ClusterID != "" {
			metadata["annotations"] = map[string]string{v1alpha1.ClusterIDAnnotation: role.ClusterID}
		}
	case sharedKeys(node):
		kind = types.MergePatchType
		metadata["labels"], metadata["annotations"] = removals(node)
		delete(body, "apiVersion")
		delete(body, "kind")
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, kind, fmt.Errorf("role of node %s: %w", node.Name, err)
	}
	return raw, kind, nil
}

// removals are the patches that remove every key of the role.
func removals(node *corev1.Node) (labels, annotations map[string]any) {
	labels, annotations = map[string]any{}, map[string]any{}
	for key := range node.Labels {
		if render.IsRoleLabel(key) {
			labels[key] = nil
		}
	}
	if _, ok := node.Annotations[v1alpha1.ClusterIDAnnotation]; ok {
		annotations[v1alpha1.ClusterIDAnnotation] = nil
	}
	return labels, annotations
}

// clusterIDIsOurs: Tapetum wrote the cluster ID of the node, or wrote one that
// somebody has changed since.
func clusterIDIsOurs(node *corev1.Node) bool {
	if _, ok := node.Labels[v1alpha1.ReflectorLabel]; ok {
		return true
	}
	ours, _ := owners(node, "f:annotations", v1alpha1.ClusterIDAnnotation)
	return ours
}

// sharedKeys tells whether an apply of nothing would leave a key of the role.
func sharedKeys(node *corev1.Node) bool {
	stays := func(section, key string) bool {
		ours, others := owners(node, section, key)
		return others || !ours
	}
	for key := range node.Labels {
		if render.IsRoleLabel(key) && stays("f:labels", key) {
			return true
		}
	}
	_, hasID := node.Annotations[v1alpha1.ClusterIDAnnotation]
	return hasID && stays("f:annotations", v1alpha1.ClusterIDAnnotation)
}

// owners tells whether Tapetum's apply owns a key of the metadata, and whether
// somebody else does.
func owners(node *corev1.Node, section, key string) (ours, others bool) {
	for _, entry := range node.ManagedFields {
		if entry.FieldsV1 == nil {
			continue
		}
		var fields map[string]map[string]map[string]json.RawMessage
		if json.Unmarshal([]byte(entry.FieldsV1.String()), &fields) != nil {
			others = true // of unknown shape: assume the worst
			continue
		}
		if _, owns := fields["f:metadata"][section]["f:"+key]; !owns {
			continue
		}
		if entry.Manager == v1alpha1.FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply {
			ours = true
		} else {
			others = true
		}
	}
	return ours, others
}
