package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
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
	err := c.api.Watch(ctx, &c.dirty, c.done.Go,
		&corev1.Node{}, &calico.BGPPeer{}, &calico.BGPConfiguration{}, &calico.BGPFilter{}, &calico.BlockAffinity{}, &calico.CalicoNodeStatus{})
	if err != nil {
		return err
	}
	in, _, err := c.read(ctx)
	if err != nil {
		return err
	}
	c.noteRoles(&in)
	c.latest = &in
	return nil
}

// step is what is done each beat.
func (c *cluster) step(ctx context.Context, now time.Time) {
	if c.dirty.Swap(false) {
		c.take(ctx, now)
	}
	c.reports.Run(ctx, now)
}

// take reads what the API holds and gives it to all nodes, if it is of any matter
// to confd.
func (c *cluster) take(ctx context.Context, now time.Time) {
	in, statuses, err := c.read(ctx)
	if err != nil {
		c.dirty.Store(true) // once more, until the end
		return
	}
	c.reports.Meet(now, statuses)
	c.mu.Lock()
	defer c.mu.Unlock()
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
		if err := c.api.Cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
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

// awake tells whether calico-node of a node can reach the API; sessions is what it
// then reports: what its BIRDs say.
func (c *cluster) awake(node string) bool {
	m, err := c.lan.machine(node)
	return err == nil && m.reachable()
}

func (c *cluster) sessions(_ context.Context, node string) (calico.NodeStatusStatus, error) {
	m, err := c.lan.machine(node)
	if err != nil {
		return calico.NodeStatusStatus{}, err
	}
	return m.report()
}

// noteRoles notes which nodes have got, lost or changed a role: their cluster ID or
// their tier is another.
func (c *cluster) noteRoles(in *birdconf.Input) {
	for i := range in.Nodes {
		n := &in.Nodes[i]
		role := n.ClusterID + " " + n.Labels[v1alpha1.ReflectorLabel]
		if before, known := c.roles[n.Name]; known && before != role {
			c.changed[n.Name]++
		}
		c.roles[n.Name] = role
	}
}

// forgetChanges begins a new account of role changes; changes returns whose there were,
// and how many.
func (c *cluster) forgetChanges() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.changed)
}

func (c *cluster) changes() (of map[string]bool, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of = make(map[string]bool, len(c.changed))
	for name, times := range c.changed {
		of[name] = true
		n += times
	}
	return of, n
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
