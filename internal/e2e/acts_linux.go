package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/lab/standin"
)

const (
	// excludeLabel keeps the role from a node in the scenarios.
	excludeLabel = "e2e/never-a-reflector"
	few, more    = 3, 5
	// holdTime is BGP's in Calico: so long the neighbors of a dead node keep what
	// they had from it.
	holdTime = 240 * time.Second
	// untilForgotten is for how long it is measured when a node dies: until its
	// neighbors have dropped it.
	untilForgotten = holdTime + 20*time.Second
	// cableOut is shorter than anybody takes a node for lost.
	cableOut = 15 * time.Second
	// supervisor is what runit waits before it starts BIRD again, and restartAfter
	// for how long a killed controller stays dead.
	supervisor   = time.Second
	restartAfter = 2 * time.Second
	// Stabilization windows in seconds: a brief one, so that scenarios do not wait, and
	// one that is long enough for a node to be upgraded in.
	briefStabilization, usualStabilization = 5, 300
)

type act = func(context.Context, *run) error

// policy is the one that the scenarios start from. Waits that exist to calm large
// clusters down are short.
func policy() *v1alpha1.RouteReflectorAutoscaler {
	settle, stabilization, ignore, most := int32(2), int32(briefStabilization), int32(60), int32(100)
	return &v1alpha1.RouteReflectorAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SingletonName},
		Spec: v1alpha1.RouteReflectorAutoscalerSpec{
			Topology:  v1alpha1.TopologySingle,
			Scaling:   v1alpha1.Scaling{Min: few, Max: most, ScaleDownStabilizationSeconds: &stabilization},
			Placement: v1alpha1.Placement{Exclude: []metav1.LabelSelector{{MatchLabels: map[string]string{excludeLabel: "true"}}}},
			Rollout:   v1alpha1.Rollout{SettleSeconds: &settle, IgnoreNotReadyAfterSeconds: &ignore},
		},
	}
}

// edit changes the policy, or makes it where there is none.
func edit(change func(*v1alpha1.RouteReflectorAutoscalerSpec)) act {
	return func(ctx context.Context, r *run) error {
		var now v1alpha1.RouteReflectorAutoscaler
		err := r.cluster.client.Get(ctx, client.ObjectKey{Name: v1alpha1.SingletonName}, &now)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err != nil {
			first := policy()
			change(&first.Spec)
			return r.cluster.client.Create(ctx, first)
		}
		before := now.DeepCopy()
		change(&now.Spec)
		return r.cluster.client.Patch(ctx, &now, client.MergeFrom(before))
	}
}

func topology(t v1alpha1.Topology) act {
	return edit(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = t })
}

func stabilize(seconds int32) act {
	return edit(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.ScaleDownStabilizationSeconds = &seconds })
}

func scale(n int32) act {
	return edit(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Min = n })
}

// onVictim picks the first reflector by name, and does something to it.
func onVictim(do act) act {
	return func(ctx context.Context, r *run) error {
		v, err := r.cluster.look(ctx)
		if err != nil {
			return err
		}
		if len(v.reflectors) == 0 {
			return fmt.Errorf("there is no reflector")
		}
		r.victim = v.reflectors[0]
		return do(ctx, r)
	}
}

func (r *run) machine() (*machine, error) { return r.cluster.lan.machine(r.victim) }

func exclude(value bool) act {
	return func(ctx context.Context, r *run) error {
		return standin.EditNode(ctx, r.cluster.client, r.victim, func(node *corev1.Node) {
			if value {
				node.Labels[excludeLabel] = "true"
			} else {
				delete(node.Labels, excludeLabel)
			}
		})
	}
}

func cordon(value bool) act {
	return func(ctx context.Context, r *run) error { return standin.Cordon(ctx, r.cluster.client, r.victim, value) }
}

func killBird(_ context.Context, r *run) error {
	m, err := r.machine()
	if err != nil {
		return err
	}
	return m.restartBird(supervisor)
}

