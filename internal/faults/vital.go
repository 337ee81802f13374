package faults

import (
	"fmt"
	"hash/fnv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/tagfilter"
)

// death is how a node came to carry no routes.
type death uint8

const (
	alive death = iota
	// powerless: nothing of it works. Kubernetes notices.
	powerless
	// wedged: its BIRD does nothing, and calico-node cannot ask it. Only its pod's
	// readiness tells.
	wedged
	// birdless: its BIRD has ended and is not started again, and calico-node says so.
	birdless
	deathsEnd
)

var deathNames = [deathsEnd]string{"alive", "without power", "BIRD stuck", "BIRD ended"}

func (d death) String() string { return deathNames[d] }

const (
	// leaseEvery is how often a kubelet renews its Lease.
	leaseEvery = 10 * time.Second
	// unready is after what time the third readiness probe of a calico-node has failed.
	unready = 30 * time.Second
	// agentStart is from the start of a calico-node to its being ready.
	agentStart = 10 * time.Second
)

// dead: the node carries no routes.
func (w *World) dead(name string) bool { return w.off[name] != alive }

// Die ends what carries a node's routes. Its neighbors do not notice.
func (w *World) Die(name string, how death) {
	if w.dead(name) || w.store.get("Node", name) == nil {
		return
	}
	w.tell("%s dies: %s", name, how)
	w.off[name] = how
	w.fabric.Kill(w.now, name)
	w.touched()
	if how != powerless {
		w.In(unready, func() {
			if w.off[name] == how {
				w.agentReady(name, false)
			}
		})
		return
	}
	w.mute[name] = w.now
	w.In(w.timing.Notice, func() {
		if w.off[name] == how {
			w.ready1(name, false)
		}
	})
}

// Revive boots a node again, or starts its BIRD again.
func (w *World) Revive(name string) {
	how := w.off[name]
	if how == alive {
		return
	}
	w.tell("%s is back", name)
	delete(w.off, name)
	w.fabric.Revive(w.now, name)
	w.touched()
	w.restartAgent(name)
	if how == powerless {
		w.In(w.timing.Boot, func() {
			if !w.dead(name) {
				w.ready1(name, true)
			}
		})
	}
}

// Kubelet makes a node NotReady or Ready again, while its BIRD runs on.
func (w *World) Kubelet(name string, ready bool) {
	w.tell("kubelet of %s: ready %v", name, ready)
	w.ready1(name, ready)
}

// ready1 is what Kubernetes thinks of a node, and so of its pods; a kubelet that is not
// ready renews no Lease.
func (w *World) ready1(name string, ready bool) {
	w.edit("Node", name, byCluster, func(object client.Object) {
		if node, ok := object.(*corev1.Node); ok {
			setReady(node, ready, w.now)
		}
	})
	w.agentReady(name, ready)
	if _, mute := w.mute[name]; ready {
		delete(w.mute, name)
	} else if !mute {
		w.mute[name] = w.now
	}
}

// readLease answers with the Lease of a node. Nobody keeps those of thousands of nodes up
// to date here: what it must be is worked out when it is asked for.
func (w *World) readLease(name string, into *coordinationv1.Lease) error {
	if w.store.get("Node", name) == nil {
		return apierrors.NewNotFound(resourceOf("Lease"), name)
	}
	renewed := w.now
	for _, since := range []time.Time{w.mute[name], w.still[name]} {
		if !since.IsZero() && since.Before(renewed) {
			renewed = since
		}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	phase := time.Duration(h.Sum32()) % leaseEvery
	at := metav1.NewMicroTime(renewed.Add(-phase).Truncate(leaseEvery).Add(phase))
	*into = coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: coordinationv1.LeaseSpec{RenewTime: &at}}
	return nil
}

