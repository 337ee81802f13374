package controller

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/sessions"
)

const id = "224.0.0.1"

func role(node *corev1.Node) *rollout.NodeRole {
	return &rollout.NodeRole{
		Node: node.Name, UID: string(node.UID), ClusterID: id,
		Labels: map[string]string{
			v1alpha1.ReflectorLabel:                "1",
			v1alpha1.ServesLabelPrefix + "default": "",
		},
	}
}

func noRole(node *corev1.Node) *rollout.NodeRole {
	return &rollout.NodeRole{Node: node.Name, UID: string(node.UID)}
}

// keys are the labels and annotations of the role that a node has, and those of
// users.
func keys(node *corev1.Node) map[string]string {
	found := map[string]string{}
	for key, value := range node.Labels {
		if strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) || strings.HasPrefix(key, "example.com/") {
			found[key] = value
		}
	}
	for key, value := range node.Annotations {
		if key == v1alpha1.ClusterIDAnnotation || strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) || strings.HasPrefix(key, "example.com/") {
			found[key] = value
		}
	}
	return found
}

func TestWriteRole(t *testing.T) {
	c := ownV3(t)
	withRole := map[string]string{
		v1alpha1.ReflectorLabel: "1", v1alpha1.ServesLabelPrefix + "default": "",
		v1alpha1.ClusterIDAnnotation: id,
	}
	with := func(base map[string]string, more ...string) map[string]string {
		out := map[string]string{}
		for k, v := range base {
			out[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	users := []string{"example.com/label", "kept", "example.com/note", "kept", v1alpha1.CordonedAnnotation, "2026-01-01"}
	usersOnly := with(nil, users...)

	steps := []struct {
		name string
		do   func(r *Reconciler, node *corev1.Node) error
		want map[string]string
		fail error
	}{
		{
			name: "set",
			do: func(r *Reconciler, node *corev1.Node) error {
				_, err := r.writeRole(t.Context(), nil, role(node))
				return err
			},
			want: with(withRole, users...),
		},
		{
			name: "hand-removed label and annotation are put back",
			do: func(r *Reconciler, node *corev1.Node) error {
				c.patch(node, "kubectl-edit", `{"metadata":{"labels":{"`+v1alpha1.ReflectorLabel+`":null},"annotations":{"`+v1alpha1.ClusterIDAnnotation+`":null}}}`)
				_, err := r.writeRole(t.Context(), nil, role(node))
				return err
			},
			want: with(withRole, users...),
		},
		{
			name: "a label and a cluster ID changed by hand on our reflector are put back",
			do: func(r *Reconciler, node *corev1.Node) error {
				c.patch(node, "kubectl-edit", `{"metadata":{"labels":{"`+v1alpha1.ReflectorLabel+`":"9"},"annotations":{"`+v1alpha1.ClusterIDAnnotation+`":"1.1.1.1"}}}`)
				_, err := r.writeRole(t.Context(), nil, role(node))
				return err
			},
			want: with(withRole, users...),
		},
		{
			name: "clear, although somebody else has come to own the keys too",
			do: func(r *Reconciler, node *corev1.Node) error {
				_, err := r.writeRole(t.Context(), nil, noRole(node))
				return err
			},
			want: usersOnly,
		},
		{
			name: "clear again: nothing to do",
			do: func(r *Reconciler, node *corev1.Node) error {
				_, err := r.writeRole(t.Context(), nil, noRole(node))
				return err
			},
			want: usersOnly,
		},
		{
			name: "set and clear by two applies alone",
			do: func(r *Reconciler, node *corev1.Node) error {
				if _, err := r.writeRole(t.Context(), nil, role(node)); err != nil {
					return err
				}
				if got := keys(c.node(node.Name)); !cmp.Equal(got, with(withRole, users...)) {
					t.Errorf("after the first apply: %v", got)
				}
				_, err := r.writeRole(t.Context(), nil, noRole(node))
				return err
			},
			want: usersOnly,
		},
		{
			name: "somebody else's reflector is left alone",
			do: func(r *Reconciler, node *corev1.Node) error {
				c.patch(node, "calicoctl", `{"metadata":{"annotations":{"`+v1alpha1.ClusterIDAnnotation+`":"1.1.1.1"}}}`)
				_, err := r.writeRole(t.Context(), nil, role(node))
				return err
			},
			want: with(usersOnly, v1alpha1.ClusterIDAnnotation, "1.1.1.1"),
			fail: errForeign,
		},
		{
			name: "somebody else's reflector is not cleared either",
			do: func(r *Reconciler, node *corev1.Node) error {
				_, err := r.writeRole(t.Context(), nil, noRole(node))
				return err
			},
			want: with(usersOnly, v1alpha1.ClusterIDAnnotation, "1.1.1.1"),
			fail: errForeign,
		},
		{
			name: "nor where another ID than that one was ours",
			do: func(r *Reconciler, node *corev1.Node) error {
				left := noRole(node)
				left.LeftID = "224.0.0.1"
				_, err := r.writeRole(t.Context(), nil, left)
				return err
			},
			want: with(usersOnly, v1alpha1.ClusterIDAnnotation, "1.1.1.1"),
			fail: errForeign,
		},
		{
			name: "an ID that was ours, and that calico-node has written back, goes",
			do: func(r *Reconciler, node *corev1.Node) error {
				c.patch(node, "calico-node", `{"metadata":{"annotations":{"`+v1alpha1.ClusterIDAnnotation+`":"224.0.0.1"}}}`)
				left := noRole(node)
				left.LeftID = "224.0.0.1"
				_, err := r.writeRole(t.Context(), nil, left)
				return err
			},
			want: usersOnly,
		},
	}
	node := newNode(1)
	node.Labels["example.com/label"] = "kept"
	node.Annotations["example.com/note"] = "kept"
	node.Annotations[v1alpha1.CordonedAnnotation] = "2026-01-01"
	c.create(node)
	r := c.reconciler()
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			err := step.do(r, c.node(node.Name))
			if !errors.Is(err, step.fail) {
				t.Errorf("error %v, want %v", err, step.fail)
			}
			if diff := cmp.Diff(step.want, keys(c.node(node.Name))); diff != "" {
				t.Errorf("keys of the node (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteRoleNeverMakesANode(t *testing.T) {
	c := ownV3(t)
	node := newNode(1)
	c.create(node)
	old := role(node)
	c.must(c.client.Delete(t.Context(), node))
	r := c.reconciler()
	if _, err := r.writeRole(t.Context(), nil, old); !apierrors.IsNotFound(err) {
		t.Errorf("role for a node that is gone: error %v, want NotFound", err)
	}
	c.create(newNode(1))
	if _, err := r.writeRole(t.Context(), nil, old); !errors.Is(err, errStep) {
		t.Errorf("role for a node that was replaced: error %v, want %v", err, errStep)
	}
	if got := keys(c.node("n001")); len(got) > 0 {
		t.Errorf("the new node has %v", got)
	}
}

func TestWriteOwnObjects(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		r := c.reconciler()
		peer := &calico.BGPPeer{
			ObjectMeta: metav1.ObjectMeta{Name: "tapetum-clients"},
			Spec:       calico.BGPPeerSpec{NodeSelector: "all()", PeerSelector: "has(a)"},
		}
		in := func() *rollout.Input {
			var in rollout.Input
			c.must(readCalico(t.Context(), c.client, r.Kinds, &in))
			in.Autoscaler = &v1alpha1.RouteReflectorAutoscaler{}
			return &in
		}
		step := func(action rollout.Action) error {
			t.Helper()
			_, err := r.writeStep(t.Context(), in(), &rollout.Step{Action: action, Object: "BGPPeer/" + peer.Name, Peer: peer})
			return err
		}
		stands := func() *calico.BGPPeer {
			t.Helper()
			found := &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: peer.Name}}
			if !c.get(found) {
				t.Fatal("the BGPPeer is not there")
			}
			if diff := cmp.Diff(peer.Spec, found.Spec); diff != "" {
				t.Errorf("specification (-want +got):\n%s", diff)
			}
			return found
		}

		c.must(step(rollout.CreatePeer))
		found := stands()
		if !calico.ManagedByUs(found) {
			t.Errorf("the BGPPeer does not say whose it is: %v", found.Labels)
		}
		if _, packed := found.Annotations[calico.MetadataAnnotation]; packed != (c.group == calico.GroupV1) {
			t.Errorf("metadata packed: %v in group %v", packed, c.group)
		}

		// What users add to our object stays.
		c.patch(found, "kubectl-edit", `{"metadata":{"annotations":{"example.com/note":"kept"}}}`)
		peer.Spec.PeerSelector = "has(b)"
		peer.Spec.NodeSelector = ""
		peer.Spec.Node = "n1"
		c.must(step(rollout.PatchPeer))
		if got := stands().Annotations["example.com/note"]; got != "kept" {
			t.Errorf("the annotation of a user is now %q", got)
		}

		// A patch decided on an older version does not go through.
		stale := in()
		c.patch(found, "kubectl-edit", `{"spec":{"peerSelector":"has(c)"}}`)
		_, err := r.writeStep(t.Context(), stale, &rollout.Step{Action: rollout.PatchPeer, Object: "BGPPeer/x", Peer: peer})
		if !apierrors.IsConflict(err) {
			t.Errorf("patch of a BGPPeer that has changed since: error %v, want a conflict", err)
		}

		c.must(step(rollout.DeletePeer))
		if c.get(found) {
			t.Error("the BGPPeer is still there")
		}
		c.must(step(rollout.DeletePeer)) // gone already: fine

		// The same name, but somebody else's.
		foreign := &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: peer.Name}, Spec: calico.BGPPeerSpec{PeerIP: "192.0.2.1", ASNumber: 65000}}
		c.create(foreign)
		for _, action := range []rollout.Action{rollout.CreatePeer, rollout.PatchPeer, rollout.DeletePeer} {
			if err := step(action); !errors.Is(err, errForeign) {
				t.Errorf("%s over somebody's BGPPeer: error %v, want %v", action, err, errForeign)
			}
		}
		c.get(foreign)
		if foreign.Spec.PeerIP != "192.0.2.1" {
			t.Errorf("somebody's BGPPeer has been changed: %+v", foreign.Spec)
		}

		// CalicoNodeStatus.
		wanted := sessions.New("n1")
		wanted.Status.LastUpdated = metav1.Now() // as read before somebody deleted it
		status := func(action rollout.Action) {
			t.Helper()
			_, err := r.writeStep(t.Context(), in(), &rollout.Step{Action: action, Object: "CalicoNodeStatus/x", NodeStatus: wanted})
			c.must(err)
		}
		status(rollout.CreateStatus)
		asks := &calico.CalicoNodeStatus{ObjectMeta: metav1.ObjectMeta{Name: wanted.Name}}
		if !c.get(asks) || !sessions.Asks(asks) {
			t.Errorf("CalicoNodeStatus %+v does not ask for the sessions of n1", asks)
		}
		if !asks.Status.LastUpdated.IsZero() {
			t.Errorf("a new CalicoNodeStatus has an old answer: %+v", asks.Status)
		}
		c.patch(asks, "kubectl-edit", `{"spec":{"updatePeriodSeconds":60}}`)
		status(rollout.PatchStatus)
		if c.get(asks); !sessions.Asks(asks) {
			t.Errorf("after the patch CalicoNodeStatus %+v does not ask for the sessions of n1", asks)
		}
		status(rollout.DeleteStatus)
		if c.get(asks) {
			t.Error("the CalicoNodeStatus is still there")
		}
	})
}

