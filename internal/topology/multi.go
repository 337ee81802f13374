package topology

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// multi plans the topology Multi: a cluster ID for each reflector, all of them
// joined, every client with k of them. The clients of a zone, or of a shard of one,
// have the same k.
func multi(request Request, f *field, plan *Plan) {
	most, ok := filtered(request, f, plan)
	if !ok {
		plan.stay(request)
		return
	}
	p := &multiPlanner{request: request, f: f, plan: plan, c: f.census(), drafts: map[int]*draft{}}
	p.k = max(int(request.Spec.ReflectorsPerClient), 1)
	_, able := p.c.reach()
	able += len(f.stopgaps)
	sizer := &sizer{c: p.c, k: p.k, sessions: int(request.Spec.Limits.SessionsPerReflector), most: min(most, able)}
	p.tooFew(able, most)
	least := sizer.least(&request.Spec, plan)
	p.may = p.mayGroup()
	p.want = sizer.size(least, p.may)
	p.carryOut(p.grown(least, sizer.most), sizer.most)
}

// few clients more or less on a reflector are no imbalance.
const few = 5

// filtered sees to the tag filter: who can carry it, and where it cannot be had, how
// many reflectors there may be at most without it.
func filtered(request Request, f *field, plan *Plan) (most int, ok bool) {
	most = int(request.Spec.Scaling.Max)
	if request.TagFilter.Cluster {
		plan.TagFilter = true
		f.only(func(node string) string {
			if request.TagFilter.On(node) {
				return ""
			}
			return "runs a calico-node that cannot do the tag filter, which v3.32 and newer can"
		})
		if !f.empty() {
			return most, true
		}
		plan.problem(ReasonTagFilterUnavailable, "no node can be a route reflector that carries the tag filter: %s", plan.Describe())
		return 0, false
	}
	why := orUnknown(request.TagFilter.Why)
	least, k := int(request.Spec.Scaling.Min), int(request.Spec.ReflectorsPerClient)
	need, fits := smallest(plan.Nodes, k, int(request.Spec.Limits.SessionsPerReflector), max(least, k), most)
	if !fits || need > unfilteredIDs {
		plan.problem(ReasonTagFilterUnavailable,
			"topology Multi needs %d route reflectors for %d nodes, and more than %d only with the tag filter, which this cluster cannot have: %s; the reflectors stay as they are",
			need, plan.Nodes, unfilteredIDs, why)
		return 0, false
	}
	if paths := unfilteredPaths(k, unfilteredIDs); paths > int(request.Spec.Limits.PathsPerRoute) {
		plan.problem(ReasonTagFilterUnavailable,
			"topology Multi without the tag filter gives a client up to %d paths a route, limits.pathsPerRoute allows %d, and this cluster cannot have the filter: %s; the reflectors stay as they are",
			paths, request.Spec.Limits.PathsPerRoute, why)
		return 0, false
	}
	if wish := Count(request.Spec.Scaling, plan.Nodes); wish > unfilteredIDs {
		plan.problem(ReasonTagFilterUnavailable,
			"%d of %d route reflectors: more need the tag filter, which this cluster cannot have: %s", unfilteredIDs, wish, why)
	}
	return min(most, unfilteredIDs), true
}

// unfilteredPaths is the most paths a route that a client has with k of m reflectors
// of distinct IDs, all joined and nothing filtered: each home of the one end with
// each of the other over every way through the mesh that passes no reflector twice.
func unfilteredPaths(k, m int) int {
	k = min(k, m)
	ways, way := 0, 1
	for j := range max(m-1, 0) {
		ways += way
		way *= m - 2 - j
	}
	shared := max(0, 2*k-m)
	return shared + (k*k-shared)*ways
}

type multiPlanner struct {
	request Request
	f       *field
	plan    *Plan
	c       census
	k       int
	may     grouping
	want    size
	// drafts that have been made, by number of reflectors.
	drafts map[int]*draft
	// lost: a group lacks some of the reflectors that it had.
	lost bool
}

// tooFew notes that there are fewer able nodes than the policy asks for.
func (p *multiPlanner) tooFew(able, most int) {
	want := min(max(Count(p.request.Spec.Scaling, p.plan.Nodes), p.k), most)
	if able >= want {
		return
	}
	reason := "only that many nodes can be route reflectors"
	if len(p.plan.Ineligible) > 0 {
		reason += " (" + p.plan.Describe() + ")"
	}
	p.plan.problem(ReasonTooFewEligible, "%d of %d route reflectors: %s", able, want, reason)
}

