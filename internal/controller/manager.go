package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/seed"
)

const (
	controllerName = "tapetum"
	// leaseName is the name of the lease by which replicas choose one of them.
	leaseName = "tapetum-controller"
	// syncTimeout is how long caches may take to fill before all starts anew.
	syncTimeout = 2 * time.Minute
	// After an error a pass is tried again after firstRetry, then twice as long
	// each time, up to lastRetry.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 15 * time.Second
)

// newScheme knows Tapetum's kind, Kubernetes' own, and Calico's in one group.
func newScheme(finding Finding) (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if finding.Frozen != "" {
		return scheme, nil
	}
	return scheme, calico.AddToScheme(scheme, finding.Group)
}

func managerOptions(o Options, finding Finding, scheme *runtime.Scheme, log logr.Logger) manager.Options {
	objects := map[client.Object]cache.ByObject{
		// Nodes are many, reports are large, and both are read as a whole at each
		// pass: not copied then, and nobody may change them.
		&corev1.Node{}: {Transform: trimNode, UnsafeDisableDeepCopy: ptr.To(true)},
		&corev1.Pod{}:  agentPods(),
		// Asked for by name: the right to list and watch goes no further.
		&v1alpha1.RouteReflectorAutoscaler{}: {Field: named(v1alpha1.SingletonName)},
	}
	if finding.Frozen == "" && finding.Kinds.Information {
		objects[&calico.ClusterInformation{}] = cache.ByObject{Field: named(clusterInformation)}
	}
	for _, group := range finding.Sources.groups() {
		objects[newSourceObject(group)] = cache.ByObject{Field: named(seed.Name)}
	}
	if finding.Frozen == "" && finding.Kinds.Statuses {
		objects[&calico.CalicoNodeStatus{}] = cache.ByObject{Transform: trimStatus, UnsafeDisableDeepCopy: ptr.To(true)}
	}
	return manager.Options{
		Scheme: scheme,
		Logger: log.V(1), // its comings and goings are for debugging
		Cache: cache.Options{
			ByObject:                    objects,
			DefaultTransform:            trimMetadata,
			ReaderFailOnMissingInformer: true,
		},
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       o.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 o.LeaseDuration,
		RenewDeadline:                 o.RenewDeadline,
		RetryPeriod:                   o.RetryPeriod,
		Metrics:                       server.Options{BindAddress: "0"}, // see serve.go
		Controller: config.Controller{
			CacheSyncTimeout:        syncTimeout,
			MaxConcurrentReconciles: 1,
			SkipNameValidation:      ptr.To(true), // managers follow one another
			EnableWarmup:            ptr.To(true), // a standby has its caches filled
			RecoverPanic:            ptr.To(true),
		},
	}
}

// named selects the one object of that name.
func named(name string) fields.Selector {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, name)
}

// toPolicy asks for a pass, whatever has changed.
func toPolicy() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{policyRequest()}
	})
}

func policyRequest() reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: v1alpha1.SingletonName}}
}

func newReconciler(mgr manager.Manager, o Options, finding Finding, tagFilter *tagFilter, log logr.Logger) *Reconciler {
	return &Reconciler{
		Cached:       mgr.GetCache(),
		Live:         mgr.GetAPIReader(),
		Writer:       mgr.GetClient(),
		Recorder:     mgr.GetEventRecorder(controllerName),
		Log:          log,
		Decide:       o.decide,
		Now:          time.Now,
		Kinds:        finding.Kinds,
		PackMetadata: finding.Group == calico.GroupV1,
		Homes:        flowcontrol.NewTokenBucketRateLimiter(homesPerSecond, 1),
		TagFilter:    tagFilter,
	}
}

// setUp adds the reconciler to a manager. A value on kick asks for a pass.
func setUp(mgr manager.Manager, o Options, finding Finding, kick chan event.GenericEvent, log logr.Logger) (*Reconciler, error) {
	tagFilter, err := newTagFilter(mgr, o, finding, func() { requestPass(kick) }, log)
	if err != nil {
		return nil, err
	}
	r := newReconciler(mgr, o, finding, tagFilter, log)
	var agents *agentWatch
	if tagFilter != nil {
		agents = tagFilter.agents
	}
	r.Vitals = newVitalWatch(mgr.GetCache(), mgr.GetAPIReader(), agents, time.Now, func() { requestPass(kick) }, log)
	if err := mgr.Add(r.Vitals); err != nil {
		return nil, fmt.Errorf("read the Leases of nodes: %w", err)
	}
	b := builder.ControllerManagedBy(mgr).
		Named(controllerName).
		For(&v1alpha1.RouteReflectorAutoscaler{}, builder.WithPredicates(policyChanged())).
		WatchesRawSource(source.Channel(kick, toPolicy())).
		WithOptions(controller.Options{
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		WithLogConstructor(func(*reconcile.Request) logr.Logger { return log.V(1) })
	for _, object := range watched(finding.Kinds) {
		b = b.Watches(object, toPolicy(), builder.WithPredicates(changed()))
	}
	if err := b.Complete(r); err != nil {
		return nil, fmt.Errorf("set up the controller: %w", err)
	}
	return r, nil
}

func watched(kinds Kinds) []client.Object {
	objects := []client.Object{&corev1.Node{}, &calico.BGPPeer{}, &calico.BGPConfiguration{}}
	if kinds.Filters {
		objects = append(objects, &calico.BGPFilter{})
	}
	if kinds.Statuses {
		objects = append(objects, &calico.CalicoNodeStatus{})
	}
	if kinds.Information {
		objects = append(objects, &calico.ClusterInformation{})
	}
	return objects
}
