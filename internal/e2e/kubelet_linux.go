package e2e

import (
	"context"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	unreachableTaint   = "node.kubernetes.io/unreachable"
	unschedulableTaint = "node.kubernetes.io/unschedulable"
	// renewEvery is how often kubelet renews its lease.
	renewEvery = 10 * time.Second
)

// runKubelets renews the leases of the nodes that can reach the API, and says of
// the others what the node lifecycle controller says.
func (c *cluster) runKubelets(ctx context.Context) {
	heard := map[string]time.Time{}
	ready := map[string]bool{}
	for _, m := range c.lan.all() {
		heard[m.name], ready[m.name] = time.Now(), true
	}
	renewed := map[string]time.Time{}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, m := range c.lan.all() {
				reachable := m.reachable()
				if reachable && now.Sub(renewed[m.name]) >= renewEvery && c.renew(ctx, m.name) == nil {
					renewed[m.name], heard[m.name] = now, now
				}
				want := reachable || now.Sub(heard[m.name]) < c.options.NotReadyAfter
				if want != ready[m.name] && c.reportReady(ctx, m.name, want) == nil {
					ready[m.name] = want
				}
			}
		}
	}
}

func (c *cluster) renew(ctx context.Context, node string) error {
	var lease coordinationv1.Lease
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: corev1.NamespaceNodeLease, Name: node}, &lease); err != nil {
		return err
	}
	now := metav1.NewMicroTime(time.Now())
	lease.Spec.RenewTime = &now
	return c.client.Update(ctx, &lease)
}

// reportReady writes the Ready conditions of the node and its calico-node, and the
// taints that follow.
func (c *cluster) reportReady(ctx context.Context, name string, ready bool) error {
	condition := readyCondition(ready)
	err := c.editStatus(ctx, name, func(node *corev1.Node) { node.Status.Conditions = []corev1.NodeCondition{condition} })
	if err != nil {
		return err
	}
	if err := c.reportAgent(ctx, name, ready); err != nil {
		return err
	}
	return c.edit(ctx, name, func(node *corev1.Node) {
		setTaint(node, unreachableTaint, !ready, corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute)
	})
}

// reportAgent says how the calico-node of a node is.
func (c *cluster) reportAgent(ctx context.Context, node string, ready bool) error {
	var pod corev1.Pod
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: agentNamespace, Name: agentName(node)}, &pod); err != nil {
		return err
	}
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.Now()}}
	if err := c.client.Status().Update(ctx, &pod); err != nil {
		return fmt.Errorf("condition of calico-node on %s: %w", node, err)
	}
	return nil
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
func (c *cluster) edit(ctx context.Context, name string, change func(*corev1.Node)) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		var node corev1.Node
		if err := c.client.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
			return err
		}
		before := node.DeepCopy()
		change(&node)
		return c.client.Patch(ctx, &node, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
	if err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	return nil
}

// editStatus changes a node's status.
func (c *cluster) editStatus(ctx context.Context, name string, change func(*corev1.Node)) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		var node corev1.Node
		if err := c.client.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
			return err
		}
		change(&node)
		return c.client.Status().Update(ctx, &node)
	})
	if err != nil {
		return fmt.Errorf("status of node %s: %w", name, err)
	}
	return nil
}

// cordon makes a node unschedulable, or schedulable again, as kubectl does.
func (c *cluster) cordon(ctx context.Context, name string, cordon bool) error {
	return c.edit(ctx, name, func(node *corev1.Node) {
		node.Spec.Unschedulable = cordon
		setTaint(node, unschedulableTaint, cordon, corev1.TaintEffectNoSchedule)
	})
}
