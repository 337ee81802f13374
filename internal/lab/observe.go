package lab

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/fabric"
)

// beat is how often the lab looks what is to do. Virtual time is exact whatever
// this is; what it delays is the reaction to a change of the API.
const beat = 20 * time.Millisecond

// observe starts one watch a kind, shared by all nodes, and the loop.
func (c *Cluster) observe(ctx context.Context) error {
	for _, kind := range []client.Object{
		&corev1.Node{}, &calico.BGPPeer{}, &calico.BGPConfiguration{}, &calico.BGPFilter{}, &calico.CalicoNodeStatus{},
	} {
		informer, err := c.cache.GetInformer(ctx, kind)
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { c.dirty.Store(true) },
			UpdateFunc: func(any, any) { c.dirty.Store(true) },
			DeleteFunc: func(any) { c.dirty.Store(true) },
		})
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	c.done.Go(func() { _ = c.cache.Start(ctx) })
	if !c.cache.WaitForCacheSync(ctx) {
		return context.Cause(ctx)
	}
	c.done.Go(func() { c.loop(ctx) })
	return nil
}

func (c *Cluster) loop(ctx context.Context) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			c.step(ctx, now)
		}
	}
}

func (c *Cluster) step(ctx context.Context, now time.Time) {
	changed := c.dirty.Swap(false)
	var resources fabric.Resources
	var statuses []calico.CalicoNodeStatus
	if changed {
		var err error
		if resources, statuses, err = c.read(ctx); err != nil {
			c.dirty.Store(true)
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if changed {
		c.meetMachines(now, resources.Nodes)
		resources.WithoutCommunities = c.withoutCommunities()
		c.fabric.Set(now, resources)
		c.meetReports(now, statuses)
	}
	c.fabric.Advance(now)
	c.runKubelets(ctx, now)
	c.runReports(ctx, now)
}

// read takes everything from the watches' caches. Nothing of it may be changed.
func (c *Cluster) read(ctx context.Context) (fabric.Resources, []calico.CalicoNodeStatus, error) {
	var (
		nodes          corev1.NodeList
		peers          calico.BGPPeerList
		configurations calico.BGPConfigurationList
		filters        calico.BGPFilterList
		statuses       calico.CalicoNodeStatusList
		out            fabric.Resources
	)
	for _, list := range []client.ObjectList{&nodes, &peers, &configurations, &filters, &statuses} {
		if err := c.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return out, nil, err
		}
	}
	for i := range nodes.Items {
		out.Nodes = append(out.Nodes, inventory.FromKubernetes(&nodes.Items[i]))
	}
	out.Peers, out.Configurations, out.Filters = peers.Items, configurations.Items, filters.Items
	return out, statuses.Items, nil
}
