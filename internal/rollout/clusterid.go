package rollout

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/topology"
)

// changeIDs moves the reflectors of a tier that shares an ID to the one of the
// policy, one at a time: all sessions of the one restart, and the others must carry
// on. It is the last rule, because pins spare only reflectors that have one ID.
func (s *state) changeIDs() *verdict {
	var left []topology.Reflector
	for _, name := range s.standing.Reflectors {
		if want, stays := s.role(name); stays && shared(want.Tier) && !s.lost(name) && s.nodes[name].ClusterID != want.ClusterID {
			left = append(left, want)
		}
	}
	if len(left) == 0 {
		return nil
	}
	before := "the new cluster ID of " + left[0].Node
	if s.brake != "" {
		return s.braked(before)
	}
	if len(left) == len(s.sharing()) {
		if v := s.halfWay(left); v != nil {
			return v
		}
	}
	if v := s.gate(before); v != nil {
		return v
	}
	step := s.roleStep(left[0].Node, s.tier(left[0].Node), left[0].ClusterID, s.serves(left[0].Node))
	step.Costs = []string{left[0].Node}
	step.Why = fmt.Sprintf("its cluster ID becomes %s", left[0].ClusterID)
	return s.add(step)
}

// halfWay looks at the worst moment before the first ID changes: reflectors with
// two IDs pass on each other's routes, and the paths of a route multiply. What
// would get stuck there is not begun.
func (s *state) halfWay(left []topology.Reflector) *verdict {
	in := s.bgpInput()
	in.Nodes = slices.Clone(in.Nodes)
	for _, want := range left[:(len(left)+1)/2] {
		for i := range in.Nodes {
			if in.Nodes[i].Name == want.Node {
				in.Nodes[i].ClusterID = want.ClusterID
			}
		}
	}
	paths := bgp.Build(in).Paths()
	if !paths.Capped && paths.Max <= s.pathsLimit() {
		return nil
	}
	return waitFor(topology.ReasonLimitExceeded,
		"cluster ID %s waits: half-way a client would hold %s paths for a route, limits.pathsPerRoute allows %d; set spec.clusterID back, or let fewer route reflectors stand or raise the limit while it changes",
		left[0].ClusterID, paths, s.spec.Limits.PathsPerRoute).needsPerson()
}

// repairedID is the ID that a reflector should have until changeIDs comes to it:
// the one it has, unless that is none, or somebody has put it there.
func (s *state) repairedID(want topology.Reflector) string {
	id := s.nodes[want.Node].ClusterID
	last, known := s.lastSeen(want.Node)
	switch {
	case known && last.ClusterID == want.ClusterID:
		return want.ClusterID
	case validID(id):
		return id
	case shared(s.tier(want.Node)):
		return s.idInForce(want.ClusterID)
	case known && validID(last.ClusterID):
		return last.ClusterID
	}
	return want.ClusterID
}

// idInForce is the ID that most working reflectors have of those that share one: a
// new one must share theirs, or its own routes would pause. The policy's where there
// is none.
func (s *state) idInForce(policy string) string {
	count := map[string]int{}
	for _, name := range s.sharing() {
		if id := s.nodes[name].ClusterID; validID(id) {
			count[id]++
		}
	}
	best := policy
	for _, id := range slices.Sorted(maps.Keys(count)) {
		if count[id] > count[best] {
			best = id
		}
	}
	return best
}

// sharesID tells whether another working reflector has the cluster ID of this one.
func (s *state) sharesID(name string) bool {
	return slices.ContainsFunc(s.living(), func(other string) bool {
		return other != name && s.nodes[other].ClusterID == s.nodes[name].ClusterID
	})
}

func validID(id string) bool {
	address, err := netip.ParseAddr(id)
	return err == nil && address.Is4()
}
