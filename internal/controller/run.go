package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

const (
	// lookInterval is how often discovery is asked whether Calico's group changed.
	lookInterval = 30 * time.Second
	// waitInterval is how often it is asked while nothing can be done.
	waitInterval = 5 * time.Second
	// restartDelay lies between a manager that failed and the next.
	restartDelay = 2 * time.Second
	// stopTimeout is how long a pass may take to finish when the process stops.
	stopTimeout = 20 * time.Second
)

// Options of Run.
type Options struct {
	Config *rest.Config
	Log    logr.Logger

	LeaderElect             bool
	LeaderElectionNamespace string
	// Nil: the defaults of controller-runtime (15, 10 and 2 s).
	LeaseDuration, RenewDeadline, RetryPeriod *time.Duration

	// Addresses to serve on; "" or "0": not at all.
	ProbeAddress, MetricsAddress string
	// MetricsInsecure serves metrics to everybody, and without TLS.
	MetricsInsecure bool
	// MetricsCertDir has tls.crt and tls.key for the metrics; "": one of its own making.
	MetricsCertDir string
	// LookInterval between two discoveries; 0: 30 s.
	LookInterval time.Duration
	// Decide is for tests; nil: rollout.Next.
	Decide func(rollout.Input) rollout.Output
}

func (o Options) decide(in rollout.Input) rollout.Output {
	if o.Decide != nil {
		return o.Decide(in)
	}
	return rollout.Next(in)
}

// Run runs the controller until the context ends. It outlives everything that can
// pass: an API server that is away, kinds that are not installed yet, an API group
// that changes. Each time it begins anew with an empty cache. The error is nil
// after a graceful stop.
func Run(ctx context.Context, o Options) error {
	if o.LookInterval == 0 {
		o.LookInterval = lookInterval
	}
	config := rest.CopyConfig(o.Config)
	if config.UserAgent == "" {
		config.UserAgent = controllerName
	}
	o.Config = config
	discoverer, err := NewDiscoverer(config)
	if err != nil {
		return err
	}
	probes := &probes{}
	if err := serve(ctx, o, probes); err != nil {
		return err
	}
	for ctx.Err() == nil {
		finding, err := waitForPolicyKind(ctx, discoverer, o.Log)
		if err != nil {
			break // the context has ended
		}
		err = runManager(ctx, o, discoverer, finding, probes)
		probes.setReady(false)
		if err != nil && ctx.Err() == nil {
			o.Log.Error(err, "controller stopped, starting again")
			sleep(ctx, restartDelay)
		}
	}
	o.Log.Info("stopped")
	return nil
}

// waitForPolicyKind returns what discovery finds once Tapetum's own kind is there.
func waitForPolicyKind(ctx context.Context, discoverer *Discoverer, log logr.Logger) (Finding, error) {
	said := ""
	for {
		finding, err := discoverer.Find(ctx)
		if err == nil && finding.Policy {
			return finding, nil
		}
		if ctx.Err() != nil {
			return Finding{}, ctx.Err()
		}
		message := fmt.Sprintf("the API server does not know RouteReflectorAutoscaler (%s): install Tapetum's CustomResourceDefinition", v1alpha1.GroupVersion)
		if err != nil {
			message = err.Error()
		}
		if message != said {
			log.Info("waiting for the API server", "reason", message)
			said = message
		}
		sleep(ctx, waitInterval)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// runManager runs one manager for what was found, until that changes (nil), the
// context ends (nil) or the manager fails.
func runManager(ctx context.Context, o Options, discoverer *Discoverer, finding Finding, probes *probes) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	scheme, err := newScheme(finding)
	if err != nil {
		return fmt.Errorf("types: %w", err)
	}
	options := managerOptions(o, finding, scheme, o.Log)
	stop := stopTimeout
	options.GracefulShutdownTimeout = &stop
	mgr, err := manager.New(o.Config, options)
	if err != nil {
		return fmt.Errorf("manager: %w", err)
	}
	kick := make(chan event.GenericEvent, 1)
	watch := newGroupWatch(discoverer, finding, o.LookInterval, o.Log)
	watch.change = cancel
	if finding.Frozen == "" {
		o.Log.Info("found Calico", "group", finding.Group.String(), "kinds", finding.Kinds)
		r, err := setUp(mgr, o, finding, kick, o.Log)
		if err != nil {
			return err
		}
		if err := setUpSource(ctx, mgr, finding.Sources, o.Log); err != nil {
			return err
		}
		r.Suspect = watch.nudge
		watch.freeze = func(reason string) {
			r.Freeze(reason)
			requestPass(kick)
		}
		frozenGauge.Set(0)
	} else {
		o.Log.Info("frozen", "reason", finding.Frozen)
		if err := setUpFrozen(mgr, finding, kick, o.Log); err != nil {
			return err
		}
		frozenGauge.Set(1)
	}
	go func() {
		if mgr.GetCache().WaitForCacheSync(ctx) {
			probes.setReady(true)
		}
	}()
	watched := make(chan struct{})
	go func() { defer close(watched); watch.run(ctx) }()
	err = mgr.Start(ctx)
	cancel()
	<-watched
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
}

func requestPass(kick chan<- event.GenericEvent) {
	select {
	case kick <- event.GenericEvent{Object: &v1alpha1.RouteReflectorAutoscaler{}}:
	default: // one is waiting already
	}
}
