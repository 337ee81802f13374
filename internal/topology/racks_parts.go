package topology

import (
	"slices"
	"strconv"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// partName is a group without clients: the reflectors that serve it are those of the
// n-th unit of their rack. Those of the first need no such name. Together with where
// they stand it tells what they are for, whatever else they serve halfway through a
// change.
func partName(n int) string { return partPrefix + strconv.Itoa(n) }

const partPrefix = "rack-part."

// partOf reads partName back.
func partOf(node *inventory.Node) int {
	for _, group := range servedBy(node) {
		if text, ok := strings.CutPrefix(group, partPrefix); ok {
			if n, err := strconv.Atoi(text); err == nil && n > 1 && strconv.Itoa(n) == text {
				return n
			}
		}
	}
	return 1
}

// has tells whether the node is a reflector of the unit now.
func (u *unit) has(node *inventory.Node, label string) bool {
	return tierOf(node) == TierRack && node.Labels[label] == u.rack.value && partOf(node) == u.part
}

// serves are the groups that the unit's reflectors serve.
func (u *unit) serves() []string {
	out := slices.Clone(u.groups)
	if u.part > 1 {
		out = append(out, partName(u.part))
	}
	return out
}

// pack puts the shards of a rack into units. From nothing each joins, in the order of
// their names, the first unit that it does not make too large. As long as who stands
// serves what that asks for it stays so; else the shards that the same reflectors
// serve stay together, and the others are packed around them.
func (h *hierarchyPlanner) pack(r *rack, groups []string, size map[string]int) {
	p := &packer{rack: r, room: h.room, size: size}
	for _, group := range groups {
		p.put(group, 0)
	}
	if !p.agrees() {
		p.units = nil
		var rest []string
		for _, group := range groups {
			part := p.servedBy(group)
			if part == 0 || !p.put(group, part) {
				rest = append(rest, group)
			}
		}
		for _, group := range rest {
			p.put(group, 0)
		}
	}
	h.units = append(h.units, p.units...)
}

type packer struct {
	rack  *rack
	room  int
	size  map[string]int
	units []*unit
}

// put adds a group to the unit with the number given, or (0) to the first that has
// room for it, and makes the unit where there is none.
func (p *packer) put(group string, part int) bool {
	for _, u := range p.units {
		fits := u.size+p.size[group] <= p.room
		if u.part == part && !fits {
			return false
		}
		if u.part == part || part == 0 && fits {
			u.groups = append(u.groups, group)
			u.size += p.size[group]
			return true
		}
	}
	for n := 1; part == 0; n++ {
		if !slices.ContainsFunc(p.units, func(u *unit) bool { return u.part == n }) {
			part = n
		}
	}
	p.units = append(p.units, &unit{rack: p.rack, part: part, groups: []string{group}, size: p.size[group]})
	return true
}

// agrees tells whether the standing reflectors serve all that their units ask for.
func (p *packer) agrees() bool {
	for _, node := range p.rack.standing {
		at := slices.IndexFunc(p.units, func(u *unit) bool { return u.part == partOf(node) })
		if at < 0 {
			return false
		}
		for _, group := range p.units[at].groups {
			if !serves(node, group) {
				return false
			}
		}
	}
	return true
}

// servedBy is the lowest number of a unit whose standing reflectors serve the group;
// 0 where there is none.
func (p *packer) servedBy(group string) int {
	lowest := 0
	for _, node := range p.rack.standing {
		if part := partOf(node); serves(node, group) && (lowest == 0 || part < lowest) {
			lowest = part
		}
	}
	return lowest
}

func serves(node *inventory.Node, group string) bool {
	_, ok := node.Labels[v1alpha1.ServesLabelPrefix+group]
	return ok
}
