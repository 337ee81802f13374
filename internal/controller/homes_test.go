package controller

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/flowcontrol"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

func home(node *corev1.Node, group string) rollout.NodeRole {
	role := rollout.NodeRole{Node: node.Name, UID: string(node.UID)}
	if group != "" {
		role.Labels = map[string]string{v1alpha1.HomeLabel: group, v1alpha1.SettledLabel: group}
	}
	return role
}

// turns counts how often somebody waited for a turn, and ends the wait of one.
type turns struct {
	flowcontrol.RateLimiter
	taken, last int
}

func (c *turns) Wait(ctx context.Context) error {
	if c.taken == c.last {
		return context.Canceled
	}
	c.taken++
	return ctx.Err()
}

func TestWriteHomes(t *testing.T) {
	c := ownV3(t)
	var nodes []*corev1.Node
	for n := range 4 {
		node := newNode(n)
		node.Labels["example.com/label"] = "kept"
		c.create(node)
		nodes = append(nodes, node)
	}
	r := c.reconciler()
	limit := &turns{last: 100}
	r.Homes = limit
	write := func(homes ...rollout.NodeRole) error {
		t.Helper()
		_, err := r.writeStep(t.Context(), &rollout.Input{Autoscaler: newPolicy()}, &rollout.Step{Action: rollout.SetHomes, Object: "Node/some", Homes: homes})
		return err
	}
	want := func(node int, labels map[string]string) {
		t.Helper()
		all := map[string]string{"example.com/label": "kept"}
		for key, value := range labels {
			all[key] = value
		}
		if diff := cmp.Diff(all, keys(c.node(nodes[node].Name))); diff != "" {
			t.Errorf("node %d (-want +got):\n%s", node, diff)
		}
	}
	settled := map[string]string{v1alpha1.HomeLabel: "a-1", v1alpha1.SettledLabel: "a-1"}

	c.must(write(home(nodes[0], "a-1"), home(nodes[1], "a-1")))
	want(0, settled)
	want(1, settled)
	if limit.taken != 2 || len(r.unseen) != 2 {
		t.Errorf("%d turns and %d writes to wait for, want 2 and 2", limit.taken, len(r.unseen))
	}
	c.must(write(home(nodes[0], "a-1"), home(nodes[1], "a-1")))
	if limit.taken != 2 {
		t.Errorf("homes that stand took %d turns", limit.taken-2)
	}

	// Moved, with one label less: the labels given are all that stay.
	moved := home(nodes[0], "b-1")
	delete(moved.Labels, v1alpha1.SettledLabel)
	c.must(write(moved))
	want(0, map[string]string{v1alpha1.HomeLabel: "b-1"})

	// Also where somebody has written the same by hand.
	c.patch(c.node(nodes[1].Name), "kubectl-edit", `{"metadata":{"labels":{"`+v1alpha1.HomeLabel+`":"x","`+v1alpha1.SettledLabel+`":"x"}}}`)
	c.must(write(home(nodes[1], "")))
	want(1, nil)

	// The first error ends it: what comes before is written, what comes after is not.
	gone := home(nodes[2], "a-1")
	gone.UID = "another"
	if err := write(home(nodes[1], "a-1"), gone, home(nodes[3], "a-1")); !errors.Is(err, errStale) {
		t.Errorf("home of a node that was replaced: error %v, want %v", err, errStale)
	}
	want(1, settled)
	want(2, nil)
	want(3, nil)

	limit.last = limit.taken + 1
	if err := write(home(nodes[2], "a-1"), home(nodes[3], "a-1")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the wait", err)
	}
	want(2, settled)
	want(3, nil)
	limit.last = 100

	// A client that carries a cluster ID of somebody else's is still a client.
	c.patch(c.node(nodes[3].Name), "calicoctl", `{"metadata":{"annotations":{"`+v1alpha1.ClusterIDAnnotation+`":"1.1.1.1"}}}`)
	c.must(write(home(nodes[3], "a-1")))
	want(3, map[string]string{v1alpha1.HomeLabel: "a-1", v1alpha1.SettledLabel: "a-1", v1alpha1.ClusterIDAnnotation: "1.1.1.1"})

	// One that has become a reflector in the meantime is none.
	_, err := r.writeRole(t.Context(), nil, role(nodes[2]))
	c.must(err)
	before := keys(c.node(nodes[2].Name))
	if err := write(home(nodes[2], "b-1")); !errors.Is(err, errStale) {
		t.Errorf("home of a reflector: error %v, want %v", err, errStale)
	}
	if diff := cmp.Diff(before, keys(c.node(nodes[2].Name))); diff != "" {
		t.Errorf("the reflector has changed (-before +after):\n%s", diff)
	}

	// But a reflector may have a home, with all that it is.
	stays := *role(nodes[2])
	for key, value := range settled {
		stays.Labels[key] = value
	}
	c.must(write(stays))
	before[v1alpha1.HomeLabel], before[v1alpha1.SettledLabel] = "a-1", "a-1"
	if diff := cmp.Diff(before, keys(c.node(nodes[2].Name))); diff != "" {
		t.Errorf("reflector with a home (-want +got):\n%s", diff)
	}

	if err := write(); !errors.Is(err, errStep) {
		t.Errorf("no homes: error %v, want %v", err, errStep)
	}
}

func TestOnePassWritesOnlySoManyHomes(t *testing.T) {
	c := ownV3(t)
	node := newNode(1)
	c.create(node)
	var homes []rollout.NodeRole
	for range maxHomes {
		homes = append(homes, home(node, "a-1"))
	}
	beyond := home(node, "a-1")
	beyond.UID = "would be an error"
	if err := c.reconciler().writeHomes(t.Context(), append(homes, beyond)); err != nil {
		t.Error(err)
	}
}

// A role has the home that it is given, and only that.
func TestRoleKeepsItsHome(t *testing.T) {
	c := ownV3(t)
	node := newNode(1)
	c.create(node)
	r := c.reconciler()
	c.must(r.writeHomes(t.Context(), []rollout.NodeRole{home(node, "a-1")}))
	settled := map[string]string{v1alpha1.HomeLabel: "a-1", v1alpha1.SettledLabel: "a-1"}

	both := role(node)
	for key, value := range settled {
		both.Labels[key] = value
	}
	want := map[string]string{v1alpha1.ClusterIDAnnotation: id}
	for key, value := range both.Labels {
		want[key] = value
	}
	_, err := r.writeRole(t.Context(), nil, both)
	c.must(err)
	if diff := cmp.Diff(want, keys(c.node(node.Name))); diff != "" {
		t.Errorf("role and home (-want +got):\n%s", diff)
	}
	back := noRole(node)
	back.Labels = settled
	_, err = r.writeRole(t.Context(), nil, back)
	c.must(err)
	if diff := cmp.Diff(settled, keys(c.node(node.Name))); diff != "" {
		t.Errorf("home alone (-want +got):\n%s", diff)
	}
	_, err = r.writeRole(t.Context(), nil, role(node))
	c.must(err)
	if diff := cmp.Diff(map[string]string{
		v1alpha1.ClusterIDAnnotation: id, v1alpha1.ReflectorLabel: "1", v1alpha1.ServesLabelPrefix + "default": "",
	}, keys(c.node(node.Name))); diff != "" {
		t.Errorf("role alone (-want +got):\n%s", diff)
	}
}