// agentPod is a calico-node.
func agentPod(node string, ready bool, at time.Time) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "kube-system", Name: "calico-node-" + node, Labels: map[string]string{tagfilter.AgentLabel: tagfilter.AgentLabelValue},
		},
		Spec: corev1.PodSpec{NodeName: node, HostNetwork: true, Containers: []corev1.Container{{
			Name: tagfilter.AgentContainer, Image: "calico/node:" + calico.TagFilterRelease.String(),
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	setAgentStarted(pod, 0, at)
	setAgentReady(pod, ready, at)
	return pod
}

func setAgentStarted(pod *corev1.Pod, restarts int32, at time.Time) {
	running := &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at.Truncate(time.Second))}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: restarts, State: corev1.ContainerState{Running: running}}}
}

func setAgentReady(pod *corev1.Pod, ready bool, at time.Time) {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	if all := pod.Status.Conditions; len(all) > 0 && all[0].Status == status {
		return
	}
	pod.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(at.Truncate(time.Second)),
	}}
}

// agents are the pods of calico-node on a node: one, or while it is replaced none or two.
func (w *World) agents(node string) (names []string) {
	each(w, "Pod", func(pod *corev1.Pod) {
		if pod.Spec.NodeName == node {
			names = append(names, pod.Name)
		}
	})
	return names
}

func (w *World) editAgent(node string, change func(*corev1.Pod)) {
	for _, name := range w.agents(node) {
		_ = w.store.edit("Pod", keyFor("kube-system", name), byKubelet, func(object client.Object) { // it is there
			if pod, ok := object.(*corev1.Pod); ok {
				change(pod)
			}
		})
	}
}

// agentReady is how Kubernetes finds the calico-node of a node.
func (w *World) agentReady(node string, ready bool) {
	w.editAgent(node, func(pod *corev1.Pod) { setAgentReady(pod, ready, w.now) })
}

// restartAgent starts the container of a calico-node anew.
func (w *World) restartAgent(node string) {
	w.editAgent(node, func(pod *corev1.Pod) {
		setAgentReady(pod, false, w.now)
		setAgentStarted(pod, pod.Status.ContainerStatuses[0].RestartCount+1, w.now)
	})
	w.In(agentStart, func() {
		if _, mute := w.mute[node]; !w.dead(node) && !mute {
			w.agentReady(node, true)
		}
		w.askAgain(node)
	})
}

func (w *World) removeAgents(node string) {
	for _, name := range w.agents(node) {
		if err := w.store.remove("Pod", keyFor("kube-system", name), nil); err != nil {
			w.tell("%v", err)
		}
	}
}

// RollAgent replaces the calico-node of a node, as its DaemonSet does: the old pod goes,
// and only then there is a new one. Neighbors keep its routes meanwhile (BGP graceful
// restart), so that no session is touched; nobody answers what it is asked.
func (w *World) RollAgent(node string) {
	old := w.agents(node)
	if len(old) != 1 || w.dead(node) {
		return
	}
	w.tell("calico-node of %s is replaced", node)
	w.editAgent(node, func(pod *corev1.Pod) {
		at := metav1.NewTime(w.now.Truncate(time.Second))
		pod.DeletionTimestamp, pod.Finalizers = &at, []string{"simulated.example.com/terminating"}
		setAgentReady(pod, false, w.now)
	})
	w.gagged[node] = true
	w.In(agentStop, func() {
		w.editAgent(node, func(pod *corev1.Pod) { pod.Finalizers = nil })
		if w.store.get("Node", node) == nil {
			delete(w.gagged, node)
			return
		}
		w.rolls++
		next := agentPod(node, false, w.now)
		next.Name = fmt.Sprintf("calico-node-%s-%d", node, w.rolls)
		w.mustCreate(next, byKubelet)
		w.In(agentStart, func() {
			delete(w.gagged, node)
			if _, mute := w.mute[node]; !w.dead(node) && !mute {
				w.agentReady(node, true)
			}
			w.askAgain(node)
		})
	})
}

// agentStop is how long a calico-node takes to end.
const agentStop = 2 * time.Second
