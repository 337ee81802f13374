package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/deploy"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// cluster is the machines, the API server, and what stands between the two.
type cluster struct {
	options    Options
	lan        *lan
	plane      *controlplane.ControlPlane
	client     client.Client // straight to the API server
	cache      cache.Cache
	controller *controller

	end  context.CancelFunc
	done sync.WaitGroup

	dirty atomic.Bool // the API has changed since it was read

	mu      sync.Mutex // guards all below
	latest  *birdconf.Input
	ids     map[string]string // cluster IDs in the API
	changed map[string]bool   // nodes whose cluster ID has changed since the last forgetChanges
	reports map[string]*report
}

// startCluster boots all nodes and waits until their mesh is up.
func startCluster(ctx context.Context, o Options, progress func(string)) (*cluster, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c := &cluster{options: o, ids: map[string]string{}, changed: map[string]bool{}, reports: map[string]*report{}}
	var life context.Context
	life, c.end = context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, c.end)() // ends early what is being started; later, stop does
	if err := c.start(life, progress); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *cluster) start(ctx context.Context, progress func(string)) error {
	var err error
	if c.lan, err = newLAN(&c.options); err != nil {
		return err
	}
	progress("starting etcd and kube-apiserver")
	c.plane, err = controlplane.Start(ctx, controlplane.Options{Dir: filepath.Join(c.options.Dir, "control-plane"), Log: c.options.Log})
	if err != nil {
		return err
	}
	if err := c.install(ctx); err != nil {
		return err
	}
	if err := c.connect(ctx); err != nil {
		return err
	}
	progress(fmt.Sprintf("booting %d nodes", c.options.Nodes))
	for i := range c.options.Nodes {
		if err := c.boot(ctx, planOf(i, c.options.Zones, c.options.families(), i < c.options.Blockless)); err != nil {
			return err
		}
	}
	if err := c.observe(ctx); err != nil {
		return err
	}
	for _, m := range c.lan.all() {
		if err := m.begin(c.latest); err != nil {
			return err
		}
	}
	c.done.Go(func() { c.loop(ctx) })
	c.done.Go(func() { c.runKubelets(ctx) })
	progress("waiting for the node-to-node mesh")
	return c.await(ctx, meshTimeout, c.lan.calm)
}

// install makes the definitions of Calico and Tapetum, and the controller's
// account with its rights.
func (c *cluster) install(ctx context.Context) error {
	set, err := controlplane.OwnCalicoCRDs(c.options.Group.Group)
	if err != nil {
		return err
	}
	if err := c.plane.InstallCRDs(ctx, set.Files, deploy.CRD()); err != nil {
		return err
	}
	manifests, err := deploy.Rights()
	if err != nil {
		return err
	}
	for _, manifest := range manifests {
		objects, err := controlplane.DecodeObjects(manifest)
		if err != nil {
			return fmt.Errorf("rights of the controller: %w", err)
		}
		if err := controlplane.Apply(ctx, c.plane.Config(), objects); err != nil {
			return fmt.Errorf("rights of the controller: %w", err)
		}
	}
	config, err := c.plane.ServiceAccountConfig(ctx, deploy.Namespace, deploy.ServiceAccount)
	if err != nil {
		return err
	}
	return controlplane.WriteKubeconfig(c.controllerKubeconfig(), config)
}

func (c *cluster) controllerKubeconfig() string {
	return filepath.Join(c.options.Dir, "controller.kubeconfig")
}

func (c *cluster) connect(ctx context.Context) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, v1alpha1.AddToScheme,
		func(s *runtime.Scheme) error { return calico.AddToScheme(s, c.options.Group) },
	} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	config := rest.CopyConfig(c.plane.Config())
	config.QPS, config.UserAgent = -1, "tapetum-e2e"
	var err error
	if c.client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if c.cache, err = cache.New(config, cache.Options{Scheme: scheme}); err != nil {
		return err
	}
	return c.createAll(ctx, namespaceObject(agentNamespace), clusterInformation(c.options.Group))
}

// boot starts a machine and registers it as kubelet and calico-node do.
func (c *cluster) boot(ctx context.Context, p plan) error {
	if err := c.lan.add(p); err != nil {
		return err
	}
	objects := []client.Object{nodeObject(&p), leaseObject(p.name), agentPod(p.name)}
	if len(p.blocks) > 0 {
		objects = append(objects, workloadPod(p.name))
	}
	for family, block := range p.blocks {
		objects = append(objects, affinityObject(c.options.Group, p.name, family, block))
	}
	if err := c.createAll(ctx, objects...); err != nil {
		return err
	}
	return c.reportAgent(ctx, p.name, true)
}

func (c *cluster) createAll(ctx context.Context, objects ...client.Object) error {
	for _, object := range objects {
		if err := c.client.Create(ctx, object); err != nil {
			return fmt.Errorf("create %T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

// stop ends everything that was started.
func (c *cluster) stop() error {
	var errs []error
	if c.controller != nil {
		errs = append(errs, c.controller.stop())
	}
	c.end()
	c.done.Wait()
	if c.plane != nil {
		errs = append(errs, c.plane.Stop())
	}
	if c.lan != nil {
		errs = append(errs, c.lan.close())
	}
	return errors.Join(errs...)
}
