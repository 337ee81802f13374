package e2e

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

// scenario is one thing that happens to the cluster, and what must come of it.
type scenario struct {
	name string
	act  act
	// replaced: another node gets the role of one that fails; it is measured when.
	replaced bool
	// onStep is told of every step that the controller has written; done says that
	// it need not be told any more. nil: nothing happens in the middle.
	onStep onStep
	// killedHalfWay: the controller must have been killed between two steps.
	killedHalfWay bool
	// want says what is missing; "" when the cluster is as it must be in the end.
	want func(v *view) string
	// atLeast is for how long it is measured, however soon all is as wanted.
	atLeast time.Duration
	// roleChanges is how many there may be, each role given and each taken counted,
	// by what stands at the beginning; nil: any number.
	roleChanges func(before *view) int
	// half is about half the number of steps that it takes.
	half int
	// after puts things back, unmeasured.
	after act
}

// view is what the API says at one moment.
type view struct {
	policy     *v1alpha1.RouteReflectorAutoscaler // nil: there is none
	reflectors []string
	ids        map[string]int // their cluster IDs, and how many have each
	mesh       bool
}

func (c *cluster) look(ctx context.Context) (*view, error) {
	v := view{ids: map[string]int{}}
	var policy v1alpha1.RouteReflectorAutoscaler
	err := c.client.Get(ctx, client.ObjectKey{Name: v1alpha1.SingletonName}, &policy)
	if err == nil {
		v.policy = &policy
	} else if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	var nodes corev1.NodeList
	if err := c.client.List(ctx, &nodes); err != nil {
		return nil, err
	}
	for i := range nodes.Items {
		if id, valid, _ := calico.ParseClusterID(nodes.Items[i].Annotations[v1alpha1.ClusterIDAnnotation]); valid {
			v.reflectors = append(v.reflectors, nodes.Items[i].Name)
			v.ids[id.String()]++
		}
	}
	slices.Sort(v.reflectors)
	var configurations calico.BGPConfigurationList
	if err := c.client.List(ctx, &configurations); err != nil {
		return nil, err
	}
	v.mesh = calico.MeshEnabled(configurations.Items)
	return &v, nil
}

// settled says what the controller has not finished; "" when it has.
func (v *view) settled() string {
	if v.policy == nil {
		return "there is no RouteReflectorAutoscaler"
	}
	status := &v.policy.Status
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	switch {
	case status.ObservedGeneration != v.policy.Generation || ready == nil:
		return "the controller has not looked at the policy yet"
	case !rollout.AtRest(status.Conditions):
		return "not Ready: " + ready.Message
	case int(status.ReflectorCount) != len(v.reflectors):
		return fmt.Sprintf("status says %d reflectors, the nodes %d", status.ReflectorCount, len(v.reflectors))
	}
	return ""
}

// reflectors wants so many, without the mesh.
func reflectors(n int) func(*view) string {
	return func(v *view) string {
		switch {
		case len(v.reflectors) != n:
			return fmt.Sprintf("%d reflectors, want %d", len(v.reflectors), n)
		case v.mesh:
			return "the node-to-node mesh is still on"
		}
		return ""
	}
}

// meshOnly wants no reflector at all.
func meshOnly(v *view) string {
	switch {
	case len(v.reflectors) > 0:
		return fmt.Sprintf("%d reflectors, want none", len(v.reflectors))
	case !v.mesh:
		return "the node-to-node mesh is off"
	}
	return ""
}

func (v *view) has(node string) bool { return slices.Contains(v.reflectors, node) }

// with wants so many reflectors, and the victim among them.
func (r *run) with(n int) func(*view) string {
	return func(v *view) string {
		if !v.has(r.victim) {
			return r.victim + " has no role"
		}
		return reflectors(n)(v)
	}
}

// others wants so many reflectors at least besides the victim, which may still have
// the role: who is dead need not be asked to give it up.
func (r *run) others(n int) func(*view) string {
	return func(v *view) string {
		m := len(v.reflectors)
		if v.has(r.victim) {
			m--
		}
		switch {
		case m < n:
			return fmt.Sprintf("%d reflectors besides %s, want %d", m, r.victim, n)
		case v.mesh:
			return "the node-to-node mesh is still on"
		}
		return ""
	}
}

// without wants so many reflectors, and the victim not among them.
func (r *run) without(n int) func(*view) string {
	return func(v *view) string {
		if v.has(r.victim) {
			return r.victim + " still has the role"
		}
		return reflectors(n)(v)
	}
}

// severalIDs wants reflectors of more than one cluster ID.
func (r *run) severalIDs(v *view) string {
	switch {
	case len(v.ids) < 2:
		return fmt.Sprintf("%d cluster IDs, want several", len(v.ids))
	case v.mesh:
		return "the node-to-node mesh is still on"
	}
	return ""
}

// oneID wants the reflectors of topology Single.
func (r *run) oneID(v *view) string {
	if len(v.ids) != 1 {
		return fmt.Sprintf("%d cluster IDs, want one", len(v.ids))
	}
	return reflectors(few)(v)
}
