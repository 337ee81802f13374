package standin

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Taints that a cluster itself sets.
const (
	UnreachableTaint   = corev1.TaintNodeUnreachable
	UnschedulableTaint = corev1.TaintNodeUnschedulable
)

// ReadyCondition is what kubelet says of its node, or the node lifecycle controller
// of one whose kubelet has fallen silent.
func ReadyCondition(ready bool) corev1.NodeCondition {
	now := metav1.Now()
	if ready {
		return corev1.NodeCondition{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: now, LastTransitionTime: now,
			Reason: "KubeletReady", Message: "kubelet is posting ready status",
		}
	}
	return corev1.NodeCondition{
		Type: corev1.NodeReady, Status: corev1.ConditionUnknown, LastHeartbeatTime: now, LastTransitionTime: now,
		Reason: "NodeStatusUnknown", Message: "Kubelet stopped posting node status.",
	}
}

// NodeInfo is what kubelet says of the machine.
func NodeInfo(kubelet string) corev1.NodeSystemInfo {
	return corev1.NodeSystemInfo{
		OperatingSystem: "linux", Architecture: "amd64", KubeletVersion: kubelet,
		OSImage: "Debian GNU/Linux 13", KernelVersion: "6.12.0", ContainerRuntimeVersion: "containerd://2.1.4",
	}
}

// ReportReady writes the Ready condition of a node, and the taints that the node
// lifecycle controller derives from it.
func ReportReady(ctx context.Context, c client.Client, name string, ready bool) error {
	err := EditNodeStatus(ctx, c, name, func(node *corev1.Node) {
		condition := ReadyCondition(ready)
		i := slices.IndexFunc(node.Status.Conditions, func(x corev1.NodeCondition) bool { return x.Type == corev1.NodeReady })
		if i < 0 {
			node.Status.Conditions = append(node.Status.Conditions, condition)
			return
		}
		if node.Status.Conditions[i].Status == condition.Status {
			condition.LastTransitionTime = node.Status.Conditions[i].LastTransitionTime
		}
		node.Status.Conditions[i] = condition
	})
	if err != nil {
		return err
	}
	return EditNode(ctx, c, name, func(node *corev1.Node) {
		setTaint(node, UnreachableTaint, !ready, corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute)
	})
}

// Cordon makes a node unschedulable, or schedulable again, as kubectl does.
func Cordon(ctx context.Context, c client.Client, name string, cordon bool) error {
	return EditNode(ctx, c, name, func(node *corev1.Node) {
		node.Spec.Unschedulable = cordon
		setTaint(node, UnschedulableTaint, cordon, corev1.TaintEffectNoSchedule)
	})
}

// setTaint sets or removes a taint with the given effects.
func setTaint(node *corev1.Node, key string, set bool, effects ...corev1.TaintEffect) {
	node.Spec.Taints = slices.DeleteFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key })
	for _, effect := range effects {
		if set {
			node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: key, Effect: effect})
		}
	}
}

// EditNode changes a node's metadata or specification; nothing is written where it
// is already so.
func EditNode(ctx context.Context, c client.Client, name string, change func(*corev1.Node)) error {
	err := onNode(ctx, c, name, func(node *corev1.Node) error {
		before := node.DeepCopy()
		change(node)
		if equality.Semantic.DeepEqual(before, node) {
			return nil
		}
		return c.Patch(ctx, node, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
	if err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	return nil
}

// EditNodeStatus changes a node's status.
func EditNodeStatus(ctx context.Context, c client.Client, name string, change func(*corev1.Node)) error {
	err := onNode(ctx, c, name, func(node *corev1.Node) error {
		change(node)
		return c.Status().Update(ctx, node)
	})
	if err != nil {
		return fmt.Errorf("status of node %s: %w", name, err)
	}
	return nil
}

func onNode(ctx context.Context, c client.Client, name string, do func(*corev1.Node) error) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		var node corev1.Node
		if err := c.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
			return err
		}
		return do(&node)
	})
}
