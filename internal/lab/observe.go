package lab

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/fabric"
	"tapetum.dev/tapetum/internal/lab/standin"
)

// beat is how often the lab looks what is to do. Virtual time is exact whatever
// this is; what it delays is the reaction to a change of the API.
const beat = 20 * time.Millisecond

// observe starts one watch a kind, shared by all nodes, and the loop.
func (c *Cluster) observe(ctx context.Context) error {
	err := c.api.Watch(ctx, &c.dirty, c.done.Go,
		&corev1.Node{}, &calico.BGPPeer{}, &calico.BGPConfiguration{}, &calico.BGPFilter{}, &calico.CalicoNodeStatus{})
	if err != nil {
		return err
	}
	c.done.Go(func() { standin.Every(ctx, beat, func(now time.Time) { c.step(ctx, now) }) })
	return nil
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
	if changed {
		c.reports.Meet(now, statuses)
	}
	c.simulate(ctx, now, changed, resources)
	c.reports.Run(ctx, now)
}

// simulate brings the sessions and the kubelets to now.
func (c *Cluster) simulate(ctx context.Context, now time.Time, changed bool, resources fabric.Resources) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if changed {
		c.meetMachines(now, resources.Nodes)
		c.roles.meet(resources.Nodes)
		resources.WithoutCommunities = c.withoutCommunities()
		c.fabric.Set(now, resources)
	}
	c.fabric.Advance(now)
	c.runKubelets(ctx, now)
}

// awake tells whether a node has power; sessions is what its calico-node reports.
func (c *Cluster) awake(node string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.machines[node]
	return m != nil && m.powered
}

func (c *Cluster) sessions(_ context.Context, node string) (calico.NodeStatusStatus, error) {
	ready := calico.DaemonStatus{State: calico.DaemonReady}
	c.mu.Lock()
	defer c.mu.Unlock()
	return calico.NodeStatusStatus{Agent: calico.NodeAgentStatus{BIRDV4: ready, BIRDV6: ready}, BGP: c.fabric.Status(node)}, nil
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
		if err := c.api.Cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return out, nil, err
		}
	}
	for i := range nodes.Items {
		out.Nodes = append(out.Nodes, inventory.FromKubernetes(&nodes.Items[i]))
	}
	out.Peers, out.Configurations, out.Filters = peers.Items, configurations.Items, filters.Items
	return out, statuses.Items, nil
}
