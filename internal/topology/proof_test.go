package topology_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

// provedSizes are all sizes up to 24, and a spread up to 5,000.
func provedSizes(t *testing.T) []int {
	t.Helper()
	var out []int
	for n := 1; n <= 24; n++ {
		out = append(out, n)
	}
	out = append(out, 40, 60, 100, 250, 500, 502, 1000)
	if testing.Short() {
		return out
	}
	return append(out, 750, 1500, 2500, 5000)
}

// TestProved plans clusters of all sizes and zones, even and not, from nothing, in each
// topology, and has the oracle prove what the topology promises; or the plan says why
// it cannot be.
func TestProved(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind v1alpha1.Topology
		k    int
	}{
		{v1alpha1.TopologySingle, 0}, {v1alpha1.TopologyMulti, 2}, {v1alpha1.TopologyMulti, 3},
		{v1alpha1.TopologyQuorum, 0}, {v1alpha1.TopologyHierarchy, 0},
	} {
		for zones := 1; zones <= 7; zones++ {
			spreads := map[string]func(int) string{"even": evenly(zones)}
			if zones > 1 {
				spreads["skewed"] = skewed(zones)
			}
			for name, zoneOf := range spreads {
				t.Run(fmt.Sprintf("%s k=%d/%d zones %s", tt.kind, tt.k, zones, name), func(t *testing.T) {
					for _, n := range provedSizes(t) {
						w := newWorld(n, zoneOf, shaped(tt.kind, 1, func(s *policy) { s.ReflectorsPerClient, s.Scaling.Min = int32(tt.k), 1 }))
						plan := w.plan()
						p := &proof{T: t, w: w, plan: &plan, nodes: n}
						p.topology()
						if t.Failed() {
							t.Fatalf("%d nodes: %s", n, w.describe(&plan))
						}
					}
				})
			}
		}
	}
}

// proof is what is to be shown of one plan.
type proof struct {
	*testing.T
	w     *world
	plan  *topology.Plan
	nodes int
}

func (p *proof) topology() {
	p.Helper()
	for _, problem := range p.plan.Problems {
		if !slices.Contains(p.excuses(), problem.Reason) {
			p.Errorf("problem %s: %s", problem.Reason, problem.Message)
		}
	}
	refused := len(p.plan.Reflectors) == 0
	if asked := p.w.request.Spec.Topology; (p.plan.Topology != asked) != refused || refused && len(p.plan.Problems) == 0 {
		p.Errorf("%s is planned as %s with %d reflectors, problems %v", asked, p.plan.Topology, len(p.plan.Reflectors), p.plan.Problems)
	}
	if refused {
		return
	}
	net := p.w.network(p.plan)
	if v := net.Visibility(nil); !v.Complete {
		p.Fatalf("%d pairs do not see each other, such as %v", v.MissingPairs, v.Sample[0])
	}
	if !net.SurvivesReflectors(1) {
		p.Error("does not survive the loss of any one reflector")
	}
	noted := problems(p.plan)
	if !slices.Contains(noted, topology.ReasonZoneLoss) && !net.SurvivesZones(p.w.zoneOf) {
		p.Error("does not survive the loss of any one zone")
	}
	limit := int(p.w.request.Spec.Limits.SessionsPerReflector)
	if slices.Contains(noted, topology.ReasonLimitExceeded) {
		limit = p.nodes - 1
	}
	if degree := net.Degree(); degree > limit {
		p.Errorf("%d sessions a reflector, want at most %d", degree, limit)
	}
	p.paths(net)
	p.peers()
}

// excuses are the reasons of problems that the plan may have.
func (p *proof) excuses() []string {
	n := p.nodes
	switch kind := p.w.request.Spec.Topology; {
	case kind == v1alpha1.TopologySingle && n > 501:
		return []string{topology.ReasonLimitExceeded} // a session with every other node
	case kind == v1alpha1.TopologyQuorum && n < 7:
		return []string{topology.ReasonTooFewEligible} // the smallest design has seven points
	case kind == v1alpha1.TopologyQuorum && n > 2000:
		// The widest design is for some 2,500 nodes.
		return []string{topology.ReasonLimitExceeded, topology.ReasonZoneLoss}
	case kind == v1alpha1.TopologyQuorum:
		return []string{topology.ReasonZoneLoss} // see TestQuorumDesign for where
	case n < 3:
		return []string{topology.ReasonTooFewEligible}
	}
	return nil
}

// paths of a route of one ordinary node at another.
func (p *proof) paths(net *bgp.Network) {
	p.Helper()
	m, most := len(p.plan.Reflectors), 0
	switch spec := p.w.request.Spec; spec.Topology {
	case v1alpha1.TopologySingle:
		most = m
	case v1alpha1.TopologyMulti:
		most = min(int(spec.ReflectorsPerClient), m)
		most *= most
	case v1alpha1.TopologyQuorum:
		_, homes := p.w.loads(p.plan)
		for _, by := range homes {
			most = max(most, len(by))
		}
	case v1alpha1.TopologyHierarchy:
		most = 8
	}
	if paths := net.Paths(); paths.Capped || paths.Max > most {
		p.Errorf("%d paths, want at most %d", paths.Max, most)
	}
}

// peers are few, whatever the number of nodes.
func (p *proof) peers() {
	p.Helper()
	goal := render.GoalOf(p.plan, p.w.request.Nodes, clusterAS, render.Options{})
	m, groups := len(p.plan.Reflectors), len(p.plan.Groups)
	most := groups + 2
	switch p.w.request.Spec.Topology {
	case v1alpha1.TopologySingle:
		most = 1 + m*(m-1)/2
	case v1alpha1.TopologyMulti:
		p.fewGroups(max(2*m, 36) + p.zones())
	case v1alpha1.TopologyQuorum:
		p.fewGroups(m + p.zones()) // each zone has one, and its part of the others is rounded
	case v1alpha1.TopologyHierarchy:
		most = groups + 4
		p.fewGroups(p.shards())
	}
	if got := len(goal.Peers); got > most {
		p.Errorf("%d BGPPeers, want at most %d", got, most)
	}
}

func (p *proof) fewGroups(most int) {
	p.Helper()
	if got := len(p.plan.Groups); got > most {
		p.Errorf("%d groups, want at most %d", got, most)
	}
}

// zones is in how many there are nodes.
func (p *proof) zones() int {
	return len(slices.Compact(slices.Sorted(maps.Values(p.w.zones))))
}

// shards is into how many the zones are to be cut for Hierarchy: none of more than 498
// clients, none of a zone that is too small.
func (p *proof) shards() int {
	in := map[string]int{}
	for _, zone := range p.w.zones {
		in[zone]++
	}
	shards := 0
	for _, n := range in {
		if n > 2 {
			shards += (n + 497) / 498
		}
	}
	return shards
}
