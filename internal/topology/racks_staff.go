package topology

import (
	"cmp"
	"slices"
)

// staff finds the reflectors of all units: first who serves them now, then who is
// there for another topology, then new ones.
func (h *hierarchyPlanner) staff() {
	byName := index(h.request.Nodes)
	serving := h.serving()
	fresh := h.freshByRack()
	for i, u := range h.units {
		u.reflectors = h.pick(serving[i], nil, h.each)
		h.take(u)
	}
	h.await()
	for i, u := range h.units {
		h.complete(u, serving[i], fresh[u.rack.value])
		h.take(u)
	}
	for _, u := range h.units {
		h.keepStopgaps(u)
	}
	h.withoutReflectors()
	for name := range h.taken {
		// A reflector needs no home; one that it has, it keeps.
		if node := byName[name]; node != nil {
			if _, ok := homeOf(node); !ok {
				delete(h.homes, name)
			}
		}
	}
	h.count()
	h.number()
}

// keepStopgaps keeps reflectors that should go in a unit that has none to take their place.
func (h *hierarchyPlanner) keepStopgaps(u *unit) {
	for _, c := range h.f.stopgaps {
		if !u.awaits && len(u.reflectors) < h.each && !h.taken[c.node.Name] && u.has(c.node, h.label) {
			u.reflectors = append(u.reflectors, c)
			h.take(u)
		}
	}
}

// serving are, for each unit, the reflectors that it has now.
func (h *hierarchyPlanner) serving() [][]candidate {
	out := make([][]candidate, len(h.units))
	for i, u := range h.units {
		for _, c := range h.f.kept {
			if !h.taken[c.node.Name] && u.has(c.node, h.label) {
				out[i] = append(out[i], c)
			}
		}
	}
	return out
}

func (h *hierarchyPlanner) take(u *unit) {
	for _, c := range u.reflectors {
		h.taken[c.node.Name] = true
	}
}

// freshByRack are the candidates of each rack, the best first, without those that no
// unit could come to need: of one zone each takes h.each at most.
func (h *hierarchyPlanner) freshByRack() map[string][]candidate {
	out, count := map[string][]candidate{}, map[[2]string]int{}
	for i := range h.f.candidates {
		c := &h.f.candidates[i]
		rack := c.node.Labels[h.label]
		at := [2]string{rack, c.zone}
		if h.taken[c.node.Name] || !c.pinned && count[at] >= h.each*(len(h.units)+1) {
			continue
		}
		if !c.pinned {
			count[at]++
		}
		out[rack] = append(out[rack], *c)
	}
	return out
}

// complete finds the reflectors that a unit lacks among the nodes of its rack.
func (h *hierarchyPlanner) complete(u *unit, serving, fresh []candidate) {
	if u.awaits {
		return
	}
	var pool []candidate
	for _, c := range h.f.kept {
		idle := !slices.ContainsFunc(h.units, func(u *unit) bool { return u.has(c.node, h.label) })
		if idle && c.node.Labels[h.label] == u.rack.value {
			pool = append(pool, c)
		}
	}
	pool = append(pool, fresh...)
	if len(u.reflectors) == h.each {
		pool = append(slices.Clone(serving), pool...)
	}
	was := u.reflectors
	u.reflectors = h.pick(was, pool, h.each)
	for _, c := range was {
		if !slices.ContainsFunc(u.reflectors, func(o candidate) bool { return o.node == c.node }) {
			delete(h.taken, c.node.Name)
		}
	}
}

// withoutReflectors gives the groups of units that have none to the spine.
func (h *hierarchyPlanner) withoutReflectors() {
	h.units = slices.DeleteFunc(h.units, func(u *unit) bool {
		if len(u.reflectors) == 0 {
			h.spineGroups = append(h.spineGroups, u.groups...)
		}
		return len(u.reflectors) == 0
	})
}

// count finds out how many clients everybody has.
func (h *hierarchyPlanner) count() {
	unitOf := map[string]*unit{}
	h.loose = loose{}
	for _, u := range h.units {
		u.size = 0
		for _, group := range u.groups {
			unitOf[group] = u
		}
	}
	told := map[string]string{}
	for _, group := range h.groups {
		if !group.ByHome() {
			told[group.Value] = group.Name
		}
	}
	racks := map[string]*rack{}
	for _, r := range h.racks {
		racks[r.value] = r
	}
	for i := range h.request.Nodes {
		node := &h.request.Nodes[i]
		if !node.HasBGP() || node.Deleting || h.taken[node.Name] {
			continue
		}
		group := cmp.Or(h.homes[node.Name], told[node.Labels[h.label]])
		if u := unitOf[group]; u != nil {
			u.size++
		} else {
			h.loose.add(racks[node.Labels[h.label]], h.each)
		}
	}
}

// number gives every unit its cluster ID: that of the reflectors that serve it now,
// else the lowest that is free.
func (h *hierarchyPlanner) number() {
	ids := newIDs(h.request.Spec.ClusterID, h.request.Nodes)
	for _, u := range h.units {
		var names []string
		count := map[string]int{}
		for _, node := range u.rack.standing {
			if partOf(node) == u.part {
				names = append(names, node.Name)
				count[node.ClusterID]++
			}
		}
		for len(count) > 0 && u.id == "" {
			id := majority(count)
			if ids.keep(id, names...) {
				u.id = id
			}
			delete(count, id)
		}
	}
	for _, u := range h.units {
		if u.id == "" {
			u.id = ids.next()
		}
	}
}
