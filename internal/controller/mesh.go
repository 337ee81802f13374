package controller

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

// writeMesh turns Calico's node-to-node mesh off or on, by one merge patch of the
// mesh fields alone. Off also unsets the password and the restart time, which the
// API does not allow without a mesh; on restores them. Where there is no
// BGPConfiguration of that name, off creates one with this field only; on leaves
// such a one behind without any field, which means the same as none.
func (r *Reconciler) writeMesh(ctx context.Context, off bool, mesh *rollout.MeshFields, current client.Object) (pending, error) {
	if current == nil {
		if !off {
			return pending{}, nil // no configuration: the mesh is on
		}
		created := &calico.BGPConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: calico.DefaultConfiguration},
			Spec:       calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: ptr.To(false)},
		}
		err := r.Writer.Create(ctx, created, client.FieldOwner(v1alpha1.FieldManager))
		return pending{object: created, version: created.GetResourceVersion()}, err
	}
	body, err := meshBody(off, mesh, current.GetResourceVersion())
	if err != nil {
		return pending{}, err
	}
	after := &calico.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: calico.DefaultConfiguration}}
	err = r.Writer.Patch(ctx, after, client.RawPatch(types.MergePatchType, body), client.FieldOwner(v1alpha1.FieldManager))
	return written(after, err), err
}

func meshBody(off bool, mesh *rollout.MeshFields, version string) ([]byte, error) {
	// Fields that are not there must be null: that is what removes them.
	spec := map[string]any{
		"nodeToNodeMeshEnabled":  false,
		"nodeMeshPassword":       nil,
		"nodeMeshMaxRestartTime": nil,
	}
	if !off {
		spec["nodeToNodeMeshEnabled"] = mesh.Enabled
		spec["nodeMeshPassword"] = mesh.Password
		spec["nodeMeshMaxRestartTime"] = mesh.MaxRestartTime
	}
	raw, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": version},
		"spec":     spec,
	})
	if err != nil {
		return nil, fmt.Errorf("mesh fields: %w", err)
	}
	return raw, nil
}
