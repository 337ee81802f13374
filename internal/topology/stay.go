package topology

import (
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// unfilteredIDs is the most cluster IDs that Multi may have without the tag filter:
// a route then has up to 15 paths, with four IDs 33, with eight 11,745.
const unfilteredIDs = 3

// stay keeps what stands, whatever it is: reflectors with their tier, cluster ID and
// groups, and the homes of clients, as the labels tell.
func (p *Plan) stay(request Request) {
	p.Held = true
	p.Topology = inForce(request)
	byName := index(request.Nodes)
	served := map[string]bool{}
	own := map[string]bool{}
	for _, name := range request.Standing {
		node := byName[name]
		if node == nil {
			continue
		}
		r := standingReflector(request, node)
		p.Reflectors = append(p.Reflectors, r)
		for _, group := range r.Serves {
			served[group] = true
		}
		if r.Tier == TierMulti {
			own[r.ClusterID] = true
		}
	}
	p.TagFilter = len(own) > unfilteredIDs || len(own) > 0 && request.TagFilter.Cluster
	p.stayGroups(request, served)
}

// standingReflector reads a reflector back from what its node carries.
func standingReflector(request Request, node *inventory.Node) Reflector {
	r := reflector(request, node)
	if tier := tierOf(node); tier != "" {
		r.Tier = tier
	}
	if node.ClusterID != "" {
		r.ClusterID = node.ClusterID
	}
	if groups := servedBy(node); len(groups) > 0 {
		r.Serves = groups
	}
	return r
}

// tierOf is the tier that a node carries; "" where it has no role, or one that is
// not known.
func tierOf(node *inventory.Node) string {
	switch tier := node.Labels[v1alpha1.ReflectorLabel]; tier {
	case TierCore, TierMulti, TierQuorum, TierRack:
		return tier
	}
	return ""
}

// servedBy lists the groups that a node serves, sorted.
func servedBy(node *inventory.Node) []string {
	var out []string
	for key := range node.Labels {
		if group, ok := strings.CutPrefix(key, v1alpha1.ServesLabelPrefix); ok {
			out = append(out, group)
		}
	}
	slices.Sort(out)
	return out
}

// stayGroups reads back who belongs to the groups that are served: by home where
// some node has that home, else by the label of the zones or racks.
func (p *Plan) stayGroups(request Request, served map[string]bool) {
	p.Homes = map[string]string{}
	told := map[string]Group{}
	labels := []string{request.Spec.ZoneLabel, request.Spec.RackLabel}
	for i := range request.Nodes {
		node := &request.Nodes[i]
		if home, ok := homeOf(node); ok {
			p.Homes[node.Name] = home
			told[home] = Group{Name: home}
		}
	}
	for _, label := range labels {
		for i := range request.Nodes {
			value := request.Nodes[i].Labels[label]
			if value == "" || label == "" {
				continue
			}
			name := cleanZone(value)
			if _, known := told[name]; !known {
				told[name] = Group{Name: name, Label: label, Value: value}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(told)) {
		if served[name] {
			p.Groups = append(p.Groups, told[name])
		}
	}
}

// inForce is the topology that the reflectors make up which stand. In the middle of
// a change it is the one that the change leads away from Single to.
func inForce(request Request) v1alpha1.Topology {
	if len(request.Standing) == 0 {
		return v1alpha1.TopologyMesh
	}
	tiers := map[string]bool{}
	byName := index(request.Nodes)
	for _, name := range request.Standing {
		if node := byName[name]; node != nil {
			tiers[tierOf(node)] = true
		}
	}
	switch {
	case tiers[TierRack]:
		return v1alpha1.TopologyHierarchy
	case tiers[TierMulti]:
		return v1alpha1.TopologyMulti
	case tiers[TierQuorum]:
		return v1alpha1.TopologyQuorum
	}
	return v1alpha1.TopologySingle
}
