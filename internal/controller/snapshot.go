package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
)

// How many reports and nodes are read from the API server at once.
const (
	statusPage = 4
	nodePage   = 200
)

// clusterInformation is the name of Calico's only ClusterInformation.
const clusterInformation = "default"

// readPolicy returns the RouteReflectorAutoscaler, nil where there is none.
func readPolicy(ctx context.Context, from client.Reader) (*v1alpha1.RouteReflectorAutoscaler, error) {
	policy := &v1alpha1.RouteReflectorAutoscaler{}
	err := from.Get(ctx, client.ObjectKey{Name: v1alpha1.SingletonName}, policy)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read RouteReflectorAutoscaler %s: %w", v1alpha1.SingletonName, err)
	}
	return policy, nil
}

// readNodes returns all nodes. The values share their labels with the cache and
// must not be changed.
func readNodes(ctx context.Context, from client.Reader) ([]inventory.Node, error) {
	var list corev1.NodeList
	if err := from.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	nodes := make([]inventory.Node, 0, len(list.Items))
	for i := range list.Items {
		nodes = append(nodes, inventory.FromKubernetes(&list.Items[i]))
	}
	return nodes, nil
}

// freshNodes returns the nodes as far as a step needs them fresher than the cache
// has them. A step that changes a role or takes something away is proved on what
// the API server has now, page by page: the cache may not know yet of a node that
// still hangs on it, or of a role that a leader before this one has given. Nor may rest
// (no step) be concluded from an old view.
func (r *Reconciler) freshNodes(ctx context.Context, cached []inventory.Node, step *rollout.Step) ([]inventory.Node, error) {
	if step != nil && !step.Subtractive && step.Role == nil {
		return cached, nil
	}
	return pageNodes(ctx, r.Live, cached)
}

// pageNodes reads all nodes from the API server. Labels are most of what is kept of
// them; where they are as before, those of before are kept, not a second copy.
func pageNodes(ctx context.Context, from client.Reader, before []inventory.Node) ([]inventory.Node, error) {
	labels := make(map[string]map[string]string, len(before))
	for i := range before {
		labels[before[i].Name] = before[i].Labels
	}
	nodes := make([]inventory.Node, 0, len(before))
	next := ""
	for {
		var page corev1.NodeList
		if err := from.List(ctx, &page, client.Limit(nodePage), client.Continue(next)); err != nil {
			return nil, fmt.Errorf("list nodes: %w", err)
		}
		for i := range page.Items {
			node := inventory.FromKubernetes(&page.Items[i])
			if old := labels[node.Name]; maps.Equal(old, node.Labels) {
				node.Labels = old
			}
			nodes = append(nodes, node)
		}
		if next = page.Continue; next == "" {
			return nodes, nil
		}
	}
}

// readCalico fills in Calico's kinds, all of them few. Reports that in has already,
// in the same version, are kept.
func readCalico(ctx context.Context, from client.Reader, kinds Kinds, in *rollout.Input) error {
	var peers calico.BGPPeerList
	if err := from.List(ctx, &peers); err != nil {
		return fmt.Errorf("list BGPPeers: %w", err)
	}
	in.Peers = peers.Items

	var configurations calico.BGPConfigurationList
	if err := from.List(ctx, &configurations); err != nil {
		return fmt.Errorf("list BGPConfigurations: %w", err)
	}
	in.Configurations = configurations.Items

	if kinds.Filters {
		var filters calico.BGPFilterList
		if err := from.List(ctx, &filters); err != nil {
			return fmt.Errorf("list BGPFilters: %w", err)
		}
		in.Filters = filters.Items
	}
	if kinds.Statuses {
		statuses, err := readStatuses(ctx, from, in.Statuses)
		if err != nil {
			return err
		}
		in.Statuses = statuses
	}
	ready, err := datastoreReady(ctx, from, kinds)
	in.DatastoreReady = ready
	return err
}

// readStatuses returns all reports. In a large cluster one may have half a
// megabyte, so those that do not come from the cache are taken in a few at a time.
func readStatuses(ctx context.Context, from client.Reader, before []calico.CalicoNodeStatus) ([]calico.CalicoNodeStatus, error) {
	if _, cached := from.(cache.Cache); cached {
		var all calico.CalicoNodeStatusList
		if err := from.List(ctx, &all); err != nil {
			return nil, fmt.Errorf("list CalicoNodeStatuses: %w", err)
		}
		return all.Items, nil
	}
	var statuses []calico.CalicoNodeStatus
	next := ""
	for {
		var page calico.CalicoNodeStatusList
		if err := from.List(ctx, &page, client.Limit(statusPage), client.Continue(next)); err != nil {
			return nil, fmt.Errorf("list CalicoNodeStatuses: %w", err)
		}
		for i := range page.Items {
			status := &page.Items[i]
			same := func(b calico.CalicoNodeStatus) bool {
				return b.UID == status.UID && b.ResourceVersion == status.ResourceVersion
			}
			if j := slices.IndexFunc(before, same); j >= 0 {
				status = &before[j]
			} else {
				compact(status)
			}
			statuses = append(statuses, *status)
		}
		if next = page.Continue; next == "" {
			return statuses, nil
		}
	}
}

// datastoreReady is true where nobody says that it is not.
func datastoreReady(ctx context.Context, from client.Reader, kinds Kinds) (bool, error) {
	if !kinds.Information {
		return true, nil
	}
	var information calico.ClusterInformation
	err := from.Get(ctx, client.ObjectKey{Name: clusterInformation}, &information)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read ClusterInformation %s: %w", clusterInformation, err)
	}
	ready := information.Spec.DatastoreReady
	return ready == nil || *ready, nil
}
