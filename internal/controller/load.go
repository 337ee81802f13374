package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
)

// pageSize bounds what one answer of the API server holds in memory.
const pageSize = 500

// readLoad returns, for each node that is asked for, the number of running
// pod-network pods, and 0 for a node that owns no address block: nothing is
// interrupted when such a node becomes a reflector. A node is left out when its
// load cannot be read, for example for lack of permission: it is then simply not
// preferred.
func (r *Reconciler) readLoad(ctx context.Context, nodes []string) map[string]int {
	load := make(map[string]int, len(nodes))
	owners, err := blockOwners(ctx, r.Live)
	if err != nil {
		r.Log.Info("address blocks cannot be read, pods alone tell the load of nodes", "reason", err.Error())
	}
	for _, node := range nodes {
		if owners != nil && !owners[node] {
			load[node] = 0
			continue
		}
		pods, err := countPods(ctx, r.Live, node)
		if err != nil {
			r.Log.Info("load of a node cannot be read", "node", node, "reason", err.Error())
			continue
		}
		load[node] = pods
	}
	return load
}

// blockOwners returns the nodes that own at least one address block.
func blockOwners(ctx context.Context, from client.Reader) (map[string]bool, error) {
	owners := map[string]bool{}
	next := ""
	for {
		var page calico.BlockAffinityList
		if err := from.List(ctx, &page, client.Limit(pageSize), client.Continue(next)); err != nil {
			return nil, fmt.Errorf("list BlockAffinities: %w", err)
		}
		for i := range page.Items {
			owners[page.Items[i].Spec.Node] = true
		}
		if next = page.Continue; next == "" {
			return owners, nil
		}
	}
}

// countPods counts the pods of a node that have an address of the pod network.
func countPods(ctx context.Context, from client.Reader, node string) (int, error) {
	count, next := 0, ""
	for {
		var page corev1.PodList
		err := from.List(ctx, &page, client.Limit(pageSize), client.Continue(next),
			client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("spec.nodeName", node)})
		if err != nil {
			return 0, fmt.Errorf("list pods of node %s: %w", node, err)
		}
		for i := range page.Items {
			pod := &page.Items[i]
			finished := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
			if !finished && !pod.Spec.HostNetwork {
				count++
			}
		}
		if next = page.Continue; next == "" {
			return count, nil
		}
	}
}
