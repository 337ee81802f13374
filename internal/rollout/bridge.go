package rollout

import (
	"slices"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/topology"
)

// bridge helps where reflectors of racks that are to change or to go hold each other:
// the own routes of each get through by one reflector of the core and the other, so
// that none may be first. A reflector of the core then serves their clients as well,
// until they are done. That only adds; rule withdraw takes it back.
func (s *state) bridge() *verdict {
	var groups []string
	for _, name := range s.living() {
		want, stays := s.role(name)
		if s.tier(name) == topology.TierRack && (!stays || s.changesRole(want)) {
			groups = union(groups, s.serves(name))
		}
	}
	cores := slices.DeleteFunc(s.living(), func(name string) bool { return s.tier(name) != topology.TierCore })
	return firstPassed(cores, func(name string) *verdict {
		standing := s.serves(name)
		if within(groups, standing) {
			return nil
		}
		step := s.roleStep(name, s.tier(name), s.nodes[name].ClusterID, union(standing, groups))
		step.Why = "clients of racks that are about to change peer with it in the meantime"
		if len(bgp.Build(s.after(step)).SessionsOf(name)) > s.mostSessions(name) {
			return nil
		}
		return s.add(step)
	})
}

// mostSessions a reflector may have, in all its address families.
func (s *state) mostSessions(name string) int {
	families, node := 0, s.nodes[name]
	for _, has := range []bool{node.IPv4.IsValid(), node.IPv6.IsValid()} {
		if has {
			families++
		}
	}
	return families * int(s.spec.Limits.SessionsPerReflector)
}
