package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico/tagfilter"
	"tapetum.dev/tapetum/internal/inventory"
)

// agentTimeout is how long a pass waits for the first list of calico-node's pods.
const agentTimeout = 30 * time.Second

// agentPods says which pods the cache holds, and how little of each.
func agentPods() ctrlcache.ByObject {
	namespaces := map[string]ctrlcache.Config{}
	for _, namespace := range tagfilter.AgentNamespaces {
		namespaces[namespace] = ctrlcache.Config{}
	}
	return ctrlcache.ByObject{
		Label:      labels.SelectorFromSet(labels.Set{tagfilter.AgentLabel: tagfilter.AgentLabelValue}),
		Namespaces: namespaces,
		Transform:  trimPod,
	}
}

// trimPod keeps what tells which calico-node runs where, and how it is.
func trimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	trimmed := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion},
		Spec:       corev1.PodSpec{NodeName: pod.Spec.NodeName},
		Status:     corev1.PodStatus{Phase: pod.Status.Phase},
	}
	trimmed.DeletionTimestamp = pod.DeletionTimestamp
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady || c.Type == corev1.DisruptionTarget {
			trimmed.Status.Conditions = append(trimmed.Status.Conditions, corev1.PodCondition{
				Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime,
			})
		}
	}
	trimmed.Status.ContainerStatuses = trimContainers(pod.Status.ContainerStatuses)
	for i := range pod.Spec.Containers {
		if c := &pod.Spec.Containers[i]; c.Name == tagfilter.AgentContainer {
			trimmed.Spec.Containers = []corev1.Container{{Name: shared(c.Name), Image: shared(c.Image)}}
		}
	}
	return trimmed, nil
}

// trimContainers sums the containers of a pod up: how often they were started anew, and
// when last.
func trimContainers(all []corev1.ContainerStatus) []corev1.ContainerStatus {
	var sum corev1.ContainerStatus
	for i := range all {
		sum.RestartCount += all[i].RestartCount
		running := all[i].State.Running
		if running != nil && (sum.State.Running == nil || sum.State.Running.StartedAt.Before(&running.StartedAt)) {
			sum.State.Running = &corev1.ContainerStateRunning{StartedAt: running.StartedAt}
		}
	}
	if sum.RestartCount == 0 && sum.State.Running == nil {
		return nil
	}
	return []corev1.ContainerStatus{sum}
}

// agentWatch knows which calico-node runs on each node. It watches pods only from
// the first time on that somebody asks.
type agentWatch struct {
	cache ctrlcache.Cache
	live  client.Reader
	// change is called when an answer may be another than before.
	change  func()
	started bool
	// pods is told of every pod as well; nil: nobody asks.
	pods *podWatch

	mu sync.Mutex
	// nodes holds, for each node, the images by pod. The last pod of a node stays
	// when it is deleted: an update replaces pods, and a node that has none for a
	// moment is as able as before.
	nodes map[string]map[string]string
	gone  map[string]bool
	where map[string]string
	// judged is what the pods come to; nil when one has changed.
	judged *tagfilter.Agents
}

func newAgentWatch(cache ctrlcache.Cache, live client.Reader, change func()) *agentWatch {
	return &agentWatch{
		cache: cache, live: live, change: change,
		nodes: map[string]map[string]string{}, gone: map[string]bool{}, where: map[string]string{},
	}
}

// read returns what runs. The problem says why it cannot be told, for a person.
func (a *agentWatch) read(ctx context.Context, nodes []inventory.Node) (agents tagfilter.Agents, problem string, err error) {
	if problem, err = a.start(ctx); problem != "" || err != nil {
		return tagfilter.Agents{}, problem, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.judged == nil {
		a.forget(nodes)
		judged := tagfilter.JudgeAgents(a.list())
		a.judged = &judged
	}
	return *a.judged, "", nil
}

// start begins to watch, and waits until all pods are known.
func (a *agentWatch) start(ctx context.Context) (problem string, err error) {
	if a.started {
		return "", nil
	}
	for _, namespace := range tagfilter.AgentNamespaces {
		// A watch that is refused would be tried again and again, in silence.
		err := a.live.List(ctx, &corev1.PodList{}, client.InNamespace(namespace), client.Limit(1),
			client.MatchingLabels{tagfilter.AgentLabel: tagfilter.AgentLabelValue})
		switch {
		case apierrors.IsForbidden(err):
			return "the versions of calico-node may not be read: " + err.Error(), nil
		case err != nil:
			return "", fmt.Errorf("list the pods of calico-node in %s: %w", namespace, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, agentTimeout)
	defer cancel()
	informer, err := a.cache.GetInformer(ctx, &corev1.Pod{})
	if err != nil {
		return "", fmt.Errorf("watch the pods of calico-node: %w", err)
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    a.onPod,
		UpdateFunc: func(_, pod any) { a.onPod(pod) },
		DeleteFunc: a.onDelete,
	})
	if err != nil {
		return "", fmt.Errorf("watch the pods of calico-node: %w", err)
	}
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		_ = informer.RemoveEventHandler(registration)
		return "", fmt.Errorf("the pods of calico-node are not all read after %v", agentTimeout)
	}
	a.started = true
	return "", nil
}

func (a *agentWatch) onPod(object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Spec.NodeName == "" {
		return
	}
	key := pod.Namespace + "/" + pod.Name
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		a.remove(key)
		a.pods.gone(key)
		return
	}
	a.pods.observe(key, pod)
	image := ""
	if len(pod.Spec.Containers) > 0 {
		image = pod.Spec.Containers[0].Image
	}
	a.set(key, pod.Spec.NodeName, image)
}

func (a *agentWatch) onDelete(object any) {
	if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
		a.remove(key)
		a.pods.gone(key)
	}
}

func (a *agentWatch) set(key, node, image string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	pods := a.nodes[node]
	if before, known := pods[key]; known && before == image && !a.gone[key] {
		return
	}
	if pods == nil {
		pods = map[string]string{}
		a.nodes[node] = pods
	}
	for other := range pods {
		if a.gone[other] {
			a.drop(other, node)
		}
	}
	pods[key], a.where[key] = image, node
	a.judged = nil
	a.change()
}

func (a *agentWatch) remove(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	node, known := a.where[key]
	switch {
	case !known:
	case len(a.nodes[node]) == 1:
		a.gone[key] = true
	default:
		a.drop(key, node)
		a.judged = nil
		a.change()
	}
}

func (a *agentWatch) drop(key, node string) {
	delete(a.nodes[node], key)
	delete(a.gone, key)
	delete(a.where, key)
}

// forget drops what is left of nodes that are not there any more.
func (a *agentWatch) forget(nodes []inventory.Node) {
	if len(a.gone) == 0 {
		return
	}
	there := make(map[string]bool, len(nodes))
	for i := range nodes {
		there[nodes[i].Name] = true
	}
	for _, key := range slices.Collect(maps.Keys(a.gone)) {
		if node := a.where[key]; !there[node] {
			a.drop(key, node)
			delete(a.nodes, node)
		}
	}
}

func (a *agentWatch) list() []tagfilter.Agent {
	var agents []tagfilter.Agent
	for node, pods := range a.nodes {
		for _, image := range pods {
			agents = append(agents, tagfilter.Agent{Node: node, Image: image})
		}
	}
	slices.SortFunc(agents, func(x, y tagfilter.Agent) int {
		if c := strings.Compare(x.Node, y.Node); c != 0 {
			return c
		}
		return strings.Compare(x.Image, y.Image)
	})
	return agents
}
