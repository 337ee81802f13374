package controller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
)

func newPolicy() *v1alpha1.RouteReflectorAutoscaler {
	return &v1alpha1.RouteReflectorAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SingletonName}}
}

// ready tells whether the status says that the script is done.
func (c *cluster) ready() (bool, string) {
	policy := c.policy()
	return meta.IsStatusConditionTrue(policy.Status.Conditions, v1alpha1.ConditionReady), fmt.Sprintf("%+v", policy.Status)
}

func (c *cluster) degraded(reason string) func() (bool, string) {
	return func() (bool, string) {
		condition := meta.FindStatusCondition(c.policy().Status.Conditions, v1alpha1.ConditionDegraded)
		return condition != nil && condition.Status == metav1.ConditionTrue && condition.Reason == reason, fmt.Sprintf("%+v", condition)
	}
}

const quick = 200 * time.Millisecond

func TestRunTakesEachStepOnce(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		for n := range 5 {
			c.create(newNode(n))
		}
		c.create(newPolicy())
		s := &script{peers: []string{"tapetum-a", "tapetum-b", "tapetum-c"}, roles: []string{"n001", "n003"}}
		var w writes
		c.start(Options{Config: w.watch(c.config()), Decide: s.decide})
		c.eventually("the script to be done", c.ready)

		w.mu.Lock()
		for request, n := range w.count {
			if n != 1 && request != "POST "+c.path("bgppeers", "") && request != statusPatch {
				t.Errorf("%s was sent %d times, want once", request, n)
			}
		}
		if got := w.count["POST "+c.path("bgppeers", "")]; got != 3 {
			t.Errorf("%d BGPPeers were created, want 3", got)
		}
		for _, node := range s.roles {
			if got := w.count["PATCH /api/v1/nodes/"+node]; got != 1 {
				t.Errorf("node %s was patched %d times, want once", node, got)
			}
		}
		w.mu.Unlock()

		// Nothing more is written, whatever heartbeats come; and none of them makes
		// a pass.
		mark := func(value string) {
			c.patch(c.node("n002"), "kubectl-edit", `{"metadata":{"labels":{"example.com/marker":"`+value+`"}}}`)
			c.eventually("the marker to be seen", func() (bool, string) {
				_, last := s.seen()
				marked := slices.ContainsFunc(last.Nodes, func(n inventory.Node) bool { return n.Labels["example.com/marker"] == value })
				return marked, fmt.Sprint(last.Nodes)
			})
		}
		mark("first") // what the cache has still to tell of the steps comes before it
		calls, _ := s.seen()
		before := w.total()
		for beat := range 10 {
			for n := range 5 {
				c.heartbeat(n, beat)
			}
		}
		mark("second")
		if after, _ := s.seen(); after != calls+1 {
			t.Errorf("50 heartbeats and one change made %d passes, want 1", after-calls)
		}
		if after := w.total(); after != before {
			t.Errorf("heartbeats made writes: %v", &w)
		}
	})
}

const statusPatch = "PATCH /apis/tapetum.dev/v1alpha1/routereflectorautoscalers/default/status"

func (c *cluster) path(resource, name string) string {
	path := "/apis/" + c.group.String() + "/" + resource
	if name != "" {
		path += "/" + name
	}
	return path
}

// heartbeat does what a kubelet does every few minutes.
func (c *cluster) heartbeat(n, beat int) {
	c.t.Helper()
	node := c.node(newNode(n).Name)
	node.Status.Conditions[0].LastHeartbeatTime = metav1.NewTime(time.Now().Add(time.Duration(beat) * time.Minute))
	node.Status.Images = []corev1.ContainerImage{{Names: []string{fmt.Sprintf("image-%d", beat)}}}
	c.must(c.client.Status().Update(c.t.Context(), node))
}

func TestRunPutsBackWhatIsRemovedByHand(t *testing.T) {
	c := ownV3(t)
	c.create(newNode(1), newPolicy())
	s := &script{peers: []string{"tapetum-a"}, roles: []string{"n001"}}
	c.start(Options{Decide: s.decide})
	c.eventually("the script to be done", c.ready)

	c.patch(c.node("n001"), "kubectl-edit", `{"metadata":{"annotations":{"`+v1alpha1.ClusterIDAnnotation+`":null}}}`)
	c.eventually("the annotation to be back", func() (bool, string) {
		node := c.node("n001")
		return node.Annotations[v1alpha1.ClusterIDAnnotation] == id, fmt.Sprint(node.Annotations)
	})
	peer := &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tapetum-a"}}
	c.must(c.client.Delete(t.Context(), peer))
	c.eventually("the BGPPeer to be back", func() (bool, string) { return c.get(peer), "not there" })
}

