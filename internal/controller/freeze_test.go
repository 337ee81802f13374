package controller

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/rollout"
)

func ownV1(t *testing.T) *cluster {
	t.Helper()
	set, err := controlplane.OwnCalicoCRDs(calico.GroupV1.Group)
	if err != nil {
		t.Fatal(err)
	}
	return withSet(t, calico.GroupV1, set)
}

// brokenAPIService registers projectcalico.org/v3 at a server that is not there.
func brokenAPIService() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": "v3.projectcalico.org"},
		"spec": map[string]any{
			"group": "projectcalico.org", "version": "v3",
			"groupPriorityMinimum": int64(1500), "versionPriority": int64(200), "insecureSkipTLSVerify": true,
			"service": map[string]any{"namespace": "default", "name": "nobody"},
		},
	}}
}

func TestRunFreezesWhileV3IsUnavailable(t *testing.T) {
	c := ownV1(t)
	c.create(newNode(1), newPolicy())
	service := brokenAPIService()
	c.must(c.client.Create(t.Context(), service))
	t.Cleanup(func() { c.must(client.IgnoreNotFound(c.client.Delete(context.Background(), brokenAPIService()))) })
	s := &script{peers: []string{"tapetum-a"}}
	var w writes
	start := func() func() {
		return c.start(Options{Config: w.watch(c.config()), Decide: s.decide, LookInterval: quick})
	}

	// From the start.
	stop := start()
	c.eventually("Degraded/Frozen", c.degraded(rollout.ReasonFrozen))
	w.mu.Lock()
	for request := range w.count {
		if request != statusPatch {
			t.Errorf("wrote %s while frozen", request)
		}
	}
	w.mu.Unlock()
	c.must(c.client.Delete(t.Context(), service))
	c.eventually("the script to be done in group v1", c.ready)

	// While it runs.
	c.must(c.client.Create(t.Context(), brokenAPIService()))
	c.eventually("Degraded/Frozen", c.degraded(rollout.ReasonFrozen))
	peer := &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tapetum-a"}}
	c.must(c.client.Delete(t.Context(), peer))
	c.patch(c.node("n001"), "kubectl-edit", `{"metadata":{"labels":{"example.com/marker":"here"}}}`)
	c.eventually("a pass after the BGPPeer has gone", func() (bool, string) {
		_, last := s.seen()
		return len(last.Peers) == 0 && last.Frozen != "" && last.Nodes[0].Labels["example.com/marker"] != "", fmt.Sprintf("%+v", last.Peers)
	})
	if c.get(peer) {
		t.Error("a BGPPeer was written while frozen")
	}
	c.must(c.client.Delete(t.Context(), brokenAPIService()))
	c.eventually("the BGPPeer", func() (bool, string) { return c.get(peer), "not there" })
	stop()
}

func TestRunFollowsAChangeOfTheGroup(t *testing.T) {
	c := ownV1(t)
	c.create(newNode(1), newPolicy())
	s := &script{peers: []string{"tapetum-a"}}
	c.start(Options{Decide: s.decide, LookInterval: quick})
	c.eventually("the script to be done in group v1", c.ready)

	v3, err := controlplane.OwnCalicoCRDs(calico.GroupV3.Group)
	c.must(err)
	c.must(c.plane.InstallCRDs(t.Context(), v3.Files))
	t.Cleanup(func() {
		objects, err := controlplane.ReadObjects(v3.Files)
		c.must(err)
		for _, object := range objects {
			c.must(c.client.Delete(context.Background(), object))
		}
	})
	after := &cluster{t: t, plane: c.plane, group: calico.GroupV3}
	after.client = after.newClient(c.plane.Config())
	peer := &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tapetum-a"}}
	after.eventually("the BGPPeer in group v3", func() (bool, string) { return after.get(peer), "not there" })
	if _, packed := peer.Annotations[calico.MetadataAnnotation]; packed {
		t.Error("the object in group v3 carries packed metadata")
	}
}
