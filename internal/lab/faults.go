package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/internal/lab/standin"
)

// known returns an error that names the nodes there are not.
func (c *Cluster) known(names []string) error {
	if len(names) == 0 {
		return errors.New("name at least one node")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var unknown []string
	for _, name := range names {
		if c.machines[name] == nil {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("no such node: %s", strings.Join(unknown, ", "))
	}
	return nil
}

// Kill cuts the power of nodes. They become NotReady after NotReadyAfter; their
// neighbors keep their routes until BGP's hold time is over.
func (c *Cluster) Kill(names ...string) error {
	if err := c.known(names); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, name := range names {
		if m := c.machines[name]; m != nil && m.powered {
			m.powered, m.silentSince = false, now
			c.fabric.Kill(now, name)
		}
	}
	return nil
}

// Revive gives nodes their power back: they boot and report.
func (c *Cluster) Revive(names ...string) error {
	if err := c.known(names); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		if m := c.machines[name]; m != nil && !m.powered {
			m.powered = true
			c.fabric.Revive(time.Now(), name)
		}
	}
	return nil
}

// Cordon makes nodes unschedulable, or schedulable again, as kubectl does.
func (c *Cluster) Cordon(ctx context.Context, cordon bool, names ...string) error {
	if err := c.known(names); err != nil {
		return err
	}
	return each(ctx, len(names), func(ctx context.Context, i int) error {
		return standin.Cordon(ctx, c.client, names[i], cordon)
	})
}

// Storm silences the kubelets of a share of the nodes, in percent, for a while,
// as an overloaded API server or load balancer does: the nodes become NotReady
// though their sessions and routes are fine. It returns the nodes.
func (c *Cluster) Storm(percent int, d time.Duration) ([]string, error) {
	if percent < 1 || percent > 100 {
		return nil, fmt.Errorf("a storm takes 1 to 100 percent of the nodes, not %d", percent)
	}
	if d <= 0 {
		return nil, fmt.Errorf("a storm lasts for a while, not %s", d)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name, m := range c.machines {
		if m.powered {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	// Every k-th node, so that each zone and the reflectors have their share.
	var hit []string
	now := time.Now()
	for i, name := range names {
		if (i+1)*percent/100 > i*percent/100 {
			m := c.machines[name]
			m.silentSince = now.Add(-c.options.NotReadyAfter) // the silence was before
			m.stormUntil = now.Add(d)
			hit = append(hit, name)
		}
	}
	return hit, nil
}

// StopAPI takes the API server away for a while. Sessions and routes stay.
func (c *Cluster) StopAPI(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("the API server is away for a while, not %s", d)
	}
	if err := c.plane.StopAPI(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	return c.plane.StartAPI()
}
