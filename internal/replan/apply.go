package replan

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
)

// clone copies whatever apply may change.
func clone(c Cluster) Cluster {
	c.Autoscaler = c.Autoscaler.DeepCopy()
	c.Nodes = slices.Clone(c.Nodes)
	c.Peers = slices.Clone(c.Peers)
	c.Configurations = slices.Clone(c.Configurations)
	c.Filters = slices.Clone(c.Filters)
	c.Statuses = slices.Clone(c.Statuses)
	return c
}

// apply carries a step out on the values, as internal/controller does on objects.
func (c *Cluster) apply(step *rollout.Step) {
	switch step.Action {
	case rollout.CreatePeer, rollout.PatchPeer:
		c.Peers = put(c.Peers, *step.Peer.DeepCopy(), peerName)
	case rollout.DeletePeer:
		c.Peers = remove(c.Peers, step.Peer.Name, peerName)
	case rollout.CreateStatus, rollout.PatchStatus:
		c.Statuses = put(c.Statuses, *step.NodeStatus.DeepCopy(), statusName)
	case rollout.DeleteStatus:
		c.Statuses = remove(c.Statuses, step.NodeStatus.Name, statusName)
	case rollout.SetRole, rollout.ClearRole:
		c.setRole(step.Role)
	case rollout.SetHomes:
		for i := range step.Homes {
			c.setRole(&step.Homes[i])
		}
	case rollout.CreateFilter, rollout.PatchFilter:
		c.Filters = put(c.Filters, *step.Filter.DeepCopy(), filterName)
	case rollout.DeleteFilter:
		c.Filters = remove(c.Filters, step.Filter.Name, filterName)
	case rollout.MeshOff, rollout.MeshOn:
		c.setMesh(step.Mesh)
	default:
		c.setPolicy(step)
	}
}

func peerName(p *calico.BGPPeer) string            { return p.Name }
func filterName(f *calico.BGPFilter) string        { return f.Name }
func statusName(s *calico.CalicoNodeStatus) string { return s.Name }

// put replaces the object of the same name, or adds it.
func put[T any](list []T, object T, name func(*T) string) []T {
	for i := range list {
		if name(&list[i]) == name(&object) {
			list[i] = object
			return list
		}
	}
	return append(list, object)
}

func remove[T any](list []T, gone string, name func(*T) string) []T {
	return slices.DeleteFunc(list, func(object T) bool { return name(&object) == gone })
}

func (c *Cluster) setRole(role *rollout.NodeRole) {
	i := slices.IndexFunc(c.Nodes, func(n inventory.Node) bool { return n.Name == role.Node })
	if i < 0 {
		return
	}
	labels := maps.Clone(c.Nodes[i].Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.DeleteFunc(labels, func(key, _ string) bool { return strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) })
	maps.Copy(labels, role.Labels)
	c.Nodes[i].Labels, c.Nodes[i].ClusterID = labels, role.ClusterID
	c.Nodes[i].Protected = slices.Sorted(maps.Keys(role.Annotations))
}

// setMesh writes all three mesh fields, as the controller's patch does.
func (c *Cluster) setMesh(mesh *rollout.MeshFields) {
	if calico.Default(c.Configurations) == nil {
		if mesh.Enabled == nil || *mesh.Enabled {
			return // without a configuration the mesh is on
		}
		created := calico.BGPConfiguration{}
		created.Name = calico.DefaultConfiguration
		c.Configurations = append(c.Configurations, created)
	}
	spec := &calico.Default(c.Configurations).Spec
	spec.NodeToNodeMeshEnabled, spec.NodeMeshPassword, spec.NodeMeshMaxRestartTime = mesh.Enabled, mesh.Password, mesh.MaxRestartTime
}

// setPolicy carries out what is written on the policy itself.
func (c *Cluster) setPolicy(step *rollout.Step) {
	policy := c.Autoscaler
	switch step.Action {
	case rollout.SaveMesh:
		text, err := json.Marshal(step.Mesh)
		if err != nil {
			return // cannot be: the fields are plain
		}
		if policy.Annotations == nil {
			policy.Annotations = map[string]string{}
		}
		policy.Annotations[v1alpha1.MeshAnnotation] = string(text)
	case rollout.ForgetMesh:
		delete(policy.Annotations, v1alpha1.MeshAnnotation)
	case rollout.AddFinalizer:
		policy.Finalizers = append(policy.Finalizers, v1alpha1.Finalizer)
	case rollout.RemoveFinalizer:
		policy.Finalizers = slices.DeleteFunc(policy.Finalizers, func(f string) bool { return f == v1alpha1.Finalizer })
	}
}