func TestWriteMesh(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		r := c.reconciler()
		write := func(action rollout.Action, mesh *rollout.MeshFields) {
			t.Helper()
			var in rollout.Input
			c.must(readCalico(t.Context(), c.client, r.Kinds, &in))
			in.Autoscaler = &v1alpha1.RouteReflectorAutoscaler{}
			_, err := r.writeStep(t.Context(), &in, &rollout.Step{Action: action, Object: "BGPConfiguration/default", Mesh: mesh})
			c.must(err)
		}
		configuration := &calico.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: calico.DefaultConfiguration}}
		spec := func() calico.BGPConfigurationSpec {
			t.Helper()
			fresh := &calico.BGPConfiguration{ObjectMeta: configuration.ObjectMeta}
			if !c.get(fresh) {
				t.Fatal("there is no BGPConfiguration default")
			}
			return fresh.Spec
		}

		// Where there is none: on has nothing to do, off makes one with one field.
		write(rollout.MeshOn, &rollout.MeshFields{})
		if c.get(configuration) {
			t.Error("mesh on has made a BGPConfiguration")
		}
		write(rollout.MeshOff, &rollout.MeshFields{})
		if diff := cmp.Diff(calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: ptr.To(false)}, spec()); diff != "" {
			t.Errorf("made for mesh off (-want +got):\n%s", diff)
		}
		write(rollout.MeshOn, &rollout.MeshFields{})
		if diff := cmp.Diff(calico.BGPConfigurationSpec{}, spec()); diff != "" {
			t.Errorf("after mesh on (-want +got):\n%s", diff)
		}

		// All fields of a user's are restored, others are not touched.
		c.get(configuration)
		c.must(c.client.Delete(t.Context(), configuration))
		full := calico.BGPConfigurationSpec{
			NodeToNodeMeshEnabled:  ptr.To(true),
			ASNumber:               ptr.To(uint32(65001)),
			NodeMeshMaxRestartTime: &metav1.Duration{Duration: 3 * time.Minute},
			NodeMeshPassword: &calico.BGPPassword{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "bgp"}, Key: "mesh",
			}},
		}
		c.create(&calico.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: calico.DefaultConfiguration}, Spec: full})
		write(rollout.MeshOff, &rollout.MeshFields{})
		if diff := cmp.Diff(calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: ptr.To(false), ASNumber: full.ASNumber}, spec()); diff != "" {
			t.Errorf("after mesh off (-want +got):\n%s", diff)
		}
		write(rollout.MeshOn, &rollout.MeshFields{
			Enabled: full.NodeToNodeMeshEnabled, Password: full.NodeMeshPassword, MaxRestartTime: full.NodeMeshMaxRestartTime, Existed: true,
		})
		if diff := cmp.Diff(full, spec()); diff != "" {
			t.Errorf("after mesh on (-want +got):\n%s", diff)
		}
	})
}

