package controller

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
		w.Round(t.Context())
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
	w := newPodWatch(func() time.Time { return now }, func(string, bool) { changes++ })
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
	evicted := func(status corev1.ConditionStatus) func() {
		return func() {
			p := pod("1", true, 4, false)
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: status})
			w.observe("kube-system/1", p)
		}
	}
	at := func(second int) time.Time { return time.Date(2026, 1, 1, 12, 0, second, 0, time.UTC) }
	for second, step := range []struct {
		name              string
		do                func()
		notReady, started time.Time
		disrupted         bool
		changes           int
	}{
		{"ready", observe("1", true, 3, false), time.Time{}, time.Time{}, false, 0},
		{"not ready, and not started anew: stuck", observe("1", false, 3, false), at(1), time.Time{}, false, 1},
		{"still", observe("1", false, 3, false), at(1), time.Time{}, false, 1},
		{"killed by its liveness probe", observe("1", false, 4, false), at(1), at(3), false, 1},
		{"ready again", observe("1", true, 4, false), time.Time{}, at(3), false, 2},
		{"about to be evicted", evicted(corev1.ConditionTrue), time.Time{}, at(3), true, 3},
		{"not evicted after all", evicted(corev1.ConditionFalse), time.Time{}, at(3), false, 4},
		{"being replaced", observe("1", true, 4, true), at(7), at(7), true, 5},
		{"still being so", observe("1", false, 4, true), at(7), at(7), true, 5},
		{"gone", func() { w.gone("kube-system/1") }, at(7), at(9), true, 5},
		{"another comes", observe("2", false, 0, false), at(7), at(10), false, 6},
		{"and is ready", observe("2", true, 0, false), time.Time{}, at(10), false, 7},
		{"what is left of the first says nothing", observe("1", false, 4, true), time.Time{}, at(10), false, 7},
		{"the other goes at once", func() { w.gone("kube-system/1"); w.gone("kube-system/2") }, at(13), at(13), true, 8},
		{"nobody asks about a node that is gone", func() { w.forget(nil) }, time.Time{}, time.Time{}, false, 8},
	} {
		now = at(second)
		step.do()
		got := w.read()["a"]
		if !got.notReady.Equal(step.notReady) || !got.started.Equal(step.started) || got.disrupted != step.disrupted || changes != step.changes {
			t.Errorf("%s: not ready %v, started %v, disrupted %v, %d changes; want %+v", step.name, got.notReady, got.started, got.disrupted, changes, step)
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

// Neighbors keep the routes of a calico-node from its first end on, so that one which is
// started anew again and again does not put off that it is suspected.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	now := start
	w := newPodWatch(func() time.Time { return now }, func(string, bool) {})
	observe := func(second int, ready bool, restarts int32) podHealth {
		now = start.Add(time.Duration(second) * time.Second)
		pod := agentPod("kube-system", "calico-node", "a", newAgent)
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		if ready {
			pod.Status.Conditions[0].Status = corev1.ConditionTrue
		}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: restarts}}
		w.observe("kube-system/calico-node", pod)
		return w.read()["a"]
	}
	for _, first := range []int{0, 1} { // that it has ended is told with its restart, or before
		begin := 1000 * first
		observe(begin, true, 0)
		observe(begin+1, false, int32(1-first))
		restarted := start.Add(time.Duration(begin+1+first) * time.Second)
		for i, after := range []int{2, 10, 30, 70, 150, 310} {
			if is := observe(begin+after, false, int32(1+i)); !is.started.Equal(restarted) || !is.notReady.Equal(start.Add(time.Duration(begin+1)*time.Second)) {
				t.Errorf("after %d s: %+v, want that it was started at %v", after, is, restarted)
			}
		}
		w = newPodWatch(func() time.Time { return now }, func(string, bool) {})
	}
}

// Where nobody keeps the conditions of pods, no reflector is suspected for them.
func TestPodsWithoutReadiness(t *testing.T) {
	t.Parallel()
	if ready, restarts := agentReady(&corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 2}}}}); !ready || restarts != 2 {
		t.Errorf("ready %v, %d restarts", ready, restarts)
	}
}

// What is first seen of a pod that is not ready tells whether it may have been started
// only just now, or was ready once and is not any more: by the clock of its node, however
// wrong that is.
func TestPodFirstSeenNotReady(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	theirs := now.Add(-time.Hour)
	for name, test := range map[string]struct {
		running *corev1.ContainerStateRunning
		since   time.Time
		started bool
	}{
		"nothing is known of its containers": {nil, theirs, true},
		"not ready since before it started":  {&corev1.ContainerStateRunning{StartedAt: metav1.NewTime(theirs.Add(time.Second))}, theirs, true},
		"started and not ready at once":      {&corev1.ContainerStateRunning{StartedAt: metav1.NewTime(theirs)}, theirs, true},
		"ready for a while":                  {&corev1.ContainerStateRunning{StartedAt: metav1.NewTime(theirs.Add(-time.Minute))}, theirs, false},
	} {
		pod := agentPod("kube-system", "calico-node", "a", newAgent)
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(test.since)}}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{}, {State: corev1.ContainerState{Running: test.running}}}
		trimmed, err := trimPod(pod)
		if err != nil {
			t.Fatal(err)
		}
		w := newPodWatch(func() time.Time { return now }, func(string, bool) {})
		w.observe("kube-system/calico-node", trimmed.(*corev1.Pod))
		got := w.read()["a"]
		if !got.notReady.Equal(now) || got.started.IsZero() == test.started {
			t.Errorf("%s: not ready %v, started %v", name, got.notReady, got.started)
		}
	}
}

