package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
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
//   - An annotation against autoscalers that somebody else has given another value
//     is theirs: it is left out, and said so. With the same value it is shared, and
//     stays theirs when the role goes.
//   - What the role does not have goes. An apply removes what only Tapetum's apply
//     owns. A key that somebody else has come to own as well, by writing it by
//     hand, would stay; then one merge patch does it all, and removes by name.
//
// The UID keeps an apply from creating a node that has gone in the meantime.
func (r *Reconciler) writeRole(ctx context.Context, policy *v1alpha1.RouteReflectorAutoscaler, role *rollout.NodeRole) (pending, error) {
	node := &corev1.Node{}
	if err := r.Live.Get(ctx, client.ObjectKey{Name: role.Node}, node); err != nil {
		return pending{}, err
	}
	if string(node.UID) != role.UID {
		return pending{}, fmt.Errorf("%w: it has been replaced by another of the same name", errStep)
	}
	keys := keysOf(node, role)
	if keys.foreignID != "" && keys.foreignID != role.ClusterID {
		return pending{}, fmt.Errorf("%w: cluster ID %q was set on node %s by other means than Tapetum", errForeign, keys.foreignID, role.Node)
	}
	write, after, err := r.patchNode(ctx, node, role, keys)
	if len(keys.leftOut) == 0 || err != nil {
		return write, err
	}
	what := fmt.Sprintf("node %s has another value, set by somebody else, for %s", node.Name, strings.Join(keys.leftOut, " and "))
	if after.ResourceVersion == node.ResourceVersion {
		return write, fmt.Errorf("%w: %s", errForeign, what) // there was nothing else to write
	}
	r.Log.Info("protection left out", "node", node.Name, "annotations", keys.leftOut)
	r.event(policy, corev1.EventTypeWarning, "ProtectionLeftOut", "Report", what+"; it is left as it is")
	return write, nil
}

// patchNode writes what keysOf has found out.
func (r *Reconciler) patchNode(ctx context.Context, node *corev1.Node, role *rollout.NodeRole, keys nodeKeys) (pending, *corev1.Node, error) {
	body, kind, err := roleBody(node, role, keys)
	if err != nil {
		return pending{}, nil, err
	}
	options := []client.PatchOption{client.FieldOwner(v1alpha1.FieldManager)}
	if kind == types.ApplyPatchType {
		options = append(options, client.ForceOwnership)
	}
	after := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: role.Node}}
	err = r.Writer.Patch(ctx, after, client.RawPatch(kind, body), options...)
	return written(after, err), after, err
}

func roleBody(node *corev1.Node, role *rollout.NodeRole, keys nodeKeys) ([]byte, types.PatchType, error) {
	metadata := map[string]any{
		"name":            node.Name,
		"uid":             string(node.UID),
		"resourceVersion": node.ResourceVersion,
	}
	kind := types.ApplyPatchType
	body := map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": metadata}
	labels, annotations := map[string]any{}, map[string]any{}
	for key, value := range role.Labels {
		labels[key] = value
	}
	for key, value := range keys.annotations {
		annotations[key] = value
	}
	if keys.sticky {
		kind = types.MergePatchType
		delete(body, "apiVersion")
		delete(body, "kind")
		for _, key := range keys.extraLabels {
			labels[key] = nil
		}
		for _, key := range keys.extraAnnotations {
			annotations[key] = nil
		}
	}
	if len(labels) > 0 {
		metadata["labels"] = labels
	}
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, kind, fmt.Errorf("role of node %s: %w", node.Name, err)
	}
	return raw, kind, nil
}
