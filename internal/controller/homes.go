package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/rollout"
)

const (
	// homesPerSecond: each label of a client makes every node of the cluster work
	// out all its peerings anew (docs/design/rollout.md).
	homesPerSecond = 10
	// maxHomes bounds how long one pass writes homes and sees nothing else. The next
	// goes on from what it finds.
	maxHomes = 50
)

// errStale: what a step was decided on has changed since.
var errStale = errors.New("out of date")

// writeHomes writes the labels of clients, one after the other, and stops at the
// first error. Those that are written already count; the next pass goes on.
func (r *Reconciler) writeHomes(ctx context.Context, homes []rollout.NodeRole) error {
	for i := range homes[:min(maxHomes, len(homes))] {
		write, err := r.writeHome(ctx, &homes[i])
		if write.object != nil {
			countWrite("Node", err)
			if err == nil || !refused(err) {
				r.remember(write)
			}
		}
		if err != nil {
			return fmt.Errorf("node %s, after %d of %d: %w", homes[i].Node, i, len(homes), err)
		}
	}
	return nil
}

// writeHome writes the labels of one client, by the rules of writeRole; also those of
// a reflector, which has a home for the time after. A node that has them costs no
// write.
func (r *Reconciler) writeHome(ctx context.Context, home *rollout.NodeRole) (pending, error) {
	node := &corev1.Node{}
	if err := r.Live.Get(ctx, client.ObjectKey{Name: home.Node}, node); err != nil {
		return pending{}, err
	}
	if string(node.UID) != home.UID {
		return pending{}, fmt.Errorf("%w: it has been replaced by another of the same name", errStale)
	}
	keys := keysOf(node, home)
	if !sameRole(node, home, &keys) {
		return pending{}, fmt.Errorf("%w: its role has changed", errStale)
	}
	if keys.foreignID != "" {
		delete(keys.annotations, v1alpha1.ClusterIDAnnotation)
	}
	if len(keys.extraLabels) == 0 && len(keys.extraAnnotations) == 0 && hasAll(node.Labels, home.Labels) {
		return pending{}, nil
	}
	if r.Homes != nil {
		if err := r.Homes.Wait(ctx); err != nil {
			return pending{}, fmt.Errorf("wait for its turn: %w", err)
		}
	}
	write, _, err := r.patchNode(ctx, node, home, keys)
	return write, err
}

// sameRole: whether the node is a reflector, and which, is as it was when its home
// was decided on. A home changes no role.
func sameRole(node *corev1.Node, home *rollout.NodeRole, keys *nodeKeys) bool {
	if keys.foreignID == "" && node.Annotations[v1alpha1.ClusterIDAnnotation] != home.ClusterID {
		return false
	}
	role := func(labels map[string]string) map[string]string {
		out := maps.Clone(labels)
		maps.DeleteFunc(out, func(key, _ string) bool { return !render.IsRoleLabel(key) })
		return out
	}
	return maps.Equal(role(node.Labels), role(home.Labels))
}

func hasAll(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}
