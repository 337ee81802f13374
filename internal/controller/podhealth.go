package controller

import (
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tapetum.dev/tapetum/internal/inventory"
)

// restartFollows is within what time a container that has ended is started anew, the first
// time.
const restartFollows = 10 * time.Second

// podWatch knows how the calico-node of each node is. Times are ours: those of nodes
// may be wrong.
type podWatch struct {
	now func() time.Time
	// change is called with a node whose calico-node has become ready, or is so no more;
	// leaves: it has begun to go, or another has come.
	change func(node string, leaves bool)

	mu    sync.Mutex
	nodes map[string]*podHealth
	where map[string]string // node by pod
}

// podHealth is how the calico-node of one node is.
type podHealth struct {
	// notReady is since when it has been seen not ready, started when it was last seen
	// to go or to be started anew; zero: not.
	notReady, started time.Time

	// disrupted: it is being evicted or deleted, or is gone and no other has come.
	disrupted bool

	uid      string
	restarts int32
	leaving  bool
}

func newPodWatch(now func() time.Time, change func(node string, leaves bool)) *podWatch {
	return &podWatch{now: now, change: change, nodes: map[string]*podHealth{}, where: map[string]string{}}
}

// observe takes a pod of calico-node in.
func (w *podWatch) observe(key string, pod *corev1.Pod) {
	if w == nil {
		return
	}
	w.mu.Lock()
	changed, leaves := w.take(key, pod)
	w.mu.Unlock()
	if changed || leaves {
		w.change(pod.Spec.NodeName, leaves)
	}
}

// take tells whether the pod has become ready, or is so no more, and whether it has begun
// to go or another has come.
func (w *podWatch) take(key string, pod *corev1.Pod) (changed, leaves bool) {
	ready, restarts := agentReady(pod)
	uid, leaving := string(pod.UID), pod.DeletionTimestamp != nil
	health := w.healthOf(pod)
	w.where[key] = pod.Spec.NodeName
	if leaving && uid != health.uid {
		return false, false // another has taken its place
	}
	if uid != health.uid || restarts > health.restarts && w.first(health) || leaving && !health.leaving {
		health.started = w.now()
	}
	health.uid, health.restarts, health.leaving = uid, restarts, leaving
	before := health.disrupted
	health.disrupted = leaving || isDisrupted(pod)
	return w.set(health, ready && !leaving), health.disrupted != before
}

// healthOf is what is known of the pod's node, perhaps nothing until now.
func (w *podWatch) healthOf(pod *corev1.Pod) *podHealth {
	health, known := w.nodes[pod.Spec.NodeName]
	if known {
		return health
	}
	ready, restarts := agentReady(pod)
	health = &podHealth{uid: string(pod.UID), restarts: restarts}
	if !ready && !wasReady(pod) {
		health.started = w.now() // perhaps only just now
	}
	w.nodes[pod.Spec.NodeName] = health
	return health
}

// first: this restart is the one that has taken its sessions. Neighbors keep routes from
// then on, however often the container is started anew before it is ready again.
func (w *podWatch) first(health *podHealth) bool {
	return health.notReady.IsZero() || health.started.Before(health.notReady) && w.now().Sub(health.notReady) < restartFollows
}

// set tells whether that is new.
func (w *podWatch) set(health *podHealth, ready bool) bool {
	switch {
	case ready && !health.notReady.IsZero():
		health.notReady = time.Time{}
		return true
	case !ready && health.notReady.IsZero():
		health.notReady = w.now()
		return true
	}
	return false
}

// gone: a pod is deleted.
func (w *podWatch) gone(key string) {
	if w == nil {
		return
	}
	w.mu.Lock()
	node := w.where[key]
	delete(w.where, key)
	changed, leaves := false, false
	if health := w.nodes[node]; health != nil && !w.other(node) {
		health.started = w.now()
		leaves, health.disrupted = !health.disrupted, true
		changed = w.set(health, false)
	}
	w.mu.Unlock()
	if changed || leaves {
		w.change(node, leaves)
	}
}

// unready: the calico-node of a node has been seen not ready.
func (w *podWatch) unready(node string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	health := w.nodes[node]
	return health != nil && !health.notReady.IsZero()
}

// size is of how many nodes something is known.
func (w *podWatch) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.nodes)
}

// forget drops what is known of nodes that are not there any more.
func (w *podWatch) forget(nodes []inventory.Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	there := make(map[string]bool, len(nodes)+len(w.where))
	for i := range nodes {
		there[nodes[i].Name] = true
	}
	for _, node := range w.where {
		there[node] = true // its pod goes later
	}
	maps.DeleteFunc(w.nodes, func(node string, _ *podHealth) bool { return !there[node] })
}

// other: the node has a pod of calico-node left.
func (w *podWatch) other(node string) bool {
	for _, at := range w.where {
		if at == node {
			return true
		}
	}
	return false
}

// read returns the nodes of which there is something to say.
func (w *podWatch) read() map[string]podHealth {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]podHealth{}
	for node, health := range w.nodes {
		if !health.notReady.IsZero() || !health.started.IsZero() || health.disrupted {
			out[node] = *health
		}
	}
	return out
}

// agentReady tells whether a pod is ready, and how often its containers were restarted.
// One of which nobody says either counts as ready: what is not known makes nobody
// suspected.
func agentReady(pod *corev1.Pod) (ready bool, restarts int32) {
	ready = true
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			ready = c.Status == corev1.ConditionTrue
		}
	}
	for i := range pod.Status.ContainerStatuses {
		restarts += pod.Status.ContainerStatuses[i].RestartCount
	}
	return ready, restarts
}

// wasReady: a pod that is not ready was so before, with the containers that it has now.
// Both times are by the clock of its node, so that they can be compared.
func wasReady(pod *corev1.Pod) bool {
	for i := range pod.Status.Conditions {
		c := &pod.Status.Conditions[i]
		if c.Type != corev1.PodReady || len(pod.Status.ContainerStatuses) == 0 {
			continue
		}
		running := pod.Status.ContainerStatuses[0].State.Running // the cache holds their sum
		return running != nil && !running.StartedAt.IsZero() && running.StartedAt.Before(&c.LastTransitionTime)
	}
	return false
}

// isDisrupted: the pod is about to be taken away (evicted, preempted, its node tainted).
func isDisrupted(pod *corev1.Pod) bool {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
