package topology

import (
	"cmp"
	"maps"
	"slices"
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
	p.want, p.sizer = sizer.size(least, p.may), sizer
	if d := cmp.Or(p.awaiting(), p.underway(least, sizer.most)); d != nil {
		p.finish(d)
		return
	}
	p.carryOut(p.grown(least, sizer.most), sizer.most)
}

// few clients more or less on a reflector are no imbalance.
const few = 5

type multiPlanner struct {
	request Request
	f       *field
	plan    *Plan
	c       census
	k       int
	may     grouping
	want    size
	// sizer found want.
	sizer *sizer
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
	} else if stand > 0 {
		gaps = 0 // others serve in the place of those that are to go
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
		return p.fewer(m)
	}
	return m
}

// fewer is the least number below m that leaves some room on the reflectors: with
// none the next node would call the one back that has just left.
func (p *multiPlanner) fewer(m int) int {
	limit := p.sizer.sessions
	for less := p.want.m; less < m; less++ {
		d := p.draft(less)
		if d.over(limit) <= 0 && d.a.mean()+less-1 <= limit-limit/20 {
			return less
		}
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
		if even && d.a.scattered() && d.over(p.sizer.sessions) <= 0 {
			return m
		}
	}
	return p.want.m
}

// over is by how much the busiest reflector passes a limit of sessions.
func (d *draft) over(limit int) int { return d.a.most() + len(d.a.servers) - 1 - limit }

// carryOut chooses the reflectors and who serves whom, with more reflectors where
// the real loads need them.
func (p *multiPlanner) carryOut(m, most int) {
	limit := p.sizer.sessions
	for ; ; m++ {
		d := p.draft(m)
		over := d.over(limit)
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

// finish writes the draft into the plan.
func (p *multiPlanner) finish(d *draft) {
	plan := p.plan
	serves := p.serves(d)
	given := ownIDs(p.request, d.kept, d.chosen)
	for i, c := range slices.Concat(d.kept, d.chosen) {
		groups := serves[c.node.Name]
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
