package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/deploy"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/lab/birdconf"
	"tapetum.dev/tapetum/internal/lab/standin"
)

// cluster is the machines, the API server, and what stands between the two.
type cluster struct {
	options    Options
	lan        *lan
	plane      *controlplane.ControlPlane
	api        *standin.API
	client     client.Client // api's
	reports    *standin.Reports
	controller *controller

	end  context.CancelFunc
	done sync.WaitGroup

	dirty atomic.Bool // the API has changed since it was read

	mu      sync.Mutex // guards all below
	latest  *birdconf.Input
	roles   map[string]string // cluster IDs and tiers in the API
	changed map[string]int    // how often the role of a node has changed since the last forgetChanges
}

// startCluster boots all nodes and waits until their mesh is up.
func startCluster(ctx context.Context, o Options, progress func(string)) (*cluster, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c := &cluster{options: o, roles: map[string]string{}, changed: map[string]int{}}
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
		if err := c.boot(ctx, planOf(i, c.options.Zones, c.options.Families, i < c.options.Blockless)); err != nil {
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
	kubelets := c.newKubelets()
	c.done.Go(func() { standin.Every(ctx, beat, func(now time.Time) { c.step(ctx, now) }) })
	c.done.Go(func() { standin.Every(ctx, time.Second, func(now time.Time) { c.runKubelets(ctx, kubelets, now) }) })
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
	return standin.AdmitController(ctx, c.plane, c.controllerKubeconfig())
}

func (c *cluster) controllerKubeconfig() string {
	return filepath.Join(c.options.Dir, "controller.kubeconfig")
}

func (c *cluster) connect(ctx context.Context) error {
	var err error
	if c.api, err = standin.Connect(c.plane.Config(), c.options.Group, "tapetum-e2e"); err != nil {
		return err
	}
	c.client = c.api.Client
	c.reports = &standin.Reports{API: c.api, Awake: c.awake, Answer: c.sessions, Start: c.done.Go}
	return c.createAll(ctx, namespaceObject(agentNamespace), standin.ClusterInformation(c.options.Group, calicoVersion))
}

// boot starts a machine and registers it as kubelet and calico-node do.
func (c *cluster) boot(ctx context.Context, p plan) error {
	if err := c.lan.add(p); err != nil {
		return err
	}
	objects := []client.Object{nodeObject(&p), leaseObject(p.name), agentPod(p.name)}
	if len(p.blocks) > 0 {
		objects = append(objects, standin.Workload(p.name))
	}
	for family, block := range p.blocks {
		objects = append(objects, standin.BlockAffinity(c.options.Group, fmt.Sprintf("%s-v%d", p.name, family), p.name, block.String()))
	}
	if err := c.createAll(ctx, objects...); err != nil {
		return err
	}
	return c.reportAgent(ctx, p.name, true, time.Now())
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
