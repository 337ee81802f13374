package render

import (
	"maps"

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
	meshed, racks := false, false
	var core []*inventory.Node
	for _, reflector := range plan.Reflectors {
		node := byName[reflector.Node]
		node.Labels = merged(node.Labels, RoleLabels(reflector.Tier, reflector.Serves))
		node.ClusterID = reflector.ClusterID
		switch reflector.Tier {
		case topology.TierCore:
			for _, senior := range core {
				for _, address := range Families(senior, node) {
					pin := Pin(senior, node, address, clusterAS, options)
					pin.Spec.Filters = FilterNames(plan.TagFilter)
					goal.Peers = append(goal.Peers, *pin)
				}
			}
			core = append(core, node)
		case topology.TierRack:
			racks = true
		default:
			meshed = true
		}
	}
	if meshed {
		goal.Peers = append(goal.Peers, *Reflectors(plan.TagFilter, options))
	}
	if racks {
		goal.Peers = append(goal.Peers, *Racks(options))
	}
	if plan.TagFilter {
		goal.Filters = append(goal.Filters, *Filter())
	}
	return goal
}

func merged(labels, more map[string]string) map[string]string {
	out := maps.Clone(labels)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, more)
	return out
}
