package e2e

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/lab/standin"
)

// ErrRole says that a node that was drained went down while it was a route reflector.
var ErrRole = errors.New("a drained node went down as a route reflector")

// podEnds is what an evicted pod takes to end: three times what pods are given by
// default, and less than a sixth of what cluster-autoscaler waits for.
const podEnds = 90 * time.Second

// drain cordons the victim, evicts its pods as kubectl drain does, and takes its
// power when they are gone. calico-node stays to the end, as a DaemonSet's pod does.
func drain(ctx context.Context, r *run) error {
	begun := time.Now()
	c := r.cluster.client
	if err := standin.Cordon(ctx, c, r.victim, true); err != nil {
		return err
	}
	pod, seconds := standin.Workload(r.victim), int64(podEnds.Seconds())
	eviction := &policyv1.Eviction{DeleteOptions: &metav1.DeleteOptions{GracePeriodSeconds: &seconds}}
	if err := c.SubResource("eviction").Create(ctx, pod, eviction); err != nil {
		return fmt.Errorf("evict the pods of %s: %w", r.victim, err)
	}
	gone := time.Duration(0)
	for time.Since(begun) < podEnds {
		v, err := r.cluster.look(ctx)
		if err != nil {
			return err
		}
		if gone == 0 && !v.has(r.victim) {
			gone = time.Since(begun)
			r.say("      %s has no role any more after %.1f s", r.victim, gone.Seconds())
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
	if err := r.endPod(ctx, pod); err != nil {
		return err
	}
	if gone == 0 {
		return fmt.Errorf("%w: %s, %s after the cordon", ErrRole, r.victim, podEnds)
	}
	return powerOff(ctx, r)
}

// endPod is what kubelet says when a pod has ended.
func (r *run) endPod(ctx context.Context, pod *corev1.Pod) error {
	none := int64(0)
	return client.IgnoreNotFound(r.cluster.client.Delete(ctx, pod, &client.DeleteOptions{GracePeriodSeconds: &none}))
}

// bootDrained lets the node back in.
func bootDrained(ctx context.Context, r *run) error {
	if err := powerOn(ctx, r); err != nil {
		return err
	}
	if err := standin.Cordon(ctx, r.cluster.client, r.victim, false); err != nil {
		return err
	}
	return r.cluster.client.Create(ctx, standin.Workload(r.victim))
}
