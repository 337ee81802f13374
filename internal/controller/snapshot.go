package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
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

// readCalico fills in Calico's kinds, all of them few.
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
		var statuses calico.CalicoNodeStatusList
		if err := from.List(ctx, &statuses); err != nil {
			return fmt.Errorf("list CalicoNodeStatuses: %w", err)
		}
		in.Statuses = statuses.Items
		for i := range in.Statuses {
			forgetForeign(&in.Statuses[i])
		}
	}
	ready, err := datastoreReady(ctx, from, kinds)
	in.DatastoreReady = ready
	return err
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
