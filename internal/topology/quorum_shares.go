package topology

import (
	"maps"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// make plans with the design, and the shards that suit it.
func (q *quorumPlanner) make(d *design) *quorumResult {
	result := &quorumResult{d: d, moved: map[string]bool{}}
	q.fill(result)
	reflectors := map[string]bool{}
	for _, c := range result.at {
		if c != nil {
			reflectors[c.node.Name] = true
		}
	}
	full := max((q.sessions-d.points+1)/d.block, 1)
	result.shares = shards(q.request, reflectors, q.shardsWanted(d), full)
	q.deal(result)
	return result
}

// shardsWanted divides as many shards as there are blocks over the zones by their
// nodes.
func (q *quorumPlanner) shardsWanted(d *design) map[string]int {
	nodes := map[string]int{}
	for i := range q.request.Nodes {
		node := &q.request.Nodes[i]
		if node.HasBGP() && !node.Deleting {
			nodes[node.Labels[q.request.Spec.ZoneLabel]]++
		}
	}
	want := map[string]int{}
	order := slices.Sorted(maps.Keys(nodes))
	for range d.points {
		// The zone whose shards would be the largest (Sainte-Laguë).
		best := ""
		for i, zone := range order {
			if i == 0 || nodes[zone]*(2*want[best]+1) > nodes[best]*(2*want[zone]+1) {
				best = zone
			}
		}
		want[best]++
	}
	return want
}

// where is the planner once the clients without a home have one as the result says.
func (q *quorumPlanner) where(result *quorumResult) *quorumPlanner {
	if !q.fresh(result) {
		return q
	}
	out := *q
	out.request.Nodes = slices.Clone(q.request.Nodes)
	for i := range out.request.Nodes {
		node := &out.request.Nodes[i]
		if home, ok := result.shares.homes[node.Name]; ok && node.Labels[v1alpha1.HomeLabel] != home {
			labels := make(map[string]string, len(node.Labels)+1)
			maps.Copy(labels, node.Labels)
			labels[v1alpha1.HomeLabel] = home
			node.Labels = labels
		}
	}
	return &out
}

// fresh tells whether the result gives anybody a home who has none.
func (q *quorumPlanner) fresh(result *quorumResult) bool {
	for i := range q.request.Nodes {
		node := &q.request.Nodes[i]
		if home, ok := result.shares.homes[node.Name]; ok && node.Labels[v1alpha1.HomeLabel] != home {
			return true
		}
	}
	return false
}