// grown is the number of reflectors to plan with: those that stand, and those that
// take the place of lost ones, as long as they are enough; and for a while when
// fewer would do.
func (p *multiPlanner) grown(least, most int) int {
	stand, gaps, coming := ours(p.f.kept), ours(p.f.stopgaps), 0
	for _, c := range p.f.candidates {
		if c.chosen {
			coming++
		}
	}
	if stand > 0 {
		// One that is gone for good is only seen by what it no longer serves.
		p.lost = p.draft(stand).lost
		if p.lost {
			clear(p.drafts)
		}
	}
	if p.lost {
		gaps = max(gaps, 1)
	}
	m := min(stand+max(gaps, coming), most)
	switch {
	case stand+gaps == 0 || m < least:
		return p.want.m
	case m <= p.want.m:
		return p.between(m)
	case stand+gaps <= p.want.m:
		return p.want.m
	case p.plan.elapsed(p.request, ClockScaleDown):
		return p.want.m
	}
	return m
}

func ours(of []candidate) int {
	n := 0
	for _, c := range of {
		if tierOf(c.node) == TierMulti {
			n++
		}
	}
	return n
}

// between is the least number from m on that will do. A plan from nothing may have
// more for the sake of balance; what stands need not be as even.
func (p *multiPlanner) between(m int) int {
	for ; m < p.want.m; m++ {
		d := p.draft(m)
		even := d.a.even(30) || d.a.most() <= d.a.mean()+few
		if even && d.a.scattered() && d.over(&p.request.Spec) <= 0 {
			return m
		}
	}
	return p.want.m
}

// over is by how much the busiest reflector passes the limit of sessions.
func (d *draft) over(spec *v1alpha1.RouteReflectorAutoscalerSpec) int {
	return d.a.most() + len(d.a.servers) - 1 - int(spec.Limits.SessionsPerReflector)
}

// carryOut chooses the reflectors and who serves whom, with more reflectors where
// the real loads need them.
func (p *multiPlanner) carryOut(m, most int) {
	limit := int(p.request.Spec.Limits.SessionsPerReflector)
	for ; ; m++ {
		d := p.draft(m)
		over := d.over(&p.request.Spec)
		if over > 0 && m < most && m < p.want.floor+2*forBalance {
			continue
		}
		if over > 0 && len(p.plan.Problems) == 0 {
			p.plan.problem(ReasonLimitExceeded, "a route reflector would have %d sessions, limits.sessionsPerReflector allows %d: let more nodes be route reflectors (placement, scaling.max %d)",
				over+limit, limit, p.request.Spec.Scaling.Max)
		}
		p.finish(d)
		return
	}
}

// draft is a plan in the making.
type draft struct {
	kept, chosen []candidate
	leaving      map[string]string
	// all of them, in the order of the servers of a.
	all       []candidate
	partition partition
	a         *assignment
	// served: some group is served already. lost: a group lacks some of the reflectors that it had.
	served, lost bool
}

