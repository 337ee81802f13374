package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

const (
	// beat is how often it is looked what the API holds: Typha, too, waits about so
	// long to put what comes together into one message.
	beat = 10 * time.Millisecond
	// meshTimeout bounds the wait for the mesh at the beginning.
	meshTimeout = 3 * time.Minute
)

// observe starts one watch a kind for all nodes, and reads for the first time.
func (c *cluster) observe(ctx context.Context) error {
	for _, kind := range []client.Object{
		&corev1.Node{}, &calico.BGPPeer{}, &calico.BGPConfiguration{}, &calico.BGPFilter{}, &calico.BlockAffinity{}, &calico.CalicoNodeStatus{},
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
	c.done.Go(func() { _ = c.cache.Start(ctx) }) // ends with ctx
	if !c.cache.WaitForCacheSync(ctx) {
		return context.Cause(ctx)
	}
	in, _, err := c.read(ctx)
	if err != nil {
		return err
	}
	c.noteRoles(&in)
	c.latest = &in
	return nil
}

func (c *cluster) loop(ctx context.Context) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if c.dirty.Swap(false) {
				c.take(ctx, now)
			}
			c.runReports(ctx, now)
		}
	}
}

// take reads what the API holds and gives it to all nodes, if it is of any matter
// to confd.
func (c *cluster) take(ctx context.Context, now time.Time) {
	in, statuses, err := c.read(ctx)
	if err != nil {
		c.dirty.Store(true) // once more, until the end
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.meetReports(now, statuses)
	if reflect.DeepEqual(&in, c.latest) {
		return
	}
	c.noteRoles(&in)
	c.latest = &in
	c.lan.set(in)
}

// read takes everything from the watches' caches, and of the nodes only what confd
// looks at. Nothing of it may be changed.
func (c *cluster) read(ctx context.Context) (birdconf.Input, []calico.CalicoNodeStatus, error) {
	var (
		nodes          corev1.NodeList
		peers          calico.BGPPeerList
		configurations calico.BGPConfigurationList
		filters        calico.BGPFilterList
		affinities     calico.BlockAffinityList
		statuses       calico.CalicoNodeStatusList
		out            = birdconf.Input{Blocks: map[string][]netip.Prefix{}, Pools: []netip.Prefix{poolV4, poolV6}}
	)
	for _, list := range []client.ObjectList{&nodes, &peers, &configurations, &filters, &affinities, &statuses} {
		if err := c.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return out, nil, err
		}
	}
	for i := range nodes.Items {
		n := inventory.FromKubernetes(&nodes.Items[i])
		out.Nodes = append(out.Nodes, inventory.Node{
			Name: n.Name, UID: n.UID, Labels: n.Labels, IPv4: n.IPv4, IPv6: n.IPv6, ASNumber: n.ASNumber, ClusterID: n.ClusterID,
		})
	}
	for i := range peers.Items {
		out.Peers = append(out.Peers, calico.BGPPeer{ObjectMeta: named(peers.Items[i].Name), Spec: peers.Items[i].Spec})
	}
	for i := range configurations.Items {
		out.Configurations = append(out.Configurations, calico.BGPConfiguration{
			ObjectMeta: named(configurations.Items[i].Name), Spec: configurations.Items[i].Spec,
		})
	}
	for i := range filters.Items {
		out.Filters = append(out.Filters, calico.BGPFilter{ObjectMeta: named(filters.Items[i].Name), Spec: filters.Items[i].Spec})
	}
	for i := range affinities.Items {
		spec := &affinities.Items[i].Spec
		block, err := netip.ParsePrefix(spec.CIDR)
		if err != nil {
			return out, nil, fmt.Errorf("address block of %s: %w", spec.Node, err)
		}
		out.Blocks[spec.Node] = append(out.Blocks[spec.Node], block)
	}
	sortInput(&out)
	return out, statuses.Items, nil
}

// noteRoles notes which nodes are reflectors now and were not, or the other way
// round.
func (c *cluster) noteRoles(in *birdconf.Input) {
	for i := range in.Nodes {
		n := &in.Nodes[i]
		if before, known := c.ids[n.Name]; known && before != n.ClusterID {
			c.changed[n.Name] = true
		}
		c.ids[n.Name] = n.ClusterID
	}
}

// forgetChanges begins a new account of role changes; changes returns it.
func (c *cluster) forgetChanges() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.changed)
}

func (c *cluster) changes() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]bool, len(c.changed))
	for name := range c.changed {
		out[name] = true
	}
	return out
}

// await polls until nothing is missing.
func (c *cluster) await(ctx context.Context, limit time.Duration, missing func() string) error {
	deadline := time.Now().Add(limit)
	for {
		text := missing()
		if text == "" {
			return nil
		}
		if err := c.lan.health(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %s", limit, text)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
