package faults

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
)

// managers of the writes that are not Tapetum's.
const (
	byKubelet = "kubelet"
	byCalico  = "calico-node"
	byPerson  = "kubectl-edit"
	byCluster = "kube-controller-manager"
)

// populate makes a new cluster: Calico's mesh and a policy.
func (w *World) populate() {
	w.mustCreate(&calico.ClusterInformation{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec:       calico.ClusterInformationSpec{CalicoVersion: calico.TagFilterRelease.String()},
	}, byCalico)
	w.mustCreate(&v1alpha1.RouteReflectorAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SingletonName}, Spec: w.Spec.WithDefaults(),
	}, byPerson)
	for range w.Nodes {
		w.Join()
	}
}

func (w *World) mustCreate(object client.Object, manager string) {
	if err := w.store.create(object, manager); err != nil {
		panic(err) // a mistake in the world itself
	}
}

// edit changes an object by somebody's hand; one that is not there stays so.
func (w *World) edit(kind, name, manager string, change func(client.Object)) {
	if err := w.store.edit(kind, name, manager, change); err != nil {
		w.tell("%s cannot edit %s %s: %v", manager, kind, name, err)
	}
	w.touched()
}

// touched: somebody other than a controller has changed the world.
func (w *World) touched() { w.check.stale, w.lastWrite = true, w.now }

// Join adds a node, with its calico-node, and returns its name.
func (w *World) Join() string {
	i := w.serial
	w.serial++
	name := fmt.Sprintf("node-%05d", i)
	labels := map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux"}
	if w.Zones > 0 {
		labels[corev1.LabelTopologyZone] = fmt.Sprintf("zone-%c", 'a'+i%w.Zones)
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: labels, CreationTimestamp: metav1.NewTime(w.now.Truncate(time.Second)),
			Annotations: map[string]string{inventory.AnnotationIPv4: fmt.Sprintf("10.%d.%d.%d/16", 1+i>>16, i>>8&255, i&255)},
		},
		Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{OperatingSystem: "linux", KubeletVersion: "v1.37.2", OSImage: "Debian"}},
	}
	setReady(node, true, w.now)
	w.mustCreate(node, byKubelet)
	w.mustCreate(agentPod(name, true, w.now), byKubelet)
	w.touched()
	w.tell("%s joins", name)
	return name
}

func setReady(node *corev1.Node, ready bool, at time.Time) {
	condition := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(at.Truncate(time.Second))}
	node.Spec.Taints = nil
	if !ready {
		condition.Status = corev1.ConditionUnknown
		node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute}}
	}
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == corev1.NodeReady {
			if node.Status.Conditions[i].Status == condition.Status {
				return
			}
			node.Status.Conditions[i] = condition
			return
		}
	}
	node.Status.Conditions = append(node.Status.Conditions, condition)
}

// Leave removes a node for good, machine and objects.
func (w *World) Leave(name string) {
	w.tell("%s leaves", name)
	delete(w.off, name)
	delete(w.mute, name)
	if err := w.store.remove("Node", name, nil); err != nil {
		w.tell("%v", err)
	}
	w.removeAgents(name)
	w.touched()
}

// Cordon marks a node unschedulable, or takes that back.
func (w *World) Cordon(name string, cordoned bool) {
	w.tell("cordon %s %v", name, cordoned)
	w.edit("Node", name, byPerson, func(object client.Object) {
		if node, ok := object.(*corev1.Node); ok {
			node.Spec.Unschedulable = cordoned
		}
	})
}

// SetSpec changes the policy.
func (w *World) SetSpec(change func(*v1alpha1.RouteReflectorAutoscalerSpec)) {
	w.edit("RouteReflectorAutoscaler", v1alpha1.SingletonName, byPerson, func(object client.Object) {
		if policy, ok := object.(*v1alpha1.RouteReflectorAutoscaler); ok {
			change(&policy.Spec)
			policy.Spec = policy.Spec.WithDefaults()
		}
	})
}

// SetTopology asks for a topology.
func (w *World) SetTopology(topology v1alpha1.Topology) {
	w.tell("topology %s", topology)
	w.SetSpec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = topology })
}

// ready: the last change of the policy is carried out.
func (w *World) ready() bool {
	policy := w.policy()
	return policy != nil && policy.Status.ObservedGeneration == policy.Generation &&
		rollout.AtRest(policy.Status.Conditions)
}

func (w *World) conditions() string {
	policy := w.policy()
	if policy == nil {
		return "no policy"
	}
	text := policy.Status.NextStep
	for _, c := range policy.Status.Conditions {
		text += fmt.Sprintf("; %s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	}
	return text
}

// Reflectors are the nodes with the role, by name.
func (w *World) Reflectors() []string {
	var out []string
	each(w, "Node", func(node *corev1.Node) {
		if _, has := node.Labels[v1alpha1.ReflectorLabel]; has {
			out = append(out, node.Name)
		}
	})
	return out
}

// NodeNames are all nodes, by name.
func (w *World) NodeNames() []string { return slices.Clone(w.store.table("Node").keys) }
