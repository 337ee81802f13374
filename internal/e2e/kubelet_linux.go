package e2e

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/lab/standin"
)

const (
	// renewEvery is how often kubelet renews its lease.
	renewEvery = 10 * time.Second
	// probeEvery and failedProbes are of the readiness probe in Calico's manifests:
	// calico-node is not ready any more when so many have failed in a row.
	probeEvery   = 10 * time.Second
	failedProbes = 3
)

// kubelet is that of one machine, and what the cluster makes of its silence.
type kubelet struct {
	*machine
	heard, renewed, probed time.Time
	failures               int  // of probes, in a row
	ready, agent           bool // as the API has the node, and its calico-node
}

func (c *cluster) newKubelets() []*kubelet {
	var all []*kubelet
	for _, m := range c.lan.all() {
		all = append(all, &kubelet{machine: m, heard: time.Now(), ready: true, agent: true})
	}
	return all
}

// runKubelets renews the leases of the nodes that can reach the API, and says of
// the others what the node lifecycle controller says.
func (c *cluster) runKubelets(ctx context.Context, all []*kubelet, now time.Time) {
	for _, k := range all {
		c.runKubelet(ctx, k, now)
	}
}

// runKubelet does what is due. What could not be written is tried the next time.
func (c *cluster) runKubelet(ctx context.Context, k *kubelet, now time.Time) {
	reachable := k.reachable()
	if reachable && now.Sub(k.renewed) >= renewEvery && c.renew(ctx, k.name) == nil {
		k.renewed, k.heard = now, now
	}
	if reachable {
		k.probe(now)
	}
	ready := reachable || now.Sub(k.heard) < c.options.NotReadyAfter
	if ready != k.ready && standin.ReportReady(ctx, c.client, k.name, ready) == nil {
		k.ready = ready
	}
	if agent := k.ready && k.failures < failedProbes; agent != k.agent && c.reportAgent(ctx, k.name, agent, time.Time{}) == nil {
		k.agent = agent
	}
}

// probe asks whether calico-node is ready, when it is time to.
func (k *kubelet) probe(now time.Time) {
	if now.Sub(k.probed) < probeEvery {
		return
	}
	k.probed = now
	k.failures++
	if k.birdAnswers() {
		k.failures = 0
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

// reportAgent says how the calico-node of a node is. started is when its container
// was; zero: as it is.
func (c *cluster) reportAgent(ctx context.Context, node string, ready bool, started time.Time) error {
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
	if !started.IsZero() {
		running := &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(started)}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: agentContainer, State: corev1.ContainerState{Running: running}}}
	}
	for i := range pod.Status.ContainerStatuses {
		pod.Status.ContainerStatuses[i].Ready = ready
	}
	if err := c.client.Status().Update(ctx, &pod); err != nil {
		return fmt.Errorf("condition of calico-node on %s: %w", node, err)
	}
	return nil
}

// restartAgent ends the container of calico-node, BIRD and all, and starts it again.
// It is not ready until it has been probed.
func (c *cluster) restartAgent(ctx context.Context, m *machine) error {
	if err := c.reportAgent(ctx, m.name, false, time.Now()); err != nil {
		return err
	}
	if err := m.restartBird(supervisor); err != nil {
		return err
	}
	return c.reportAgent(ctx, m.name, true, time.Time{})
}