func cutLink(ctx context.Context, r *run) error {
	m, err := r.machine()
	if err != nil {
		return err
	}
	if err := m.plug(false); err != nil {
		return err
	}
	if err := pause(ctx, cableOut); err != nil {
		return err
	}
	return m.plug(true)
}

func mendLink(_ context.Context, r *run) error {
	r.cluster.lan.recovers(r.victim)
	return nil
}

func powerOff(_ context.Context, r *run) error {
	m, err := r.machine()
	if err != nil {
		return err
	}
	return m.powerOff()
}

// powerOn waits until the node has all its routes again.
func powerOn(ctx context.Context, r *run) error { return r.revive(ctx, (*machine).powerOn) }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// rollAgents restarts calico-node on one node after the other, as its update does: the next when the one before has all its sessions.
func rollAgents(ctx context.Context, r *run) error {
	for _, m := range r.cluster.lan.all() {
		if err := r.cluster.restartAgent(ctx, m); err != nil {
			return err
		}
		if err := r.cluster.await(ctx, meshTimeout+holdTime, r.cluster.lan.calm); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// rollNodes drains one node after the other, boots it anew and lets it back in, as
// an upgrade of all nodes does. A drain waits until the role is away, as the pods'
// eviction would give it time to.
func rollNodes(ctx context.Context, r *run) error {
	for _, m := range r.cluster.lan.all() {
		r.victim = m.name
		r.say("      %s is upgraded", m.name)
		for _, do := range []act{cordon(true), awaitNoRole, powerOff, reinstall, powerOn, cordon(false)} {
			if err := do(ctx, r); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
	}
	return nil
}

func awaitNoRole(ctx context.Context, r *run) error {
	return r.cluster.await(ctx, meshTimeout, func() string {
		v, err := r.cluster.look(ctx)
		if err != nil {
			return err.Error()
		}
		if v.has(r.victim) {
			return r.victim + " has the role"
		}
		return ""
	})
}

// replaceFour moves the role again and again, so that seniority among reflectors is
// no longer that of their names.
func replaceFour(ctx context.Context, r *run) error {
	for range 4 {
		if err := onVictim(exclude(true))(ctx, r); err != nil {
			return err
		}
		err := r.cluster.await(ctx, r.options.Timeout/4, func() string {
			v, err := r.cluster.look(ctx)
			if err != nil {
				return err.Error()
			}
			if text := r.without(few)(v); text != "" {
				return text
			}
			return v.settled()
		})
		if err != nil {
			return err
		}
		if err := exclude(false)(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// reinstall gives the node another version of kubelet.
func reinstall(ctx context.Context, r *run) error {
	return standin.EditNodeStatus(ctx, r.cluster.client, r.victim, func(node *corev1.Node) { node.Status.NodeInfo.KubeletVersion = "v1.37.3" })
}

// crash kills the controller and starts it again.
func crash(ctx context.Context, r *run) error {
	r.say("      the controller is killed")
	if err := r.cluster.controller.crash(); err != nil {
		return err
	}
	now := time.Now()
	r.killed.Store(&now)
	if err := pause(ctx, restartAfter); err != nil {
		return err
	}
	return r.cluster.controller.start()
}

type onStep = func(ctx context.Context, r *run, s standin.Entry, number int) (done bool, err error)

// afterPin does something when the first pin of a new reflector has been written.
func afterPin(do act) onStep {
	return func(ctx context.Context, r *run, s standin.Entry, _ int) (bool, error) {
		if s.Action != actionCreatePeer || !strings.Contains(s.Object, pinMark) {
			return false, nil
		}
		return true, do(ctx, r)
	}
}

// onPromoted does something to the first node that gets the role.
func onPromoted(do act) onStep {
	return func(ctx context.Context, r *run, s standin.Entry, _ int) (bool, error) {
		if s.Action != actionSetRole {
			return false, nil
		}
		_, r.victim, _ = strings.Cut(s.Object, "/")
		return true, do(ctx, r)
	}
}
