package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// roleOf counts a node's role and returns everything of ours that the node carries.
func (w *World) roleOf(node *inventory.Node, o *Outcome) string {
	if tier, reflector := node.Labels[v1alpha1.ReflectorLabel]; reflector {
		o.Tiers[tier]++
	}
	var own []string
	for _, key := range slices.Sorted(maps.Keys(node.Labels)) {
		if strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) {
			own = append(own, key+"="+node.Labels[key])
		}
	}
	if node.Labels[v1alpha1.HomeLabel] != "" {
		o.Objects["home"]++
	}
	if node.Labels[v1alpha1.SettledLabel] != "" {
		o.Objects["settled"]++
	}
	return fmt.Sprintf("%s %s %s %v", node.Name, node.ClusterID, strings.Join(own, " "), node.Protected)
}