func TestRunModesThatWriteNothing(t *testing.T) {
	c := ownV3(t)
	policy := newPolicy()
	policy.Spec.Mode = v1alpha1.ModeDryRun
	c.create(newNode(1), policy)
	s := &script{peers: []string{"tapetum-a"}, roles: []string{"n001"}}
	var w writes
	c.start(Options{Config: w.watch(c.config()), Decide: s.decide})
	says := func() (bool, string) {
		condition := meta.FindStatusCondition(c.policy().Status.Conditions, v1alpha1.ConditionReady)
		return condition != nil && condition.Message == "BGPPeer/tapetum-a", fmt.Sprint(condition)
	}
	c.eventually("the plan in the status", says)
	c.patch(policy, "kubectl-edit", `{"spec":{"mode":"Paused"}}`)
	c.eventually("the new generation in the status", func() (bool, string) {
		policy := c.policy()
		condition := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionReady)
		return condition.ObservedGeneration == policy.Generation, fmt.Sprint(condition)
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for request := range w.count {
		if request != statusPatch {
			t.Errorf("wrote %s", request)
		}
	}
}

func TestRunWaitsForTheDatastore(t *testing.T) {
	c := ownV3(t)
	information := &calico.ClusterInformation{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec:       calico.ClusterInformationSpec{DatastoreReady: ptr.To(false)},
	}
	c.create(newNode(1), information, newPolicy())
	s := &script{peers: []string{"tapetum-a"}}
	c.start(Options{Decide: s.decide})
	c.eventually("a pass", func() (bool, string) {
		calls, _ := s.seen()
		return calls > 0 && c.policy().Status.Nodes == 1, "none"
	})
	peer := &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tapetum-a"}}
	if c.get(peer) {
		t.Error("a BGPPeer was written while datastoreReady was false")
	}
	c.patch(information, "calico", `{"spec":{"datastoreReady":true}}`)
	c.eventually("the BGPPeer", func() (bool, string) { return c.get(peer), "not there" })
}

func TestRunReportsWhatTheAPIRefuses(t *testing.T) {
	c := ownV3(t)
	c.create(newNode(1), newPolicy())
	// A name that is taken by somebody else's object.
	foreign := &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tapetum-a"}, Spec: calico.BGPPeerSpec{PeerIP: "192.0.2.1", ASNumber: 65000}}
	c.create(foreign)
	s := &script{}
	c.start(Options{Decide: func(in rollout.Input) rollout.Output {
		out := s.decide(in)
		out.Step = &rollout.Step{
			Action: rollout.DeletePeer, Object: "BGPPeer/tapetum-a", Subtractive: true,
			Peer: &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tapetum-a"}},
		}
		return out
	}})
	c.eventually("Degraded", c.degraded(reasonRefused))
	if !c.get(foreign) {
		t.Error("somebody's BGPPeer was deleted")
	}
}

func TestRunTwoReplicas(t *testing.T) {
	c := ownV3(t)
	for n := range 3 {
		c.create(newNode(n))
	}
	c.create(newPolicy())
	start := func(s *script, w *writes) func() {
		return c.start(Options{
			Config: w.watch(c.config()), Decide: s.decide,
			LeaderElect: true, LeaderElectionNamespace: namespace,
			// Given up when the leader stops, and not lost before, however slow the machine.
			LeaseDuration: ptr.To(patience), RenewDeadline: ptr.To(patience / 2), RetryPeriod: ptr.To(quick),
		})
	}
	first, second := &script{peers: []string{"tapetum-a"}}, &script{peers: []string{"tapetum-a", "tapetum-b"}, roles: []string{"n001"}}
	var w1, w2 writes
	stopFirst := start(first, &w1)
	c.eventually("the first replica to be done", c.ready)
	start(second, &w2)
	c.patch(c.node("n000"), "kubectl-edit", `{"metadata":{"labels":{"example.com/marker":"here"}}}`)
	c.eventually("the leader to see the marker", func() (bool, string) {
		_, last := first.seen()
		return slices.ContainsFunc(last.Nodes, func(n inventory.Node) bool { return n.Labels["example.com/marker"] != "" }), "not yet"
	})
	if calls, _ := second.seen(); calls != 0 || w2.total() != 0 {
		t.Errorf("the standby made %d passes and the writes %v", calls, &w2)
	}
	stopFirst()
	calls, _ := first.seen()
	c.eventually("the second replica to take over", func() (bool, string) {
		node := c.node("n001")
		return node.Annotations[v1alpha1.ClusterIDAnnotation] == id, fmt.Sprint(node.Annotations)
	})
	if now, _ := first.seen(); now != calls {
		t.Error("the first replica went on after it had stopped")
	}
	w2.mu.Lock()
	defer w2.mu.Unlock()
	if got := w2.count["POST "+c.path("bgppeers", "")]; got != 1 {
		t.Errorf("the second replica created %d BGPPeers, want the missing one only", got)
	}
}

func TestRunOutlivesTheAPIServer(t *testing.T) {
	c := ownV3(t)
	c.create(newNode(1), newNode(2), newPolicy())
	s := &script{peers: []string{"tapetum-a"}}
	var w writes
	c.start(Options{
		Config: w.watch(c.config()), Decide: s.decide, LookInterval: quick,
		LeaderElect: true, LeaderElectionNamespace: namespace,
		LeaseDuration: ptr.To(3 * time.Second), RenewDeadline: ptr.To(2 * time.Second), RetryPeriod: ptr.To(quick),
	})
	c.eventually("the script to be done", c.ready)
	c.must(c.plane.StopAPI())
	time.Sleep(4 * time.Second) // longer than the lease, so that it is lost
	c.must(c.plane.StartAPI())
	// What happened meanwhile is noticed, by whatever way it comes.
	s.mu.Lock()
	s.roles = []string{"n002"}
	s.mu.Unlock()
	c.patch(c.node("n001"), "kubectl-edit", `{"metadata":{"labels":{"example.com/marker":"here"}}}`)
	c.eventually("the role after the API server is back", func() (bool, string) {
		node := c.node("n002")
		return node.Annotations[v1alpha1.ClusterIDAnnotation] == id, fmt.Sprint(node.Annotations)
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := w.count["POST "+c.path("bgppeers", "")]; got != 1 {
		t.Errorf("the BGPPeer was created %d times, want once", got)
	}
}
