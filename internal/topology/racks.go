package topology

import (
	"cmp"
	"maps"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// rack is the nodes that have one value of the label.
type rack struct {
	value string
	nodes []*inventory.Node
	// able are the nodes that can be reflectors and are not of the spine.
	able int
	// zones that the rack reaches over.
	zones int
	// standing are the reflectors of racks that stand in it, fit to stay or not.
	standing []*inventory.Node
	// homed: some of its clients have a home in a shard of it.
	homed bool
	// own: it has reflectors of its own. sharded: its clients are told by home.
	own, sharded bool
}

// readRacks finds out what each rack needs. A rack has reflectors of its own where,
// beside them, at least one more of its nodes can be a reflector, so that one that is
// lost can be replaced; and it keeps them as long as it has nodes for them.
func (h *hierarchyPlanner) readRacks() {
	byValue := h.collectRacks()
	var told []Group
	for _, value := range slices.Sorted(maps.Keys(byValue)) {
		r := byValue[value]
		r.own = value != "" && (r.able > h.each && !h.noMore || len(r.standing) > 0 && len(r.nodes) > 0)
		if r.own {
			told = append(told, Group{Name: cleanZone(value), Label: h.label, Value: value})
		}
		h.racks = append(h.racks, r)
	}
	for _, r := range h.racks {
		r.sharded = r.own && (r.homed || len(r.nodes)-min(h.each, r.able) > h.room || !tellable(told))
	}
}

// collectRacks counts what there is in each rack, by the value of the label.
func (h *hierarchyPlanner) collectRacks() map[string]*rack {
	byValue := map[string]*rack{}
	seen := map[[2]string]bool{}
	for _, node := range sorted(h.request.Nodes) {
		value := node.Labels[h.label]
		r := byValue[value]
		if r == nil {
			r = &rack{value: value}
			byValue[value] = r
		}
		if !node.HasBGP() || node.Deleting {
			continue
		}
		r.nodes = append(r.nodes, node)
		r.homed = r.homed || h.homeIn(node) != ""
		if at := [2]string{value, node.Labels[h.request.Spec.ZoneLabel]}; !seen[at] {
			seen[at] = true
			r.zones++
		}
	}
	for _, some := range [][]candidate{h.f.kept, h.f.candidates} {
		for _, c := range some {
			if !h.taken[c.node.Name] {
				byValue[c.node.Labels[h.label]].able++
			}
		}
	}
	h.markServed(byValue)
	return byValue
}

// markServed finds the racks in which reflectors of racks stand, fit to stay or not:
// a rack whose reflectors are all lost keeps its group, which the spine then serves.
func (h *hierarchyPlanner) markServed(byValue map[string]*rack) {
	byName := index(h.request.Nodes)
	for _, name := range h.request.Standing {
		if node := byName[name]; node != nil && tierOf(node) == TierRack {
			byValue[node.Labels[h.label]].standing = append(byValue[node.Labels[h.label]].standing, node)
		}
	}
}

// homeIn is the node's home if it is a shard of its rack; else "".
func (h *hierarchyPlanner) homeIn(node *inventory.Node) string {
	home, ok := homeOf(node)
	if !ok {
		return ""
	}
	if zone, _, ok := parseShard(home); !ok || zone != cleanZone(node.Labels[h.label]) {
		return ""
	}
	return home
}

// makeUnits cuts the racks into units. Clients that have a home and are in no unit
// peer with the spine by that home, for the catch-all leaves them out.
func (h *hierarchyPlanner) makeUnits() {
	sharded := map[string]*rack{}
	covered := map[string]bool{}
	for _, r := range h.racks {
		switch {
		case r.sharded:
			sharded[r.value] = r
		case r.own:
			name := cleanZone(r.value)
			h.groups = append(h.groups, Group{Name: name, Label: h.label, Value: r.value})
			h.units = append(h.units, &unit{rack: r, part: 1, groups: []string{name}})
			for _, node := range r.nodes {
				covered[node.Name] = true
			}
		}
	}
	// Those that are in a shard have their home in h.homes.
	shares := h.shard(sharded)
	h.groups = append(h.groups, shares.groups...)
	byRack := map[string][]string{}
	for _, group := range shares.groups {
		byRack[shares.zone[group.Name]] = append(byRack[shares.zone[group.Name]], group.Name)
	}
	for _, value := range slices.Sorted(maps.Keys(byRack)) {
		h.pack(sharded[value], byRack[value], shares.size)
	}
	if shares.homes != nil {
		h.homes = shares.homes
	}
	h.leftOver(covered)
	slices.SortStableFunc(h.units, func(a, b *unit) int {
		return cmp.Or(cmp.Compare(a.rack.value, b.rack.value), cmp.Compare(a.part, b.part))
	})
}

// shard cuts the racks given into shards of at most as many clients as their
// reflectors may have.
func (h *hierarchyPlanner) shard(racks map[string]*rack) partition {
	if len(racks) == 0 {
		return partition{}
	}
	sub := h.request
	sub.Spec.ZoneLabel = h.label
	outside := maps.Clone(h.taken)
	want := map[string]int{}
	for value, r := range racks {
		want[value] = (len(r.nodes) + h.room - 1) / h.room
	}
	own := false
	for i := range h.request.Nodes {
		node := &h.request.Nodes[i]
		inside := racks[node.Labels[h.label]] != nil
		if !inside {
			outside[node.Name] = true
		}
		if _, ok := homeOf(node); ok && (!inside || h.homeIn(node) == "") {
			if !own {
				sub.Nodes, own = slices.Clone(h.request.Nodes), true
			}
			sub.Nodes[i].Labels = maps.Clone(node.Labels)
			delete(sub.Nodes[i].Labels, v1alpha1.HomeLabel)
		}
	}
	return shards(sub, outside, want, h.room)
}

// leftOver gives the clients that are in no unit, but have a home, to the spine.
func (h *hierarchyPlanner) leftOver(covered map[string]bool) {
	for _, node := range sorted(h.request.Nodes) {
		home, ok := homeOf(node)
		if !ok || covered[node.Name] || node.Deleting {
			continue
		}
		if _, has := h.homes[node.Name]; has {
			continue
		}
		h.homes[node.Name] = home
		if !slices.ContainsFunc(h.groups, func(g Group) bool { return g.Name == home }) {
			h.groups = append(h.groups, Group{Name: home})
			h.spineGroups = append(h.spineGroups, home)
		}
	}
}
