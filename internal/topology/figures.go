package topology

// mostSessions is the greatest number of sessions of a reflector once the plan is
// carried out, in one address family.
func (p *Plan) mostSessions(request Request) int {
	size := p.groupSizes(request)
	tiers := map[string]int{}
	for _, r := range p.Reflectors {
		tiers[r.Tier]++
	}
	racks := tiers[TierRack]
	meshed := len(p.Reflectors) - racks
	most := 0
	for _, r := range p.Reflectors {
		sessions := meshed - 1
		switch r.Tier {
		case TierRack:
			sessions = tiers[TierCore]
		case TierCore:
			sessions += racks
		}
		for _, group := range r.Serves {
			sessions += size[group]
		}
		most = max(most, sessions)
	}
	return most
}

// groupSizes counts the clients of each group that speak BGP.
func (p *Plan) groupSizes(request Request) map[string]int {
	told := map[[2]string]string{}
	labels := map[string]bool{}
	for _, group := range p.Groups {
		if !group.ByHome() {
			told[[2]string{group.Label, group.Value}] = group.Name
			labels[group.Label] = true
		}
	}
	reflectors := make(map[string]bool, len(p.Reflectors))
	for _, r := range p.Reflectors {
		reflectors[r.Node] = true
	}
	size := map[string]int{}
	for i := range request.Nodes {
		node := &request.Nodes[i]
		if !node.HasBGP() || node.Deleting || reflectors[node.Name] {
			continue
		}
		group := GroupAll
		if home, ok := p.Homes[node.Name]; ok {
			group = home
		}
		for label := range labels {
			if name, ok := told[[2]string{label, node.Labels[label]}]; ok {
				group = name
			}
		}
		size[group]++
	}
	return size
}
