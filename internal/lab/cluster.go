package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/deploy"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/lab/fabric"
	"tapetum.dev/tapetum/internal/lab/standin"
)

// writers is how many writes the lab has under way at once when it sets nodes up
// or takes them down.
const writers = 12

// Cluster is a running lab.
type Cluster struct {
	options Options
	plane   *controlplane.ControlPlane
	api     *standin.API
	client  client.Client // api's
	reports *standin.Reports
	audit   *auditLog

	end  context.CancelFunc
	done sync.WaitGroup

	dirty atomic.Bool // the API has changed since the fabric saw it

	mu       sync.Mutex // guards all below
	fabric   *fabric.Fabric
	roles    roles
	machines map[string]*machine
	next     int // index of the next node to add
	version  string
	versions map[string]string // by node, where it is not version
}

// Start runs a lab until Stop, or until ctx ends. It returns when all nodes are
// registered; their sessions take a few seconds more.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c := &Cluster{
		options: o, fabric: fabric.New(o.Seed, o.Timing),
		machines: map[string]*machine{},
		version:  o.CalicoVersion, versions: map[string]string{},
	}
	var life context.Context
	life, c.end = context.WithCancel(ctx)
	if err := c.start(life); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	var err error
	if c.audit, err = newAuditLog(c.options.Dir); err != nil {
		return err
	}
	c.options.Progress("starting etcd and kube-apiserver")
	c.plane, err = controlplane.Start(ctx, controlplane.Options{
		Assets: c.options.Assets, Dir: filepath.Join(c.options.Dir, "control-plane"), Log: c.options.Log,
		APIServerArgs: c.audit.flags(),
	})
	if err != nil {
		return err
	}
	c.options.Progress("installing the definitions of Calico and Tapetum")
	if err := c.install(ctx); err != nil {
		return err
	}
	if err := c.connect(ctx); err != nil {
		return err
	}
	c.options.Progress(fmt.Sprintf("registering %d nodes in %d zones", c.options.Nodes, c.options.Zones))
	if _, err := c.Add(ctx, c.options.Nodes); err != nil {
		return err
	}
	return standin.AdmitController(ctx, c.plane, c.ControllerKubeconfig())
}

func (c *Cluster) install(ctx context.Context) error {
	if err := c.installCalico(ctx, c.options.CalicoVersion); err != nil {
		return err
	}
	return c.plane.InstallCRDs(ctx, deploy.CRD())
}

// connect makes the clients and starts what runs all the time.
func (c *Cluster) connect(ctx context.Context) error {
	var err error
	if c.api, err = standin.Connect(c.plane.Config(), c.options.Group, "tapetum-lab"); err != nil {
		return err
	}
	c.client = c.api.Client
	c.reports = &standin.Reports{API: c.api, Awake: c.awake, Answer: c.sessions, Start: c.done.Go}
	if err := c.client.Create(ctx, standin.ClusterInformation(c.options.Group, c.options.CalicoVersion)); err != nil {
		return fmt.Errorf("create ClusterInformation: %w", err)
	}
	return c.observe(ctx)
}

// Stop ends the lab and everything it started.
func (c *Cluster) Stop() error {
	c.end()
	c.done.Wait()
	if c.plane == nil {
		return nil
	}
	return c.plane.Stop()
}

// Client reads and writes straight at the API server, with all rights.
func (c *Cluster) Client() client.Client { return c.client }

// Config returns the configuration of an administrator.
func (c *Cluster) Config() *rest.Config { return c.plane.Config() }

// Kubeconfig is the path of an administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.plane.Kubeconfig() }

// Add registers n more nodes, spread over the zones, and returns their names.
func (c *Cluster) Add(ctx context.Context, n int) ([]string, error) {
	if n < 1 {
		return nil, fmt.Errorf("add at least one node, not %d", n)
	}
	c.mu.Lock()
	first := c.next
	if first+n > maxNodes {
		c.mu.Unlock()
		return nil, fmt.Errorf("%d more nodes: the lab has room for %d", n, maxNodes-first)
	}
	c.next += n
	c.mu.Unlock()
	names := make([]string, n)
	for i := range n {
		names[i] = c.planOf(first + i).name
	}
	return names, each(ctx, n, func(ctx context.Context, i int) error { return c.register(ctx, c.planOf(first+i)) })
}

func (c *Cluster) register(ctx context.Context, p plan) error {
	if err := c.client.Create(ctx, c.node(p)); err != nil {
		return fmt.Errorf("register node %s: %w", p.name, err)
	}
	c.mu.Lock()
	version := c.version
	delete(c.versions, p.name) // of a node that had the name before
	c.mu.Unlock()
	if err := c.client.Create(ctx, agent(p.name, version)); err != nil {
		return fmt.Errorf("calico-node on %s: %w", p.name, err)
	}
	if p.controlPlane {
		return nil // runs no pods of the pod network, owns no address block
	}
	if err := c.client.Create(ctx, c.affinity(p)); err != nil {
		return fmt.Errorf("address block of node %s: %w", p.name, err)
	}
	if err := c.client.Create(ctx, standin.Workload(p.name)); err != nil {
		return fmt.Errorf("pod on node %s: %w", p.name, err)
	}
	return nil
}

// Delete takes nodes away, machine and all.
func (c *Cluster) Delete(ctx context.Context, names ...string) error {
	if err := c.known(names); err != nil {
		return err
	}
	return each(ctx, len(names), func(ctx context.Context, i int) error {
		node := &corev1.Node{}
		node.Name = names[i]
		if err := c.client.Delete(ctx, node); err != nil {
			return fmt.Errorf("delete node %s: %w", names[i], err)
		}
		affinity := c.affinity(plan{name: names[i]})
		return errors.Join(
			client.IgnoreNotFound(c.client.Delete(ctx, affinity)),
			c.deletePod(ctx, standin.Workload(names[i])), c.deletePod(ctx, agent(names[i], "")))
	})
}

// each runs n jobs, some at once, and returns the first error.
func each(ctx context.Context, n int, job func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	queue := make(chan int)
	for range min(writers, n) {
		wait.Go(func() {
			for i := range queue {
				if err := job(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case queue <- i:
		case <-ctx.Done():
		}
	}
	close(queue)
	wait.Wait()
	return context.Cause(ctx)
}
