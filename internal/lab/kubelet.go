package lab

import (
	"context"
	"time"

	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/standin"
)

// retryAfter is when a node tries again to say how it is.
const retryAfter = 2 * time.Second

// machine is one node's kubelet, and what the cluster makes of its silence.
type machine struct {
	name, uid string
	powered   bool
	// silentSince is when it stopped reporting: power loss or a storm.
	silentSince time.Time
	stormUntil  time.Time

	ready     bool // as the API has it
	writing   bool
	nextWrite time.Time // not before
	heartbeat time.Time
}

func (m *machine) silent(now time.Time) bool { return !m.powered || now.Before(m.stormUntil) }

// meetMachines brings the machines in line with the Node objects; a Node that
// somebody made by hand gets one too.
func (c *Cluster) meetMachines(now time.Time, nodes []inventory.Node) {
	seen := make(map[string]bool, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		seen[n.Name] = true
		m := c.machines[n.Name]
		if m == nil || m.uid != n.UID {
			m = &machine{name: n.Name, uid: n.UID, powered: true, heartbeat: c.firstHeartbeat(now)}
			c.machines[n.Name] = m
		}
		if !m.writing {
			m.ready = n.Ready
		}
	}
	for name := range c.machines {
		if !seen[name] {
			delete(c.machines, name)
		}
	}
}

// firstHeartbeat spreads the heartbeats of nodes registered at once.
func (c *Cluster) firstHeartbeat(now time.Time) time.Time {
	share := time.Duration(len(c.machines)%100 + 1)
	return now.Add(c.options.Heartbeat * share / 100)
}

// runKubelets writes what each node's condition should be by now.
func (c *Cluster) runKubelets(ctx context.Context, now time.Time) {
	for _, m := range c.machines {
		if m.writing || now.Before(m.nextWrite) {
			continue
		}
		silent := m.silent(now)
		switch {
		case silent && m.ready && now.Sub(m.silentSince) >= c.options.NotReadyAfter:
			c.writeReady(ctx, m, false)
		case !silent && !m.ready:
			c.writeReady(ctx, m, true)
		case !silent && now.After(m.heartbeat):
			m.heartbeat = now.Add(c.options.Heartbeat)
			c.writeReady(ctx, m, true)
		}
	}
}

// writeReady reports in the background, so that a slow or absent API server
// does not stop the simulation.
func (c *Cluster) writeReady(ctx context.Context, m *machine, ready bool) {
	m.writing = true
	name := m.name
	c.done.Go(func() {
		err := c.reportReady(ctx, name, ready)
		c.mu.Lock()
		defer c.mu.Unlock()
		m.writing = false
		if err != nil {
			m.nextWrite = time.Now().Add(retryAfter)
			return
		}
		m.ready = ready
	})
}

func (c *Cluster) reportReady(ctx context.Context, name string, ready bool) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return standin.ReportReady(ctx, c.api.Client, name, ready)
}
