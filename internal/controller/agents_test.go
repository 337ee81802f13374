package controller

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/tagfilter"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// agentPod is calico-node on a node.
func agentPod(namespace, name, node, image string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{tagfilter.AgentLabel: tagfilter.AgentLabelValue}},
		Spec: corev1.PodSpec{
			NodeName: node, HostNetwork: true,
			Containers: []corev1.Container{
				{Name: "sidecar", Image: "sidecar:v0.1.0"},
				{Name: tagfilter.AgentContainer, Image: image},
			},
		},
	}
}

const (
	newAgent = "docker.io/calico/node:v3.32.0"
	oldAgent = "docker.io/calico/node:v3.31.7"
)

func TestAgentWatch(t *testing.T) {
	changes := 0
	a := newAgentWatch(nil, nil, func() { changes++ })
	a.started = true
	var nodes []inventory.Node
	for _, name := range []string{"a", "b"} {
		nodes = append(nodes, inventory.Node{Name: name})
	}
	pod := func(name, node, image string) *corev1.Pod {
		trimmed, err := trimPod(agentPod("kube-system", name, node, image))
		if err != nil {
			t.Fatal(err)
		}
		return trimmed.(*corev1.Pod)
	}
	finished := pod("p2", "b", oldAgent)
	finished.Status.Phase = corev1.PodFailed
	steps := []struct {
		name    string
		do      func()
		want    map[string]bool
		changes int
	}{
		{"first", func() { a.onPod(pod("p1", "a", newAgent)) }, map[string]bool{"a": true}, 1},
		{"again", func() { a.onPod(pod("p1", "a", newAgent)) }, map[string]bool{"a": true}, 0},
		{"not scheduled", func() { a.onPod(pod("p9", "", oldAgent)) }, map[string]bool{"a": true}, 0},
		{"an old one", func() { a.onPod(pod("p2", "b", oldAgent)) }, map[string]bool{"a": true, "b": false}, 1},
		{"old and new", func() { a.onPod(pod("p3", "b", newAgent)) }, map[string]bool{"a": true, "b": false}, 1},
		{"the old one has ended", func() { a.onPod(finished) }, map[string]bool{"a": true, "b": true}, 1},
		{"the last one is deleted: what it was counts on", func() { a.onDelete(pod("p1", "a", newAgent)) }, map[string]bool{"a": true, "b": true}, 0},
		{"until another comes", func() { a.onPod(pod("p4", "a", oldAgent)) }, map[string]bool{"a": false, "b": true}, 1},
		{"deleted unseen", func() {
			a.onDelete(cache.DeletedFinalStateUnknown{Key: "kube-system/p4", Obj: pod("p4", "a", oldAgent)})
		}, map[string]bool{"a": false, "b": true}, 0},
		{"an unknown one is deleted", func() { a.onDelete(pod("p8", "a", oldAgent)) }, map[string]bool{"a": false, "b": true}, 0},
		{"the node goes", func() { nodes = nodes[1:]; a.onPod(pod("p3", "b", oldAgent)) }, map[string]bool{"b": false}, 1},
	}
	for _, step := range steps {
		before := changes
		step.do()
		got, problem, err := a.read(t.Context(), nodes)
		if err != nil || problem != "" {
			t.Errorf("%s: problem %q, error %v", step.name, problem, err)
		}
		if diff := cmp.Diff(step.want, got.Nodes); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if changes-before != step.changes {
			t.Errorf("%s: %d passes asked for, want %d", step.name, changes-before, step.changes)
		}
	}
}

func (c *cluster) namespace(name string) {
	c.t.Helper()
	err := c.client.Create(c.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if !apierrors.IsAlreadyExists(err) {
		c.must(err)
	}
}

// What the controller knows of the tag filter, with the rights that it has, as the
// cluster changes.
func TestTagFilterFacts(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		for n := range 4 {
			c.create(newNode(n))
		}
		c.namespace("calico-system")
		information := &calico.ClusterInformation{
			ObjectMeta: metav1.ObjectMeta{Name: clusterInformation},
			Spec:       calico.ClusterInformationSpec{CalicoVersion: "v3.31.7"},
		}
		stranger := agentPod("default", "stranger", "n003", newAgent)
		other := agentPod("kube-system", "other", "n002", newAgent)
		other.Labels = map[string]string{tagfilter.AgentLabel: "calico-kube-controllers"}
		c.create(
			agentPod("kube-system", "calico-node-0", "n000", newAgent),
			agentPod("calico-system", "calico-node-1", "n001", oldAgent),
			stranger, other, information, newPolicy(),
		)
		s := &script{}
		c.start(Options{Decide: s.decide, LookInterval: quick})
		until := func(what string, want topology.TagFilterSupport) {
			t.Helper()
			c.eventually(what, func() (bool, string) {
				calls, last := s.seen()
				return calls > 0 && cmp.Equal(want, last.TagFilter), fmt.Sprintf("%d calls, %+v", calls, last.TagFilter)
			})
		}
		until("an old Calico", topology.TagFilterSupport{Why: "Calico is v3.31.7, and v3.32.0 is needed"})
		c.patch(information, "calico", `{"spec":{"calicoVersion":"v3.32.0"}}`)
		until("a new one with one old node", topology.TagFilterSupport{
			Cluster: true, Why: "calico-node is older than v3.32.0 on n001 (v3.31.7)", Nodes: map[string]bool{"n000": true, "n001": false},
		})
		c.must(c.client.Delete(t.Context(), agentPod("calico-system", "calico-node-1", "", ""), client.GracePeriodSeconds(0)))
		c.create(agentPod("calico-system", "calico-node-2", "n001", newAgent))
		until("the node to be new", topology.TagFilterSupport{Cluster: true, Nodes: map[string]bool{"n000": true, "n001": true}})
		c.patch(c.policy(), "kubectl-edit", `{"spec":{"topology":"`+string(v1alpha1.TopologySingle)+`"}}`)
		until("a policy that needs none", topology.TagFilterSupport{Why: "the topology asked for does without"})
	})
}