// TestEvictedPod: a calico-node that is evicted, and one that is about to be preempted,
// are known as disruptions of their nodes, until there is another. The node is one of a
// client: gates wait for those.
func TestEvictedPod(t *testing.T) {
	c := ownV3(t)
	reflector := newNode(0)
	reflector.Labels[v1alpha1.ReflectorLabel] = "core"
	pod := agentPod("kube-system", "calico-node-1", "n001", newAgent)
	c.create(reflector, newNode(1), newPolicy(), pod)
	s := &script{}
	c.start(Options{Decide: s.decide})
	leaving := func(what string, want bool) {
		t.Helper()
		c.eventually(what, func() (bool, string) {
			calls, last := s.seen()
			return calls > 0 && last.Vitals["n001"].AgentLeaving == want, fmt.Sprintf("%d calls, %+v", calls, last.Vitals)
		})
	}
	leaving("a pod that is well", false)
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	c.must(c.client.SubResource("eviction").Create(t.Context(), pod, eviction))
	leaving("the eviction", true)
	c.must(client.IgnoreNotFound(c.client.Delete(t.Context(), pod, client.GracePeriodSeconds(0))))
	next := agentPod("kube-system", "calico-node-2", "n001", newAgent)
	c.create(next)
	leaving("another pod", false)
	next.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "PreemptionByScheduler"}}
	c.must(c.client.Status().Update(t.Context(), next))
	leaving("the preemption", true)
	next.Status.Conditions[0].Status = corev1.ConditionFalse
	c.must(c.client.Status().Update(t.Context(), next))
	leaving("that it was called off", false)
}

// What is seen of Leases outlives one that cannot be read, and is forgotten with the next:
// then nobody may have been able to renew them either.
func TestLeasesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	live := &failingLeases{renewed: now}
	w := newVitalWatch(nil, live, nil, func() time.Time { return now }, func() {}, testLog(t))
	for i, step := range []struct {
		renewed, fails bool
		known, late    bool
	}{
		{true, false, false, false},
		{true, false, true, false},
		{false, true, false, false},
		{false, false, true, false}, // 20 s
		{false, false, true, true},
		{false, true, false, false},
		{false, false, true, true},
		{false, true, false, false},
		{false, true, false, false},
		{false, false, false, false}, // as if it were the first time
		{false, false, false, false},
		{false, false, false, false}, // 20 s
		{false, false, true, true},
		{true, false, true, false},
	} {
		now = now.Add(10 * time.Second)
		if step.renewed {
			live.renewed = now
		}
		live.err = nil
		if step.fails {
			live.err = apierrors.NewTooManyRequests("slow down", 1)
		}
		_, err := w.readOne(t.Context(), "a")
		if (err != nil) != step.fails {
			t.Fatal(err)
		}
		vital, known := w.read()["a"]
		if late := known && now.Sub(vital.Heartbeat) > lateAfter; known != step.known || late != step.late {
			t.Errorf("step %d: known %v, late %v; want %+v", i, known, late, step)
		}
	}
}

// failingLeases answers with one Lease, or an error.
type failingLeases struct {
	client.Reader
	renewed time.Time
	err     error
}

// Get reads it.
func (f *failingLeases) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if lease, ok := into.(*coordinationv1.Lease); ok && f.err == nil {
		*lease = *nodeLease(key.Name, f.renewed)
	}
	return f.err
}

// A calico-node that turned not ready before it was known that its node matters asks for a
// pass as soon as it is.
func TestPodThatMattersLater(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	reflector := newNode(0)
	reflector.Labels[v1alpha1.ReflectorLabel] = "core"
	kicks := 0
	w := newVitalWatch(fixedNodes{nodes: []corev1.Node{*reflector}}, &failingLeases{renewed: now}, nil,
		func() time.Time { return now }, func() { kicks++ }, testLog(t))
	pod := agentPod("kube-system", "calico-node-0", reflector.Name, newAgent)
	for i, step := range []struct {
		do    func()
		kicks int
	}{
		{func() { w.pods.observe("kube-system/calico-node-0", pod) }, 0},
		{func() {
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
			w.pods.observe("kube-system/calico-node-0", pod)
		}, 0},
		{func() { w.Round(t.Context()) }, 1},
		{func() { w.Round(t.Context()) }, 1},
	} {
		if step.do(); kicks != step.kicks {
			t.Errorf("after step %d %d passes were asked for, want %d", i, kicks, step.kicks)
		}
	}
}

// fixedNodes lists nodes.
type fixedNodes struct {
	client.Reader
	nodes []corev1.Node
}

// List lists them.
func (f fixedNodes) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	if list, ok := into.(*corev1.NodeList); ok {
		list.Items = f.nodes
	}
	return nil
}
