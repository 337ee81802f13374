package lab

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/inventory"
)

const (
	unreachableTaint   = "node.kubernetes.io/unreachable"
	unschedulableTaint = "node.kubernetes.io/unschedulable"
	// retryAfter is when a node tries again to say how it is.
	retryAfter = 2 * time.Second
)

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

// reportReady writes the Ready condition, and the taints that the node lifecycle
// controller derives from it.
func (c *Cluster) reportReady(ctx context.Context, name string, ready bool) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	condition := readyCondition(ready)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		var node corev1.Node
		if err := c.client.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
			return err
		}
		i := slices.IndexFunc(node.Status.Conditions, func(x corev1.NodeCondition) bool { return x.Type == corev1.NodeReady })
		if i < 0 {
			node.Status.Conditions = append(node.Status.Conditions, condition)
		} else {
			if node.Status.Conditions[i].Status == condition.Status {
				condition.LastTransitionTime = node.Status.Conditions[i].LastTransitionTime
			}
			node.Status.Conditions[i] = condition
		}
		return c.client.Status().Update(ctx, &node)
	})
	if err != nil {
		return fmt.Errorf("condition of node %s: %w", name, err)
	}
	return c.taint(ctx, name, unreachableTaint, !ready, corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute)
}

// taint sets or removes a taint with the given effects; nothing is written where
// it is already so.
func (c *Cluster) taint(ctx context.Context, name, key string, set bool, effects ...corev1.TaintEffect) error {
	return c.edit(ctx, name, func(node *corev1.Node) { setTaint(node, key, set, effects...) })
}

func setTaint(node *corev1.Node, key string, set bool, effects ...corev1.TaintEffect) {
	node.Spec.Taints = slices.DeleteFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key })
	for _, effect := range effects {
		if set {
			node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: key, Effect: effect})
		}
	}
}

// edit changes a node's metadata or specification.
func (c *Cluster) edit(ctx context.Context, name string, change func(*corev1.Node)) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		var node corev1.Node
		if err := c.client.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
			return err
		}
		before := node.DeepCopy()
		change(&node)
		if slices.Equal(before.Spec.Taints, node.Spec.Taints) && before.Spec.Unschedulable == node.Spec.Unschedulable {
			return nil
		}
		return c.client.Patch(ctx, &node, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
	if err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	return nil
}
