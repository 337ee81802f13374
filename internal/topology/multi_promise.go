package topology

import "fmt"

// promise notes what the plan cannot keep.
func (p *multiPlanner) promise(d *draft) {
	if zones, _ := p.c.reach(); zones > 1 && p.k > 1 && len(d.a.servers) > 1 && !p.want.apart {
		p.plan.problem(ReasonOneZone,
			"not every client can have route reflectors in two zones: %s; clients of one zone lose all of theirs with it", p.againstTwoZones())
	}
}

// againstTwoZones is why no size gives every client reflectors in two zones: a limit
// without which one would, else that there are too few nodes for it.
func (p *multiPlanner) againstTwoZones() string {
	_, able := p.c.reach()
	limits, scaling := p.request.Spec.Limits, p.request.Spec.Scaling
	would := func(sessions, most int) bool {
		free := &sizer{c: p.c, k: p.k, sessions: sessions, most: most}
		return free.apart(min(p.want.floor+forBalance, most))
	}
	sessions, all := p.sizer.sessions, p.c.total*p.k+able
	switch {
	case would(sessions, able):
		return p.mostOf(able)
	case would(all, p.sizer.most):
		return fmt.Sprintf("with limits.sessionsPerReflector %d the nodes that can be one outside the largest zone are too few for all who need one there; raise it, or let more of these nodes be route reflectors", limits.SessionsPerReflector)
	case would(all, able):
		return fmt.Sprintf("limits.sessionsPerReflector %d and scaling.max %d together leave no room for it; raise them", limits.SessionsPerReflector, scaling.Max)
	}
	return "too few nodes can be one outside the largest zone"
}

// mostOf says what bounds the number of reflectors below that of the able nodes.
func (p *multiPlanner) mostOf(able int) string {
	if scaling := p.request.Spec.Scaling; p.sizer.most == int(scaling.Max) {
		return fmt.Sprintf("it takes more than scaling.max %d of the %d nodes that can be one; raise it", scaling.Max, able)
	}
	return fmt.Sprintf("it takes more than %d, and for more Calico must be able to do the tag filter", p.sizer.most)
}

// apart tells whether m reflectors can give every client some in two zones.
func (s *sizer) apart(m int) bool {
	for fine := 1; fine <= finest; fine++ {
		if s.works(m, s.shards(m, fine), promise{apart: true}) {
			return true
		}
	}
	return false
}
