package e2e

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/lab/standin"
)

const (
	// apiAway is for how long there is no API server.
	apiAway = time.Minute
	// halfWay is at which of the steps that it takes to scale by two.
	halfWay = 5
)

// wedgeBird makes BIRD stand still; kubelet goes on. freeBird lets it go on, and
// waits until the node has all its routes again.
func wedgeBird(_ context.Context, r *run) error {
	m, err := r.machine()
	if err != nil {
		return err
	}
	return m.wedge(true)
}

func freeBird(ctx context.Context, r *run) error {
	return r.revive(ctx, func(m *machine) error { return m.wedge(false) })
}

// unplug cuts the link, and nobody mends it; plugIn does, at last.
func unplug(_ context.Context, r *run) error {
	m, err := r.machine()
	if err != nil {
		return err
	}
	return m.plug(false)
}

func plugIn(ctx context.Context, r *run) error {
	return r.revive(ctx, func(m *machine) error { return m.plug(true) })
}

// revive does something to the victim and waits until it has all its routes again.
func (r *run) revive(ctx context.Context, do func(*machine) error) error {
	m, err := r.machine()
	if err != nil {
		return err
	}
	if err := do(m); err != nil {
		return err
	}
	if err := r.cluster.await(ctx, meshTimeout+holdTime, r.cluster.lan.calm); err != nil {
		return err
	}
	r.cluster.lan.recovers(r.victim)
	return nil
}

// stopAPI takes the API server away for a while; all watches break.
func stopAPI(ctx context.Context, r *run) error {
	r.say("      the API server is stopped for %s", apiAway)
	if err := r.cluster.plane.StopAPI(); err != nil {
		return err
	}
	if err := pause(ctx, apiAway); err != nil {
		return err
	}
	return r.cluster.plane.StartAPI()
}

// eraseRole takes the keys of the role from a reflector, as an update of the node by
// its calico-node does that was read before they were written.
func eraseRole(ctx context.Context, r *run) error {
	return standin.EditNode(ctx, r.cluster.client, r.victim, func(node *corev1.Node) {
		delete(node.Labels, v1alpha1.ReflectorLabel)
		delete(node.Annotations, v1alpha1.ClusterIDAnnotation)
	})
}

// atStep does something after so many steps.
func atStep(n int, do act) onStep {
	return func(ctx context.Context, r *run, _ standin.Entry, number int) (bool, error) {
		if number < n {
			return false, nil
		}
		return true, do(ctx, r)
	}
}
