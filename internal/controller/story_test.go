package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/rollout"
)

// fastPolicy moves to three reflectors as fast as it may.
func fastPolicy() *v1alpha1.RouteReflectorAutoscaler {
	policy := newPolicy()
	policy.Spec = v1alpha1.RouteReflectorAutoscalerSpec{
		Topology: v1alpha1.TopologySingle,
		Scaling:  v1alpha1.Scaling{NodesPerReflector: ptr.To(int32(5)), ScaleDownStabilizationSeconds: ptr.To(int32(1))},
		Rollout:  v1alpha1.Rollout{SettleSeconds: ptr.To(int32(0))},
	}
	return policy
}

// theirs are objects of users that nothing may change.
func theirs() []client.Object {
	node := newNode(0)
	node.Name = "n900"
	node.Annotations["projectcalico.org/IPv4Address"] = "10.9.0.1/16"
	node.Labels["example.com/label"] = "kept"
	node.Annotations["example.com/note"] = "kept"
	return []client.Object{
		node,
		&calico.BGPPeer{
			ObjectMeta: metav1.ObjectMeta{Name: "top-of-rack", Labels: map[string]string{"example.com/label": "kept"}},
			Spec:       calico.BGPPeerSpec{NodeSelector: "has(nowhere)", PeerIP: "192.0.2.1", ASNumber: 65000},
		},
		&calico.BGPConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: calico.DefaultConfiguration},
			Spec: calico.BGPConfigurationSpec{
				ASNumber: ptr.To(uint32(64600)), NodeMeshMaxRestartTime: &metav1.Duration{Duration: 100 * time.Second},
			},
		},
	}
}

// untouched compares what users have set with what stands, beside the keys of a
// role, which their nodes may have.
func (c *cluster) untouched(objects []client.Object) {
	c.t.Helper()
	for _, before := range objects {
		after, ok := before.DeepCopyObject().(client.Object)
		if !ok || !c.get(after) {
			c.t.Errorf("%T %s is gone", before, before.GetName())
			continue
		}
		labels, annotations := after.GetLabels(), after.GetAnnotations()
		maps.DeleteFunc(labels, func(key, _ string) bool { return render.IsRoleLabel(key) })
		delete(annotations, v1alpha1.ClusterIDAnnotation)
		if diff := cmp.Diff(before.GetLabels(), labels); diff != "" {
			c.t.Errorf("labels of %T %s (-before +after):\n%s", before, before.GetName(), diff)
		}
		if diff := cmp.Diff(before.GetAnnotations(), annotations); diff != "" {
			c.t.Errorf("annotations of %T %s (-before +after):\n%s", before, before.GetName(), diff)
		}
		switch before := before.(type) {
		case *calico.BGPPeer:
			if diff := cmp.Diff(before.Spec, after.(*calico.BGPPeer).Spec); diff != "" {
				c.t.Errorf("BGPPeer %s (-before +after):\n%s", before.Name, diff)
			}
		case *calico.BGPConfiguration:
			if diff := cmp.Diff(before.Spec, after.(*calico.BGPConfiguration).Spec); diff != "" {
				c.t.Errorf("BGPConfiguration %s (-before +after):\n%s", before.Name, diff)
			}
		}
	}
}

func (c *cluster) roles() map[string]string {
	c.t.Helper()
	var list corev1.NodeList
	c.must(c.client.List(c.t.Context(), &list))
	found := map[string]string{}
	for i := range list.Items {
		if clusterID, ok := list.Items[i].Annotations[v1alpha1.ClusterIDAnnotation]; ok {
			found[list.Items[i].Name] = clusterID
		}
	}
	return found
}

// onReflectors waits until the mesh is off and so many nodes are reflectors.
func (c *cluster) onReflectors(count int) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("%d reflectors and the mesh off", count), func() (bool, string) {
		status := c.policy().Status
		done := meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) &&
			!meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionProgressing) &&
			status.Mesh == v1alpha1.MeshOff && int(status.ReflectorCount) == count
		return done, fmt.Sprintf("next %q, conditions %+v", status.NextStep, status.Conditions)
	})
	if got := len(c.roles()); got != count {
		c.t.Errorf("%d nodes are reflectors, want %d: %v", got, count, c.roles())
	}
}

