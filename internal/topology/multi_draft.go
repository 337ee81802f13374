package topology

import (
	"cmp"
	"slices"
	"strings"
)

// draft is a plan in the making.
type draft struct {
	kept, chosen []candidate
	leaving      map[string]string
	// all of them, in the order of the servers of a.
	all       []candidate
	partition partition
	a         *assignment
	// lost: a group lacks some of the reflectors that it had.
	lost bool
	// fresh: planned as if none of them stood.
	fresh bool
}

func (p *multiPlanner) draft(m int) *draft {
	if p.drafts[m] != nil {
		return p.drafts[m]
	}
	d := p.begin(m)
	p.drafts[m] = d
	d.giveBack(p.k)
	for _, group := range d.a.groups {
		d.lost = d.lost || len(group.by) > 0 && len(group.by) < min(p.k, len(d.all))
	}
	d.a.replacing = d.lost || p.lost || p.catchAllLacks(d)
	p.assign(d)
	return d
}

// begin is the draft of m reflectors, with what those serve that stand.
func (p *multiPlanner) begin(m int) *draft {
	d := &draft{}
	d.kept, d.chosen, d.leaving = p.f.pick(TierMulti, p.c, m, p.k, p.rating())
	p.lay(d, m)
	standing := d.stand()
	for i, c := range d.all {
		// One that has nothing to serve was no better off before.
		d.a.servers[i].fixed = d.a.servers[i].fixed || standing && tierOf(c.node) == TierMulti
	}
	return d
}

// assign says who serves whom.
func (p *multiPlanner) assign(d *draft) {
	d.a.assign(p.sizer.sessions - len(d.all) + 1)
}

// lay puts the reflectors of a draft of m in order, by zone as on paper (what worked
// there works here), and says which groups there are for them to serve.
func (p *multiPlanner) lay(d *draft, m int) {
	d.all = slices.Concat(d.kept, d.chosen)
	slices.SortFunc(d.all, func(a, b candidate) int {
		return cmp.Or(strings.Compare(a.zone, b.zone), strings.Compare(a.node.Name, b.node.Name))
	})
	d.partition = p.groups(d.all, m)
	d.a = &assignment{k: p.k, enough: p.k, apart: p.want.apart}
	for _, group := range d.partition.groups {
		d.a.groups = append(d.a.groups, served{zone: d.partition.zone[group.Name], size: d.partition.size[group.Name]})
	}
}

// stand takes over which groups the reflectors serve that stand, and tells whether
// any is served.
func (d *draft) stand() (some bool) {
	at := map[string]int{}
	for i, group := range d.partition.groups {
		at[group.Name] = i
	}
	for i, c := range d.all {
		s := server{zone: c.zone}
		if tierOf(c.node) != "" {
			for _, name := range servedBy(c.node) {
				if g, ok := at[name]; ok {
					s.fixed, some = true, true
					d.a.groups[g].by = append(d.a.groups[g].by, i)
				}
			}
		}
		d.a.servers = append(d.a.servers, s)
	}
	return some
}

// giveBack repairs a single label that somebody has removed by hand: one group lacks
// one home, and there is a reflector that has room for just that. After the loss of a
// reflector all have their share already, or there is more than one group that lacks
// a home.
func (d *draft) giveBack(k int) {
	lacks, missing := -1, 0
	for g := range d.a.groups {
		if by := len(d.a.groups[g].by); by < min(k, len(d.all)) {
			lacks, missing = g, missing+min(k, len(d.all))-by
		}
	}
	if missing != 1 || len(d.chosen) > 0 {
		return
	}
	if s := d.a.idlest(lacks); s >= 0 {
		d.a.groups[lacks].by = append(d.a.groups[lacks].by, s)
		d.a.servers[s].fixed = true
	}
}

// rating tells which zones suit a reflector that replaces a lost one: above 0 those
// of groups that miss the reflector of their own zone, below 0 those where the other
// reflectors of such a group are.
func (p *multiPlanner) rating() map[string]int {
	zones := map[string]string{}
	for _, zone := range p.c.zones {
		zones[cleanZone(zone)] = zone
	}
	homes := map[string][]string{}
	for _, c := range p.f.kept {
		for _, group := range servedBy(c.node) {
			homes[group] = append(homes[group], c.zone)
		}
	}
	out, blocked := map[string]int{}, map[string]bool{}
	for group, in := range homes {
		zone, ok := zoneOfGroup(group, zones)
		if !ok || len(in) >= p.k {
			continue
		}
		if !slices.Contains(in, zone) {
			out[zone] = 1
		}
		blocked[in[0]] = blocked[in[0]] || len(slices.Compact(in)) == 1
	}
	for zone, is := range blocked {
		if is {
			out[zone] = -1
		}
	}
	return out
}

// zoneOfGroup reads the zone out of a group's name; zones are by their clean names.
func zoneOfGroup(group string, zones map[string]string) (string, bool) {
	if zone, ok := zones[group]; ok {
		return zone, true
	}
	name, _, _ := parseShard(group)
	zone, ok := zones[name]
	return zone, ok
}

// groups cuts the clients: not at all where all reflectors serve all, by zone label
// where that will do, else into shards.
func (p *multiPlanner) groups(reflectors []candidate, m int) partition {
	names := map[string]bool{}
	for _, c := range reflectors {
		names[c.node.Name] = true
	}
	none := !homesStand(p.request.Nodes)
	if none && len(reflectors) <= p.k {
		return partition{}
	}
	if none && p.want.byLabel {
		return byZoneLabel(p.request, names)
	}
	full := max((p.sizer.sessions-m+1)/(p.k*p.want.fine), 1)
	return cut(p.request, names, p.c.shards(m*p.want.fine), full, full/10)
}

// mayGroup tells how the clients may be grouped. Homes that stand stay. The zone
// label is no use where Calico would not take so long a selector, or nodes lack it;
// once it tells the groups, a few that do not have it yet do not matter.
func (p *multiPlanner) mayGroup() grouping {
	if homesStand(p.request.Nodes) {
		return byHome
	}
	var groups []Group
	names := map[string]bool{}
	for _, zone := range p.c.zones {
		if zone != "" {
			groups = append(groups, Group{Name: cleanZone(zone), Label: p.request.Spec.ZoneLabel, Value: zone})
			names[cleanZone(zone)] = true
		}
	}
	without := p.c.nodes[""]
	if !tellable(groups) || without*10 > p.c.total {
		return byHome
	}
	for _, c := range p.f.kept {
		if tierOf(c.node) == TierMulti && slices.ContainsFunc(servedBy(c.node), func(group string) bool { return names[group] }) {
			return byZone
		}
	}
	if without > 0 {
		return byHome
	}
	return byEither
}
