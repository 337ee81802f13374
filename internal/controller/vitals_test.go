package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// nodeLease was renewed at a moment by the node's own clock.
func nodeLease(node string, renewed time.Time) *coordinationv1.Lease {
	at := metav1.NewMicroTime(renewed)
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: leaseNamespace, Name: node},
		Spec:       coordinationv1.LeaseSpec{RenewTime: &at},
	}
}

// Leases on the real API server: what counts is when a Lease is seen to change, not
// what the clocks of nodes say.
func TestLeases(t *testing.T) {
	c := ownV3(t)
	c.namespace(leaseNamespace)
	for n := range 8 {
		node := newNode(n)
		if n < 2 {
			node.Labels[v1alpha1.ReflectorLabel] = "core"
		}
		c.create(node)
	}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	kicks := 0
	w := newVitalWatch(c.client, c.client, nil, func() time.Time { return now }, func() { kicks++ }, testLog(t))
	if got := w.of(t.Context(), []inventory.Node{{Name: "n009"}}, corev1.LabelTopologyZone); got != nil {
		t.Errorf("without reflectors %v", got)
	}
	w.of(t.Context(), []inventory.Node{{Name: "n000", Labels: map[string]string{v1alpha1.ReflectorLabel: "core"}}}, corev1.LabelTopologyZone)
	// Its clock is an hour behind, the other's a day ahead.
	slow, fast := now.Add(-time.Hour), now.Add(24*time.Hour)
	lease := nodeLease("n000", slow)
	c.create(lease, nodeLease("n001", fast))
	round := func(name string, kicked int, want map[string]inventory.Vital) {
		t.Helper()
		before := kicks
		w.round(t.Context())
		if diff := cmp.Diff(want, w.read()); diff != "" || kicks-before != kicked {
			t.Errorf("%s: %d kicks, want %d; (-want +got)\n%s", name, kicks-before, kicked, diff)
		}
	}
	round("first", 0, map[string]inventory.Vital{})
	start := now
	now = now.Add(10 * time.Second)
	lease.Spec.RenewTime = &metav1.MicroTime{Time: slow.Add(10 * time.Second)}
	c.must(c.client.Update(t.Context(), lease))
	round("one is renewed", 0, map[string]inventory.Vital{"n000": {Heartbeat: now}})
	renewed := now
	now = now.Add(11 * time.Second)
	round("the other is late", 1, map[string]inventory.Vital{"n000": {Heartbeat: renewed}, "n001": {Heartbeat: start}})
	now = now.Add(10 * time.Second)
	round("both are", 1, map[string]inventory.Vital{"n000": {Heartbeat: renewed}, "n001": {Heartbeat: start}})
	lease.Spec.RenewTime = &metav1.MicroTime{Time: slow.Add(40 * time.Second)}
	c.must(c.client.Update(t.Context(), lease))
	round("one is back", 1, map[string]inventory.Vital{"n000": {Heartbeat: now}, "n001": {Heartbeat: start}})
	back := now
	c.must(c.client.Delete(t.Context(), nodeLease("n001", fast)))
	round("the other is gone: nothing is known", 1, map[string]inventory.Vital{"n000": {Heartbeat: back}})
	// Only nodes of the zones of reflectors are looked at besides these.
	if names, err := w.whose(t.Context()); err != nil || cmp.Diff([]string{"n000", "n001", "n003", "n004", "n006", "n007"}, names) != "" {
		t.Errorf("looks at %v, %v", names, err)
	}
}

// TestPodHealth: how a calico-node is, as its pods come and go.
func TestPodHealth(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	changes := 0
	w := newPodWatch(func() time.Time { return now }, func(string) { changes++ })
	pod := func(uid string, ready bool, restarts int32, leaving bool) *corev1.Pod {
		p := agentPod("kube-system", "calico-node-"+uid, "a", newAgent)
		p.UID = types.UID(uid)
		status := corev1.ConditionFalse
		if ready {
			status = corev1.ConditionTrue
		}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: status}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: restarts}}
		if leaving {
			p.DeletionTimestamp = &metav1.Time{Time: now}
		}
		trimmed, err := trimPod(p)
		if err != nil {
			t.Fatal(err)
		}
		return trimmed.(*corev1.Pod)
	}
	observe := func(uid string, ready bool, restarts int32, leaving bool) func() {
		return func() { w.observe("kube-system/"+uid, pod(uid, ready, restarts, leaving)) }
	}
	at := func(second int) time.Time { return time.Date(2026, 1, 1, 12, 0, second, 0, time.UTC) }
	for second, step := range []struct {
		name              string
		do                func()
		notReady, started time.Time
		changes           int
	}{
		{"ready", observe("1", true, 3, false), time.Time{}, time.Time{}, 0},
		{"not ready, and not started anew: stuck", observe("1", false, 3, false), at(1), time.Time{}, 1},
		{"still", observe("1", false, 3, false), at(1), time.Time{}, 1},
		{"killed by its liveness probe", observe("1", false, 4, false), at(1), at(3), 1},
		{"ready again", observe("1", true, 4, false), time.Time{}, at(3), 2},
		{"being replaced", observe("1", true, 4, true), at(5), at(5), 3},
		{"still being so", observe("1", false, 4, true), at(5), at(5), 3},
		{"gone", func() { w.gone("kube-system/1") }, at(5), at(7), 3},
		{"another comes", observe("2", false, 0, false), at(5), at(8), 3},
		{"and is ready", observe("2", true, 0, false), time.Time{}, at(8), 4},
		{"what is left of the first says nothing", observe("1", false, 4, true), time.Time{}, at(8), 4},
	} {
		now = at(second)
		step.do()
		got := w.read()["a"]
		if !got.notReady.Equal(step.notReady) || !got.started.Equal(step.started) || changes != step.changes {
			t.Errorf("%s: not ready %v, started %v, %d changes; want %+v", step.name, got.notReady, got.started, changes, step)
		}
	}
}

// A calico-node that is not ready any more reaches the decision.
func TestPodOfAReflector(t *testing.T) {
	c := ownV3(t)
	node := newNode(0)
	node.Labels[v1alpha1.ReflectorLabel] = "core"
	pod := agentPod("kube-system", "calico-node-0", "n000", newAgent)
	c.create(node, newPolicy(), pod)
	mark := func(status corev1.ConditionStatus) {
		t.Helper()
		c.must(c.client.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
		c.must(c.client.Status().Update(t.Context(), pod))
	}
	mark(corev1.ConditionTrue)
	s := &script{}
	c.start(Options{Decide: s.decide})
	for _, ready := range []bool{true, false, true} {
		mark(map[bool]corev1.ConditionStatus{true: corev1.ConditionTrue, false: corev1.ConditionFalse}[ready])
		c.eventually("the decision to know", func() (bool, string) {
			calls, last := s.seen()
			return calls > 0 && last.Vitals != nil && last.Vitals["n000"].AgentNotReady.IsZero() == ready, ""
		})
	}
}

// Where nobody keeps the conditions of pods, no reflector is suspected for them.
func TestPodsWithoutReadiness(t *testing.T) {
	t.Parallel()
	if ready, restarts := agentReady(&corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 2}}}}); !ready || restarts != 2 {
		t.Errorf("ready %v, %d restarts", ready, restarts)
	}
}
