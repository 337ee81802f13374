package topology

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// Count is how many reflectors the scaling policy asks for in a cluster of so
// many nodes: min(max(ceil(n/ratio), min), max), or the ladder's step.
func Count(scaling v1alpha1.Scaling, nodes int) int {
	return min(max(wish(scaling, nodes), int(scaling.Min)), int(scaling.Max))
}

// wish is Count without the bounds. Below the first step of a ladder the first
// step counts, as in cluster-proportional-autoscaler.
func wish(scaling v1alpha1.Scaling, nodes int) int {
	if len(scaling.Ladder) > 0 {
		steps := slices.SortedFunc(slices.Values(scaling.Ladder), func(a, b v1alpha1.LadderStep) int {
			return int(a.Nodes - b.Nodes)
		})
		want := steps[0].Reflectors
		for _, step := range steps {
			if int(step.Nodes) <= nodes {
				want = step.Reflectors
			}
		}
		return int(want)
	}
	ratio := v1alpha1.DefaultNodesPerReflector
	if scaling.NodesPerReflector != nil {
		ratio = int(*scaling.NodesPerReflector)
	}
	return (nodes + ratio - 1) / ratio
}

// describe lists reasons with their counts, the most frequent first.
func describe(reasons map[string]int) string {
	if len(reasons) == 0 {
		return "there are no nodes"
	}
	keys := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
		if reasons[a] != reasons[b] {
			return reasons[b] - reasons[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, key := range keys {
		noun := "node"
		if reasons[key] > 1 {
			noun = "nodes"
		}
		parts = append(parts, fmt.Sprintf("%d %s: %s", reasons[key], noun, key))
	}
	return strings.Join(parts, "; ")
}

// Describe lists why nodes cannot be reflectors, for a person.
func (p *Plan) Describe() string { return describe(p.Ineligible) }