func (p *multiPlanner) draft(m int) *draft {
	if p.drafts[m] != nil {
		return p.drafts[m]
	}
	d := &draft{}
	p.drafts[m] = d
	d.kept, d.chosen, d.leaving = p.f.pick(TierMulti, p.c, m, p.k, p.rating())
	// By zone, as on paper: what worked there works here.
	d.all = slices.Concat(d.kept, d.chosen)
	slices.SortFunc(d.all, func(a, b candidate) int {
		return cmp.Or(strings.Compare(a.zone, b.zone), strings.Compare(a.node.Name, b.node.Name))
	})
	d.partition = p.groups(d.all, m)
	d.a = &assignment{k: p.k, apart: p.want.apart}
	at := map[string]int{}
	for i, group := range d.partition.groups {
		at[group.Name] = i
		d.a.groups = append(d.a.groups, served{zone: d.partition.zone[group.Name], size: d.partition.size[group.Name]})
	}
	for i, c := range d.all {
		s := server{zone: c.zone}
		if tierOf(c.node) != "" {
			for _, name := range servedBy(c.node) {
				if g, ok := at[name]; ok {
					s.fixed, d.served = true, true
					d.a.groups[g].by = append(d.a.groups[g].by, i)
				}
			}
		}
		d.a.servers = append(d.a.servers, s)
	}
	for i, c := range d.all {
		// One that has nothing to serve was no better off before.
		d.a.servers[i].fixed = d.a.servers[i].fixed || d.served && tierOf(c.node) == TierMulti
	}
	for _, group := range d.a.groups {
		d.lost = d.lost || len(group.by) > 0 && len(group.by) < min(p.k, len(d.all))
	}
	d.a.replacing = d.lost || p.lost
	d.a.assign(int(p.request.Spec.Limits.SessionsPerReflector) - len(d.all) + 1)
	return d
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
	own, blocked := map[string]bool{}, map[string]bool{}
	for group, in := range homes {
		name, _, shard := parseShard(group)
		if _, ok := zones[group]; ok || !shard {
			name = group
		}
		zone, ok := zones[name]
		if !ok || len(in) >= p.k {
			continue
		}
		if !slices.Contains(in, zone) {
			own[zone] = true
		}
		if len(slices.Compact(in)) == 1 {
			blocked[in[0]] = true
		}
	}
	out := map[string]int{}
	for zone := range own {
		out[zone] = 1
	}
	for zone := range blocked {
		out[zone] = -1
	}
	return out
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
	limit := int(p.request.Spec.Limits.SessionsPerReflector)
	full := max((limit-m+1)/(p.k*p.want.fine), 1)
	return shards(p.request, names, p.c.shards(m*p.want.fine), full)
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

// finish writes the draft into the plan.
func (p *multiPlanner) finish(d *draft) {
	plan := p.plan
	serves := map[string][]string{}
	for g, group := range d.partition.groups {
		for _, s := range d.a.groups[g].by {
			serves[d.all[s].node.Name] = append(serves[d.all[s].node.Name], group.Name)
		}
	}
	for _, name := range p.catchAll(d) {
		serves[name] = append(serves[name], GroupAll)
	}
	given := ownIDs(p.request, d.kept, d.chosen)
	for i, c := range slices.Concat(d.kept, d.chosen) {
		groups := serves[c.node.Name]
		slices.Sort(groups)
		plan.Reflectors = append(plan.Reflectors, Reflector{
			Node: c.node.Name, Zone: c.zone, ClusterID: given[i], Tier: TierMulti, Serves: groups,
		})
	}
	plan.Groups, plan.Homes = d.partition.groups, d.partition.homes
	if plan.Homes == nil {
		plan.Homes = map[string]string{}
	}
	maps.Copy(plan.Leaving, d.leaving)
	p.promise(d)
	first := len(d.kept) == 0 && len(d.chosen) > 0
	if first || slices.ContainsFunc(d.chosen, func(c candidate) bool { return !c.chosen && !c.pinned }) {
		plan.AskLoad = p.f.asks(p.c.spread(len(d.all), p.k))
	}
}

// promise notes what the plan cannot keep.
func (p *multiPlanner) promise(d *draft) {
	if zones, _ := p.c.reach(); zones > 1 && p.k > 1 && len(d.a.servers) > 1 && !p.want.apart {
		p.plan.problem(ReasonOneZone,
			"not every client can have route reflectors in two zones: too few nodes can be one outside the largest zone; clients of one zone lose all of theirs with it")
	}
}

// ownIDs gives every reflector a cluster ID: that which it has, where it is its own,
// else the lowest that is free.
func ownIDs(request Request, kept, chosen []candidate) []string {
	ids := newIDs(request.Spec.ClusterID, request.Nodes)
	out := make([]string, len(kept)+len(chosen))
	for i, c := range kept {
		if ids.keep(c.node.ClusterID, c.node.Name) {
			out[i] = c.node.ClusterID
		}
	}
	for i := range out {
		if out[i] == "" {
			out[i] = ids.next()
		}
	}
	return out
}

// catchAll chooses the reflectors that also serve clients which have no group yet:
// enough to survive, in two zones where there are two. Those that do already come
// first, then new ones, then those with the fewest clients.
func (p *multiPlanner) catchAll(d *draft) []string {
	want := min(max(2, int(*p.request.Spec.Limits.ReflectorFailures)+1), len(d.all))
	if len(d.partition.groups) == 0 {
		want = len(d.all)
	}
	order := make([]int, len(d.all))
	for i := range order {
		order[i] = i
	}
	rank := func(s int) int {
		_, serves := d.all[s].node.Labels[v1alpha1.ServesLabelPrefix+GroupAll]
		switch {
		case tierOf(d.all[s].node) == "":
			return 1
		case serves:
			return 0
		}
		return 2
	}
	slices.SortStableFunc(order, func(x, y int) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(d.a.servers[x].load, d.a.servers[y].load))
	})
	var out []string
	first := ""
	for len(out) < want {
		at := 0
		if len(out) == 1 {
			at = max(slices.IndexFunc(order, func(s int) bool { return d.all[s].zone != first }), 0)
		}
		one := d.all[order[at]]
		first = one.zone
		out = append(out, one.node.Name)
		order = slices.Delete(order, at, at+1)
	}
	return out
}
