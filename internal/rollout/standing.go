package rollout

import (
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// tiers that a reflector of ours may have.
var tiers = []string{topology.TierCore, topology.TierMulti, topology.TierQuorum, topology.TierRack}

// tier of a standing reflector. Where somebody has taken its label away, or changed
// it to something else, the tier that it had.
func (s *state) tier(name string) string {
	if tier := s.nodes[name].Labels[v1alpha1.ReflectorLabel]; slices.Contains(tiers, tier) {
		return tier
	}
	if last, known := s.lastSeen(name); known && slices.Contains(tiers, last.Tier) {
		return last.Tier
	}
	if want, stays := s.role(name); stays {
		return want.Tier
	}
	return topology.TierCore
}

// lastSeen is what the last status said of a reflector.
func (s *state) lastSeen(name string) (v1alpha1.ReflectorStatus, bool) {
	all := s.in.Autoscaler.Status.Reflectors
	i := slices.IndexFunc(all, func(last v1alpha1.ReflectorStatus) bool { return last.Name == name })
	if i < 0 || all[i].State == v1alpha1.ReflectorPending {
		return v1alpha1.ReflectorStatus{}, false
	}
	return all[i], true
}

// serves are the groups that a node serves now, sorted.
func (s *state) serves(name string) []string {
	var out []string
	for key := range s.nodes[name].Labels {
		if group, serves := strings.CutPrefix(key, v1alpha1.ServesLabelPrefix); serves {
			out = append(out, group)
		}
	}
	slices.Sort(out)
	return out
}

// servers are the living reflectors that serve a group now.
func (s *state) servers(group string) []string {
	var out []string
	for _, name := range s.living() {
		if _, serves := s.nodes[name].Labels[v1alpha1.ServesLabelPrefix+group]; serves {
			out = append(out, name)
		}
	}
	return out
}

// cores are the living reflectors of the core, the most senior first: those that
// pins join.
func (s *state) cores() []string {
	return slices.DeleteFunc(s.living(), func(name string) bool { return s.tier(name) != topology.TierCore })
}

// hasTier tells whether a reflector of one of the tiers stands or is planned.
func (s *state) hasTier(any ...string) bool {
	return s.standsTier(any...) || slices.ContainsFunc(s.plan.Reflectors, func(r topology.Reflector) bool {
		return slices.Contains(any, r.Tier)
	})
}

func (s *state) standsTier(any ...string) bool {
	return slices.ContainsFunc(s.standing.Reflectors, func(name string) bool {
		return slices.Contains(any, s.tier(name))
	})
}

// mixed: there is more than the core, now or planned.
func (s *state) mixed() bool {
	return s.hasTier(topology.TierMulti, topology.TierQuorum, topology.TierRack)
}

// nodeRole is all of ours that a node is to carry: a role, and whatever says to
// which group of clients it belongs. Without a tier it is a client.
func (s *state) nodeRole(name, tier, clusterID string, serves []string) *NodeRole {
	role := &NodeRole{Node: name, UID: s.nodes[name].UID, Labels: homeLabels(s.nodes[name].Labels), ClusterID: clusterID}
	if tier == "" {
		return role
	}
	maps.Copy(role.Labels, render.RoleLabels(tier, serves))
	if s.renewed(name) {
		role.Labels[v1alpha1.RenewedLabel] = "true"
	}
	for _, key := range s.protection(s.nodes[name]) {
		if role.Annotations == nil {
			role.Annotations = map[string]string{}
		}
		role.Annotations[key] = inventory.Protection
	}
	return role
}

// homeLabels are the labels that say to which group a node belongs.
func homeLabels(labels map[string]string) map[string]string {
	out := map[string]string{}
	for _, key := range []string{v1alpha1.HomeLabel, v1alpha1.SettledLabel} {
		if value, set := labels[key]; set {
			out[key] = value
		}
	}
	return out
}

// roleStep writes a role.
func (s *state) roleStep(name, tier, clusterID string, serves []string) *Step {
	return &Step{
		Action: SetRole, Object: nodeObject(name), Role: s.nodeRole(name, tier, clusterID, serves),
		WaitsFor: "its sessions with all nodes", changes: slices.Contains(s.standing.Reflectors, name),
	}
}

// union of two lists of groups, sorted.
func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// within tells whether all of a are in b.
func within(a, b []string) bool {
	return !slices.ContainsFunc(a, func(x string) bool { return !slices.Contains(b, x) })
}
