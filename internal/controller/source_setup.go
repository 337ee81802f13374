package controller

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/seed"
)

// sourceController is the name of the controller that follows a section.
const sourceController = controllerName + "-source"

// Sources tells in which of Calico's groups KubeControllersConfigurations are served.
type Sources struct{ V3, V1 bool }

func sourcesOf(resources map[schema.GroupVersion]*metav1.APIResourceList) Sources {
	const name = "kubecontrollersconfigurations"
	return Sources{V3: serves(resources[calico.GroupV3], name), V1: serves(resources[calico.GroupV1], name)}
}

// groups in the order in which they are looked into.
func (s Sources) groups() []schema.GroupVersion {
	var groups []schema.GroupVersion
	if s.V3 {
		groups = append(groups, calico.GroupV3)
	}
	if s.V1 {
		groups = append(groups, calico.GroupV1)
	}
	return groups
}

// setUpSource adds a sourceKeeper to a manager, where there is anything to follow.
func setUpSource(ctx context.Context, mgr manager.Manager, sources Sources, log logr.Logger) error {
	var groups []schema.GroupVersion
	for _, group := range sources.groups() {
		// Without the right to read them the cache would never be filled, and nothing
		// else would start.
		err := readable(ctx, mgr.GetAPIReader(), group)
		switch {
		case err == nil:
			groups = append(groups, group)
		case apierrors.IsForbidden(err) || apierrors.IsNotFound(err):
			log.Info("KubeControllersConfigurations cannot be read and are not followed", "group", group.String(), "reason", err.Error())
		default:
			return fmt.Errorf("read KubeControllersConfigurations (%s): %w", group, err)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	keeps, err := schemaKeeps(mgr.GetConfig())
	if err != nil {
		return err
	}
	k := &sourceKeeper{
		sourceReader: sourceReader{live: mgr.GetAPIReader(), groups: groups, keeps: keeps},
		cached:       mgr.GetCache(),
		writer:       mgr.GetClient(),
		recorder:     mgr.GetEventRecorder(controllerName),
		log:          log,
	}
	b := builder.ControllerManagedBy(mgr).
		Named(sourceController).
		Watches(&v1alpha1.RouteReflectorAutoscaler{}, toPolicy(), builder.WithPredicates(policyChanged())).
		WithOptions(controller.Options{
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		WithLogConstructor(func(*reconcile.Request) logr.Logger { return log.V(1) })
	for _, group := range groups {
		b = b.Watches(newSourceObject(group), toPolicy())
	}
	if err := b.Complete(k); err != nil {
		return fmt.Errorf("set up the controller of the source: %w", err)
	}
	return nil
}

// readable tells whether the kind may be listed.
func readable(ctx context.Context, from client.Reader, group schema.GroupVersion) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(group.WithKind(seed.Kind + "List"))
	return from.List(ctx, list, client.Limit(1), client.MatchingFieldsSelector{Selector: named(seed.Name)})
}
