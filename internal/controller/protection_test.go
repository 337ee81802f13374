package controller

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
)

const (
	scaleDown = v1alpha1.ScaleDownDisabledAnnotation
	disrupt   = v1alpha1.DoNotDisruptAnnotation
)

// protects are the protecting annotations that a node has.
func protects(node *corev1.Node) map[string]string {
	found := map[string]string{}
	for _, key := range inventory.ProtectionKeys {
		if value, ok := node.Annotations[key]; ok {
			found[key] = value
		}
	}
	return found
}

func protected(node *corev1.Node, keys ...string) *rollout.NodeRole {
	out := role(node)
	out.Annotations = map[string]string{}
	for _, key := range keys {
		out.Annotations[key] = inventory.Protection
	}
	return out
}

func TestProtection(t *testing.T) {
	c := ownV3(t)
	node := newNode(1)
	c.create(node)
	r := c.reconciler()
	recorder := events.NewFakeRecorder(10)
	r.Recorder = recorder
	write := func(role *rollout.NodeRole) error {
		_, err := r.writeRole(t.Context(), newPolicy(), role)
		return err
	}
	byHand := func(key, value string) {
		t.Helper()
		c.patch(c.node(node.Name), "kubectl-edit", fmt.Sprintf(`{"metadata":{"annotations":{%q:%s}}}`, key, value))
	}
	want := func(what string, annotations map[string]string, ours, otherwise []string) {
		t.Helper()
		stands := c.node(node.Name)
		if diff := cmp.Diff(annotations, protects(stands)); diff != "" {
			t.Errorf("%s: annotations (-want +got):\n%s", what, diff)
		}
		seen := inventory.FromKubernetes(stands)
		if diff := cmp.Diff(ours, seen.Protected); diff != "" {
			t.Errorf("%s: ours (-want +got):\n%s", what, diff)
		}
		if diff := cmp.Diff(otherwise, seen.ProtectedOtherwise); diff != "" {
			t.Errorf("%s: somebody else's (-want +got):\n%s", what, diff)
		}
	}
	both := map[string]string{scaleDown: "true", disrupt: "true"}

	c.must(write(protected(node, scaleDown, disrupt)))
	want("with the role", both, []string{scaleDown, disrupt}, nil)
	c.must(write(protected(node, disrupt)))
	want("one of them", map[string]string{disrupt: "true"}, []string{disrupt}, nil)
	c.must(write(noRole(node)))
	want("without the role", map[string]string{}, nil, nil)

	// The same value by somebody else is shared, and stays theirs.
	byHand(disrupt, `"true"`)
	want("somebody's", map[string]string{disrupt: "true"}, nil, nil)
	c.must(write(protected(node, scaleDown, disrupt)))
	want("shared", both, []string{scaleDown, disrupt}, nil)
	c.must(write(noRole(node)))
	want("no more shared", map[string]string{disrupt: "true"}, nil, nil)

	// Another value is theirs alone: all else is written, and somebody is told.
	byHand(disrupt, `"false"`)
	if len(recorder.Events) > 0 {
		t.Errorf("event without a reason: %s", <-recorder.Events)
	}
	c.must(write(protected(node, scaleDown, disrupt)))
	want("in conflict", map[string]string{scaleDown: "true", disrupt: "false"}, []string{scaleDown}, []string{disrupt})
	select {
	case event := <-recorder.Events:
		if !strings.Contains(event, "ProtectionLeftOut") || !strings.Contains(event, disrupt) {
			t.Errorf("event %q does not tell of %s", event, disrupt)
		}
	default:
		t.Error("nobody was told")
	}
	if err := write(protected(node, scaleDown, disrupt)); !errors.Is(err, errForeign) {
		t.Errorf("nothing but the conflict left: error %v, want %v", err, errForeign)
	}
	c.must(write(noRole(node)))
	want("after the conflict", map[string]string{disrupt: "false"}, nil, []string{disrupt})

	// Somebody turns ours over: it is theirs from then on.
	byHand(disrupt, `null`)
	c.must(write(protected(node, disrupt)))
	byHand(disrupt, `"false"`)
	want("turned over", map[string]string{disrupt: "false"}, nil, []string{disrupt})

	// Keys that an apply would leave are removed by name, with ours among them.
	byHand(disrupt, `null`)
	c.must(write(protected(node, scaleDown)))
	byHand(v1alpha1.ReflectorLabel, `null`)
	c.patch(c.node(node.Name), "kubectl-edit", `{"metadata":{"labels":{"`+v1alpha1.ReflectorLabel+`":"9"}}}`)
	c.must(write(noRole(node)))
	want("by name", map[string]string{}, nil, nil)
	if got := keys(c.node(node.Name)); len(got) > 0 {
		t.Errorf("left on the node: %v", got)
	}
}
