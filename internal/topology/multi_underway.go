package topology

import (
	"maps"
	"slices"
)

// underway is the draft that a rollout from nothing is carrying out, told by the
// reflectors that stand and the nodes that the last plan chose: whoever has the role
// already serves exactly what a plan from nothing with the same nodes gives it. Then
// that plan goes on. To choose anew after each promotion would come to other
// nodes, other groups, and one reflector too many. Nil: nothing of the kind.
func (p *multiPlanner) underway(least, most int) *draft {
	var coming []candidate
	for _, c := range p.f.candidates {
		if c.chosen {
			coming = append(coming, c)
		}
	}
	m := len(p.f.kept) + len(coming)
	if len(p.f.kept) == 0 || len(coming) == 0 || len(p.f.stopgaps) > 0 || m < least || m > most {
		return nil
	}
	d := p.anew(coming, m)
	serves := p.serves(d)
	for _, c := range d.kept {
		if tierOf(c.node) != TierMulti || !slices.Equal(servedBy(c.node), serves[c.node.Name]) {
			return nil
		}
	}
	if d.over(p.sizer.sessions) > 0 {
		return nil
	}
	return d
}

// anew is the draft from nothing with those that stand and those to come.
func (p *multiPlanner) anew(coming []candidate, m int) *draft {
	d := &draft{kept: slices.Clone(p.f.kept), chosen: coming, leaving: maps.Clone(p.f.leaving), fresh: true}
	p.lay(d, m)
	for _, c := range d.all {
		d.a.servers = append(d.a.servers, server{zone: c.zone})
	}
	p.assign(d)
	return d
}

// serves are the groups of each reflector, sorted.
func (p *multiPlanner) serves(d *draft) map[string][]string {
	serves := map[string][]string{}
	for g, group := range d.partition.groups {
		for _, s := range d.a.groups[g].by {
			serves[d.all[s].node.Name] = append(serves[d.all[s].node.Name], group.Name)
		}
	}
	for _, name := range p.catchAll(d) {
		serves[name] = append(serves[name], GroupAll)
	}
	for _, groups := range serves {
		slices.Sort(groups)
	}
	return serves
}
