package standin

import (
	"context"
	"fmt"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// API is how the stand-ins talk to the API server.
type API struct {
	// Client reads and writes straight at the API server.
	Client client.Client
	// Cache has what Watch watches.
	Cache cache.Cache
	// Subresource: CalicoNodeStatus has a status subresource here.
	Subresource bool
}

// Connect makes the clients for an API server that serves Calico's kinds in a
// group. agent is what the stand-ins call themselves; nobody slows them down.
func Connect(config *rest.Config, group schema.GroupVersion, agent string) (*API, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, v1alpha1.AddToScheme,
		func(s *runtime.Scheme) error { return calico.AddToScheme(s, group) },
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	config = rest.CopyConfig(config)
	config.QPS, config.UserAgent = -1, agent
	a := &API{}
	var err error
	if a.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	if a.Cache, err = cache.New(config, cache.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	a.Subresource, err = hasStatusSubresource(config, group)
	return a, err
}

// Watch starts one watch a kind, which sets dirty with every change, and returns
// when all have been read. What goes on until ctx ends is given to start, which runs
// it in the background.
func (a *API) Watch(ctx context.Context, dirty *atomic.Bool, start func(func()), kinds ...client.Object) error {
	for _, kind := range kinds {
		informer, err := a.Cache.GetInformer(ctx, kind)
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { dirty.Store(true) },
			UpdateFunc: func(any, any) { dirty.Store(true) },
			DeleteFunc: func(any) { dirty.Store(true) },
		})
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	start(func() { _ = a.Cache.Start(ctx) }) // ends with ctx
	if !a.Cache.WaitForCacheSync(ctx) {
		return context.Cause(ctx)
	}
	return nil
}

// hasStatusSubresource asks whether CalicoNodeStatus has one: in group
// crd.projectcalico.org it has had one since Calico v3.33 only.
func hasStatusSubresource(config *rest.Config, group schema.GroupVersion) (bool, error) {
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return false, err
	}
	list, err := found.ServerResourcesForGroupVersion(group.String())
	if err != nil && !apierrors.IsNotFound(err) {
		return false, err
	}
	if list != nil {
		for i := range list.APIResources {
			if list.APIResources[i].Name == "caliconodestatuses/status" {
				return true, nil
			}
		}
	}
	return false, nil
}