func TestWritePolicy(t *testing.T) {
	c := ownV3(t)
	r := c.reconciler()
	c.create(&v1alpha1.RouteReflectorAutoscaler{ObjectMeta: metav1.ObjectMeta{
		Name: v1alpha1.SingletonName, Annotations: map[string]string{"example.com/note": "kept"}, Finalizers: []string{"example.com/other"},
	}})
	step := func(action rollout.Action, mesh *rollout.MeshFields) bool {
		t.Helper()
		gone, err := r.writeStep(t.Context(), &rollout.Input{Autoscaler: c.policy()}, &rollout.Step{Action: action, Object: "RouteReflectorAutoscaler/default", Mesh: mesh})
		c.must(err)
		return gone
	}
	kept := rollout.MeshFields{Enabled: ptr.To(true), MaxRestartTime: &metav1.Duration{Duration: time.Minute}, Existed: true}

	step(rollout.AddFinalizer, nil)
	step(rollout.SaveMesh, &kept)
	policy := c.policy()
	if diff := cmp.Diff([]string{"example.com/other", v1alpha1.Finalizer}, policy.Finalizers); diff != "" {
		t.Errorf("finalizers (-want +got):\n%s", diff)
	}
	var back rollout.MeshFields
	c.must(json.Unmarshal([]byte(policy.Annotations[v1alpha1.MeshAnnotation]), &back))
	if diff := cmp.Diff(kept, back); diff != "" {
		t.Errorf("kept mesh fields (-want +got):\n%s", diff)
	}

	step(rollout.ForgetMesh, nil)
	if diff := cmp.Diff(map[string]string{"example.com/note": "kept"}, c.policy().Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if step(rollout.RemoveFinalizer, nil) {
		t.Error("a policy that is not being deleted counts as gone")
	}
	if diff := cmp.Diff([]string{"example.com/other"}, c.policy().Finalizers); diff != "" {
		t.Errorf("finalizers (-want +got):\n%s", diff)
	}

	step(rollout.AddFinalizer, nil)
	c.must(c.client.Delete(t.Context(), c.policy()))
	if step(rollout.RemoveFinalizer, nil) {
		t.Error("a policy that somebody else still holds counts as gone")
	}
	c.patch(policy, "kubectl-edit", `{"metadata":{"finalizers":null}}`)
	if c.get(policy) {
		t.Error("the policy is still there")
	}
}
