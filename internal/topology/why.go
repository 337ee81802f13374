package topology

import (
	"fmt"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// explain fills in why the topology, and where the next border is. refused says why
// the one that comes first was not to be had.
func (p *Plan) explain(request Request, c *counts, refused string) {
	if asked := request.Spec.Topology; asked != v1alpha1.TopologyAuto {
		p.Why = fmt.Sprintf("%s: %s; asked for by spec.topology", p.Topology, p.figures(request))
		if p.Topology != asked {
			p.Why = fmt.Sprintf("%s: %s; spec.topology %s cannot be had", p.Topology, p.figures(request), asked)
		}
		return
	}
	options := weigh(&request.Spec, c, request.TagFilter)
	parts := []string{fmt.Sprintf("%s: %s", p.Topology, p.figures(request))}
	if limit := int(*request.Spec.MeshUpTo); p.Topology == v1alpha1.TopologyMesh && p.Nodes <= limit {
		parts = append(parts, fmt.Sprintf("Auto stays on the mesh up to %s nodes (spec.meshUpTo)", thousands(limit)))
	} else {
		parts = append(parts, p.reasons(options, refused != "")...)
	}
	if refused != "" {
		parts = append(parts, refused)
	}
	if wish := p.awaited(request, c); wish != "" {
		parts = append(parts, fmt.Sprintf("%s would do better by now and is taken at %s if that stays so",
			wish, p.WaitUntil.UTC().Format("15:04:05 UTC")))
	}
	at, next := border(&request.Spec, c, request.TagFilter, p.Topology)
	if next == nothing {
		parts = append(parts, fmt.Sprintf("from %s on no topology would keep to the limits", counted(at, "node")))
	} else {
		p.NextBorder, p.NextTopology = at, next
	}
	p.Why = strings.Join(parts, "; ")
	if c.able > 0 {
		p.noneFits(options)
	}
}

// noneFits notes that there is no topology to choose, and what is against each.
func (p *Plan) noneFits(options []Option) {
	if find(options, v1alpha1.TopologyMesh).Problem == "" || len(ranked(options)) > 0 {
		return
	}
	var against []string
	for _, option := range options {
		against = append(against, string(option.Topology)+" "+option.Problem)
	}
	p.problem(ReasonLimitExceeded, "no topology keeps to the limits, so %s stays: %s; raise the limits or scaling.max, or let more nodes be route reflectors (placement)", p.Topology, strings.Join(against, "; "))
}

// awaited is the topology that the window is waited for; "" where there is none.
func (p *Plan) awaited(request Request, c *counts) v1alpha1.Topology {
	_, mesh := p.Clocks[ClockMeshReturn]
	_, other := p.Clocks[ClockTopology]
	switch {
	case p.WaitUntil.IsZero():
	case mesh && p.Topology != v1alpha1.TopologyMesh:
		return v1alpha1.TopologyMesh
	case other:
		if wish := decide(&request.Spec, c, request.TagFilter, auto(request)).wish; wish != p.Topology {
			return wish
		}
	}
	return ""
}

// figures are the plan in numbers.
func (p *Plan) figures(request Request) string {
	if p.Topology == v1alpha1.TopologyMesh || len(p.Reflectors) == 0 {
		return counted(p.Nodes, "node")
	}
	parts := []string{counted(len(p.Reflectors), "route reflector")}
	switch p.Topology {
	case v1alpha1.TopologySingle:
		parts[0] += " for all clients"
	case v1alpha1.TopologyHierarchy:
		spine := 0
		for _, r := range p.Reflectors {
			if r.Tier == TierCore {
				spine++
			}
		}
		parts[0] += fmt.Sprintf(", %d of them the spine", spine)
	default:
		if homes := p.homesEach(); homes > 0 {
			parts[0] += fmt.Sprintf(", %d for each client", homes)
		}
	}
	if n := len(p.Groups); n > 0 {
		parts = append(parts, counted(n, "group")+" of clients")
	}
	if most := p.mostSessions(request); most > 0 {
		parts = append(parts, counted(most, "session")+" at most")
	}
	return strings.Join(parts, ", ")
}

// homesEach is with how many reflectors a client peers: as many as serve a group.
func (p *Plan) homesEach() int {
	count := map[string]int{}
	for _, r := range p.Reflectors {
		for _, group := range r.Serves {
			count[group]++
		}
	}
	if len(p.Groups) == 0 {
		return count[GroupAll]
	}
	return count[p.Groups[0].Name]
}

// reasons compare the topology with the others; refused: a cheaper one cannot be
// planned, which is told apart.
func (p *Plan) reasons(options []Option, refused bool) []string {
	var against []string
	mine, best := find(options, p.Topology), Option{}
	for _, option := range options {
		switch {
		case option.Topology == p.Topology || option.Topology == v1alpha1.TopologyMesh:
		case option.Problem != "":
			against = append(against, string(option.Topology)+" "+option.Problem)
		case best.Topology == "" || option.Cost < best.Cost:
			best = option
		}
	}
	switch {
	case mine.Problem != "":
		against = append(against, "it stays though it "+mine.Problem)
	case best.Topology == "":
		against = append(against, "the only one that keeps the promise")
	case best.Cost < mine.Cost && refused:
	case best.Cost < mine.Cost:
		against = append(against, fmt.Sprintf("in force; %s would cost %d %% less", best.Topology, (mine.Cost-best.Cost)*100/mine.Cost))
	default:
		against = append(against, fmt.Sprintf("the cheapest that keeps the promise, %s would cost %d %% more",
			best.Topology, (best.Cost-mine.Cost)*100/max(mine.Cost, 1)))
	}
	return against
}

// counted returns "no nodes", "1 node" or "3,000 nodes".
func counted(n int, noun string) string {
	if n == 0 {
		return "no " + noun + "s"
	}
	return thousands(n) + " " + some(n, noun, noun+"s")
}

// some is the noun for so many.
func some(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