func TestStory(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		t.Parallel() // each set has an API server of its own, and much of it is waiting
		users := theirs()
		c.create(users...)
		for n := range 11 {
			c.create(newNode(n))
		}
		c.create(fastPolicy())
		c.answerStatuses()
		var w writes
		c.start(Options{Config: w.watch(c.config())})
		c.onReflectors(3)

		var peers calico.BGPPeerList
		c.must(c.client.List(t.Context(), &peers))
		ours := slices.DeleteFunc(peers.Items, func(p calico.BGPPeer) bool { return !calico.ManagedByUs(&p) })
		if len(ours) != 4 {
			t.Errorf("%d BGPPeers of ours for 3 reflectors, want 1 for the clients and 3 pins", len(ours))
		}

		// Steady: whatever heartbeats come, nothing is written.
		c.eventually("rest", func() (bool, string) { next := c.policy().Status.NextStep; return next == "none", next })
		before := w.objects()
		for beat := range 5 {
			for n := range 11 {
				c.heartbeat(n, beat)
			}
		}
		c.create(newNode(11)) // an ordinary node: a pass, but no write beside the status
		c.eventually("the new node to be counted", func() (bool, string) {
			return c.policy().Status.Nodes == 13, fmt.Sprint(c.policy().Status.Nodes)
		})
		if after := w.objects(); after > before {
			t.Errorf("heartbeats and a new node made writes beside the status: %v", &w)
		}

		// Uninstall: the mesh is back, nothing of ours stays, all of theirs does.
		c.must(c.client.Delete(t.Context(), c.policy()))
		c.eventually("the policy to go", func() (bool, string) {
			policy := newPolicy()
			return !c.get(policy), fmt.Sprintf("%+v", policy.Status)
		})
		if got := c.roles(); len(got) > 0 {
			t.Errorf("reflectors are left: %v", got)
		}
		c.must(c.client.List(t.Context(), &peers))
		if len(peers.Items) != 1 {
			t.Errorf("BGPPeers are left: %+v", peers.Items)
		}
		var statuses calico.CalicoNodeStatusList
		c.must(c.client.List(t.Context(), &statuses))
		if len(statuses.Items) != 0 {
			t.Errorf("CalicoNodeStatuses are left: %+v", statuses.Items)
		}
		c.untouched(users)
		for n := range 12 {
			if got := keys(c.node(newNode(n).Name)); len(got) > 0 {
				t.Errorf("node %d keeps %v", n, got)
			}
		}
	})
}

func TestStoryWithTwoLeaders(t *testing.T) {
	// Two that both believe to lead, as after a lease that was lost in a long pause.
	c := ownV3(t)
	users := theirs()
	c.create(users...)
	for n := range 8 {
		c.create(newNode(n))
	}
	c.create(fastPolicy())
	c.answerStatuses()
	c.start(Options{})
	c.start(Options{})
	c.onReflectors(3)
	if reverts := c.policy().Status.Reverts; len(reverts) > 0 {
		t.Errorf("the two take each other for somebody who reverts: %+v", reverts)
	}
	var peers calico.BGPPeerList
	c.must(c.client.List(t.Context(), &peers))
	if len(peers.Items) != 5 {
		t.Errorf("%d BGPPeers, want 4 of ours and 1 of the user", len(peers.Items))
	}
	c.untouched(users[:2])
}

func TestStoryOfSomebodyWhoKeepsReverting(t *testing.T) {
	c := ownV3(t)
	for n := range 8 {
		c.create(newNode(n))
	}
	c.create(fastPolicy())
	c.answerStatuses()
	var w writes
	c.start(Options{Config: w.watch(c.config())})
	c.onReflectors(3)

	peer := &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tapetum-clients"}}
	c.get(peer)
	ours := peer.Spec
	for revert := range 3 {
		c.patch(peer, "flux", `{"spec":{"peerSelector":"has(elsewhere)"}}`)
		c.eventually(fmt.Sprintf("revert %d to be answered", revert), func() (bool, string) {
			fresh := &calico.BGPPeer{ObjectMeta: peer.ObjectMeta}
			c.get(fresh)
			reverts := c.policy().Status.Reverts
			return equality.Semantic.DeepEqual(fresh.Spec, ours) && len(reverts) == 1 && len(reverts[0].Times) == revert+1, fmt.Sprintf("%+v, %+v", fresh.Spec, reverts)
		})
	}
	c.eventually("Degraded/Contested", c.degraded(rollout.ReasonContested))
	degraded := meta.FindStatusCondition(c.policy().Status.Conditions, v1alpha1.ConditionDegraded)
	if !strings.Contains(degraded.Message, `"flux"`) {
		t.Errorf("the message %q does not name the field manager", degraded.Message)
	}
	before := w.objects()
	c.patch(peer, "flux", `{"spec":{"peerSelector":"has(elsewhere)"}}`)
	c.patch(c.node("n001"), "kubectl-edit", `{"metadata":{"labels":{"example.com/marker":"here"}}}`)
	time.Sleep(2 * time.Second)               // there is nothing to wait for: nothing is to happen
	if after := w.objects(); after > before { // the status may tell of it
		t.Errorf("contested, and yet written: %v", &w)
	}
}

func TestStoryOfHandsOnNodes(t *testing.T) {
	c := ownV3(t)
	for n := range 8 {
		c.create(newNode(n))
	}
	c.create(fastPolicy())
	c.answerStatuses()
	c.start(Options{})
	c.onReflectors(3)
	before := c.roles()
	for name := range before {
		want := keys(c.node(name))
		c.patch(c.node(name), "kubectl-label", `{"metadata":{"labels":{"`+v1alpha1.ReflectorLabel+`":null}}}`)
		c.eventually("the label of "+name+" to be back", func() (bool, string) {
			got := keys(c.node(name))
			return cmp.Equal(want, got), fmt.Sprint(got)
		})
		break
	}
	c.onReflectors(3)
	if diff := cmp.Diff(before, c.roles()); diff != "" {
		t.Errorf("reflectors (-before +after):\n%s", diff)
	}
}
