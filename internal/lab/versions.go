package lab

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/lab/standin"
)

// Where Calico's manifests run calico-node, and what tells its pods.
const (
	agentNamespace = "kube-system"
	agentName      = "calico-node"
	agentLabel     = "k8s-app"
	agentImage     = "calico/node:"
)

// agent builds the pod of calico-node on a node: on the host's network, as its
// DaemonSet makes it.
func agent(node, version string) *corev1.Pod {
	yes := true
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: agentPodName(node), Namespace: agentNamespace, Labels: map[string]string{agentLabel: agentName},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "DaemonSet", Name: agentName, UID: agentOwner, Controller: &yes,
			}},
		},
		Spec: corev1.PodSpec{
			NodeName: node, HostNetwork: true, PriorityClassName: "system-node-critical",
			Containers: []corev1.Container{{Name: agentName, Image: agentImage + version}},
			Tolerations: []corev1.Toleration{
				{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
				{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
			},
		},
	}
}

// agentOwner is the uid of a DaemonSet that the lab does without.
const agentOwner = "00000000-0000-0000-0000-0000000ca11c"

func agentPodName(node string) string { return agentName + "-" + node }

// versionOf is the version of calico-node on a node. The caller holds the lock.
func (c *Cluster) versionOf(node string) string {
	if v, ok := c.versions[node]; ok {
		return v
	}
	return c.version
}

// withoutCommunities are the nodes that cannot tell communities in BGPFilters.
// The caller holds the lock.
func (c *Cluster) withoutCommunities() map[string]bool {
	old := map[string]bool{}
	for name := range c.machines {
		if !knowsCommunities(c.versionOf(name)) {
			old[name] = true
		}
	}
	return old
}

func knowsCommunities(version string) bool {
	v, err := calico.ParseVersion(version)
	return err == nil && v.AtLeast(calico.TagFilterRelease)
}

// SetCalicoVersion brings calico-node on the named nodes to another version, up or
// down. Without names all of Calico goes there, in the order of an upgrade: its
// definitions, what it says of itself, then node by node. Watches of BGPFilters that
// were open before show them by the old definition for up to two minutes more: so
// does kube-apiserver.
func (c *Cluster) SetCalicoVersion(ctx context.Context, version string, names ...string) error {
	if _, err := calico.ParseVersion(version); err != nil {
		return err
	}
	if len(names) > 0 {
		if err := c.known(names); err != nil {
			return err
		}
		return c.replaceAgents(ctx, version, names)
	}
	if err := c.installCalico(ctx, version); err != nil {
		return err
	}
	information := standin.ClusterInformation(c.options.Group, version)
	patch := client.MergeFrom(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": information.GetAPIVersion(), "kind": information.GetKind(),
		"metadata": map[string]any{"name": information.GetName()},
	}})
	if err := c.client.Patch(ctx, information, patch); err != nil {
		return fmt.Errorf("patch ClusterInformation: %w", err)
	}
	c.mu.Lock()
	c.version = version
	for name := range c.machines {
		names = append(names, name)
	}
	c.mu.Unlock()
	return c.replaceAgents(ctx, version, names)
}

// replaceAgents: a pod is never changed, a new one takes its place.
func (c *Cluster) replaceAgents(ctx context.Context, version string, names []string) error {
	return each(ctx, len(names), func(ctx context.Context, i int) error {
		if err := c.deletePod(ctx, agent(names[i], "")); err != nil {
			return fmt.Errorf("calico-node on %s: %w", names[i], err)
		}
		if err := c.client.Create(ctx, agent(names[i], version)); err != nil {
			return fmt.Errorf("calico-node on %s: %w", names[i], err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.versions[names[i]] = version
		c.dirty.Store(true)
		return nil
	})
}

// deletePod takes a pod away at once; one that is gone is no error.
func (c *Cluster) deletePod(ctx context.Context, pod *corev1.Pod) error {
	none := int64(0)
	return client.IgnoreNotFound(c.client.Delete(ctx, pod, &client.DeleteOptions{GracePeriodSeconds: &none}))
}

// installCalico applies the definitions of Calico's resources that a version
// brings.
func (c *Cluster) installCalico(ctx context.Context, version string) error {
	set, err := controlplane.OwnCalicoCRDs(c.options.Group.Group)
	if err != nil {
		return err
	}
	objects, err := controlplane.ReadObjects(set.Files)
	if err != nil {
		return err
	}
	if !knowsCommunities(version) {
		for _, o := range objects {
			err = errors.Join(err, withoutTagFields(o))
		}
	}
	return errors.Join(err, controlplane.Apply(ctx, c.plane.Config(), objects))
}

// withoutTagFields takes what came with v3.32 out of the definition of BGPFilter.
func withoutTagFields(definition *unstructured.Unstructured) error {
	kind, _, _ := unstructured.NestedString(definition.Object, "spec", "names", "kind")
	if kind != "BGPFilter" {
		return nil
	}
	versions, _, err := unstructured.NestedSlice(definition.Object, "spec", "versions")
	if err != nil {
		return err
	}
	for _, v := range versions {
		for _, list := range []string{"exportV4", "exportV6", "importV4", "importV6"} {
			rule := []string{"schema", "openAPIV3Schema", "properties", "spec", "properties", list, "items"}
			version, _ := v.(map[string]any)
			unstructured.RemoveNestedField(version, append(rule, "x-kubernetes-validations")...)
			for _, field := range []string{"communities", "operations", "asPathPrefix", "priority"} {
				unstructured.RemoveNestedField(version, append(rule, "properties", field)...)
			}
		}
	}
	return unstructured.SetNestedSlice(definition.Object, versions, "spec", "versions")
}
