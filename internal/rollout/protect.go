package rollout

import (
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// protection is the annotations by which the policy protects reflectors from
// autoscalers of nodes, but for those that somebody else uses on the node, sorted.
func (s *state) protection(node *inventory.Node) []string {
	var out []string
	for autoscaler, key := range map[v1alpha1.NodeAutoscaler]string{
		v1alpha1.ClusterAutoscaler: v1alpha1.ScaleDownDisabledAnnotation,
		v1alpha1.Karpenter:         v1alpha1.DoNotDisruptAnnotation,
	} {
		if slices.Contains(s.spec.Placement.ProtectFrom, autoscaler) && !slices.Contains(node.ProtectedOtherwise, key) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// protect brings the protection of nodes in line with the policy. No route depends
// on it.
func (s *state) protect() *verdict {
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		standing := slices.Contains(s.standing.Reflectors, node.Name)
		if !standing && len(node.Protected) == 0 {
			continue
		}
		var want []string
		if standing {
			want = s.protection(node)
		}
		if slices.Equal(node.Protected, want) {
			continue
		}
		if !standing {
			return take(&Step{
				Action: ClearRole, Object: nodeObject(node.Name), Role: s.nodeRole(node.Name, "", node.ClusterID, nil),
				Why: "it is no route reflector any more, and needs no protection from autoscalers of nodes",
			})
		}
		step := s.roleStep(node.Name, s.tier(node.Name), node.ClusterID, s.serves(node.Name))
		step.WaitsFor, step.Repair = "", s.undone(step.Object)
		step.Why = "spec.placement.protectFrom says which autoscalers of nodes must leave it alone"
		return take(step)
	}
	return nil
}
