package render

import (
	"maps"
	"slices"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// Goal is a plan carried out.
type Goal struct {
	Nodes   []inventory.Node
	Peers   []calico.BGPPeer
	Filters []calico.BGPFilter
}

// GoalOf gives the nodes and objects that a plan ends with: what the rollout leads
// to, without its steps, on nodes that carry nothing of ours but homes. The nodes
// given are not changed.
func GoalOf(plan *topology.Plan, nodes []inventory.Node, clusterAS uint32, options Options) Goal {
	goal := Goal{Nodes: append([]inventory.Node(nil), nodes...)}
	if len(plan.Reflectors) == 0 {
		return goal
	}
	byName := make(map[string]*inventory.Node, len(nodes))
	for i := range goal.Nodes {
		byName[goal.Nodes[i].Name] = &goal.Nodes[i]
	}
	for name, group := range plan.Homes {
		if node := byName[name]; node != nil {
			node.Labels = merged(node.Labels, HomeLabels(group, true))
		}
	}
	goal.Peers = append(goal.Peers, *ClientsOf(CatchAll(plan.Groups), options))
	for _, group := range plan.Groups {
		goal.Peers = append(goal.Peers, *GroupPeer(group, options))
	}
	var core []*inventory.Node
	for _, reflector := range plan.Reflectors {
		node := byName[reflector.Node]
		node.Labels = merged(node.Labels, RoleLabels(reflector.Tier, reflector.Serves))
		node.ClusterID = reflector.ClusterID
		if reflector.Tier == topology.TierCore {
			goal.pin(core, node, clusterAS, plan.TagFilter, options)
			core = append(core, node)
		}
	}
	has := func(tiers ...string) bool {
		return slices.ContainsFunc(plan.Reflectors, func(r topology.Reflector) bool { return slices.Contains(tiers, r.Tier) })
	}
	if has(topology.TierMulti, topology.TierQuorum) {
		goal.Peers = append(goal.Peers, *Reflectors(plan.TagFilter, options))
	}
	if has(topology.TierRack) {
		goal.Peers = append(goal.Peers, *Racks(options))
	}
	if plan.TagFilter {
		goal.Filters = append(goal.Filters, *Filter())
	}
	return goal
}

// pin joins a reflector of the core to those that are senior to it.
func (g *Goal) pin(seniors []*inventory.Node, junior *inventory.Node, clusterAS uint32, filtered bool, options Options) {
	for _, senior := range seniors {
		for _, address := range Families(senior, junior) {
			pin := Pin(senior, junior, address, clusterAS, options)
			pin.Spec.Filters = FilterNames(filtered)
			g.Peers = append(g.Peers, *pin)
		}
	}
}

func merged(labels, more map[string]string) map[string]string {
	out := maps.Clone(labels)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, more)
	return out
}
