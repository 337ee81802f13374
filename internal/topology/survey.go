package topology

import (
	"fmt"
	"maps"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// counts is a cluster in numbers.
type counts struct {
	// nodes that speak BGP.
	nodes int
	// able nodes can be reflectors, filtering ones those of Multi: they carry the tag
	// filter too, where the cluster can have it at all.
	able, filtering int
	// zones, by name.
	zones []zoneCount
	// racks, by name; without the nodes that are in none, which are loose.
	racks []rackCount
	loose int
	// zoned: the zone label could tell groups of clients: all nodes have it, and none
	// has a home.
	zoned bool
}

type rackCount struct {
	nodes, able int
}

type zoneCount struct {
	nodes, able, filtering int
}

// survey counts a cluster.
func survey(request Request, f *field) counts {
	c := counts{}
	zones, racks := map[string]*zoneCount{}, map[string]rackCount{}
	at := func(zone string) *zoneCount {
		if zones[zone] == nil {
			zones[zone] = &zoneCount{}
		}
		return zones[zone]
	}
	rackLabel := request.Spec.RackLabel
	if rackLabel == "" {
		rackLabel = request.Spec.ZoneLabel
	}
	for i := range request.Nodes {
		node := &request.Nodes[i]
		if !node.HasBGP() || node.Deleting {
			continue
		}
		c.nodes++
		at(node.Labels[request.Spec.ZoneLabel]).nodes++
		rack := racks[node.Labels[rackLabel]]
		rack.nodes++
		racks[node.Labels[rackLabel]] = rack
	}
	for _, group := range [][]candidate{f.kept, f.stopgaps, f.candidates} {
		for i := range group {
			zone := at(group[i].zone)
			zone.able++
			c.able++
			name := group[i].node.Labels[rackLabel]
			rack := racks[name]
			rack.able++
			racks[name] = rack
			if request.TagFilter.allows(group[i].node.Name) {
				zone.filtering++
				c.filtering++
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		c.zones = append(c.zones, *zones[name])
	}
	c.zoned = zones[""] == nil && !homesStand(request.Nodes)
	c.loose = racks[""].nodes
	delete(racks, "")
	for _, name := range slices.Sorted(maps.Keys(racks)) {
		c.racks = append(c.racks, racks[name])
	}
	return c
}

// grown is the cluster with another number of nodes, its zones, racks and able nodes
// in the same proportion.
func (c *counts) grown(nodes int) counts {
	was := max(c.nodes, 1)
	in := func(n int) int {
		if n == 0 {
			return 0
		}
		return max(1, (n*nodes+was/2)/was)
	}
	out := counts{nodes: nodes, able: in(c.able), filtering: in(c.filtering), loose: in(c.loose), zoned: c.zoned}
	for _, zone := range c.zones {
		out.zones = append(out.zones, zoneCount{in(zone.nodes), in(zone.able), in(zone.filtering)})
	}
	for _, rack := range c.racks {
		out.racks = append(out.racks, rackCount{in(rack.nodes), in(rack.able)})
	}
	return out
}

// census is the same in the words of the planner of Multi, the zones numbered.
func (c *counts) census() census {
	out := census{nodes: map[string]int{}, able: map[string]int{}, total: c.nodes}
	for i, zone := range c.zones {
		name := fmt.Sprintf("%04d", i)
		out.zones = append(out.zones, name)
		out.nodes[name], out.able[name] = zone.nodes, zone.filtering
	}
	return out
}

// reach is in how many zones there are nodes that can be reflectors.
func (c *counts) reach(filtering bool) int {
	reach := 0
	for _, zone := range c.zones {
		if filtering && zone.filtering > 0 || !filtering && zone.able > 0 {
			reach++
		}
	}
	return reach
}

// chosenByAuto are the topologies that Auto weighs, in the order in which it takes
// the first of several that cost the same.
var chosenByAuto = []v1alpha1.Topology{
	v1alpha1.TopologySingle, v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy,
}
