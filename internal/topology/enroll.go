package topology

import "maps"

// role is a reflector of a plan and the candidate that has it.
type role struct {
	of        candidate
	reflector Reflector
}

// enroll puts the reflectors into the plan: first those that stand, the most senior
// first, then the new ones in the order given. Standing ones without a role leave;
// why tells the reason where there is none yet. It asks for the load of candidates
// where a new one was neither pinned nor chosen before.
func (f *field) enroll(plan *Plan, roles []role, why func(node string) string) {
	open := map[string]Reflector{}
	ask, inZone := false, map[string]int{}
	for _, r := range roles {
		open[r.of.node.Name] = r.reflector
		inZone[r.of.zone]++
	}
	for _, some := range [][]candidate{f.kept, f.stopgaps} {
		for _, c := range some {
			name := c.node.Name
			if r, ok := open[name]; ok {
				plan.Reflectors = append(plan.Reflectors, r)
				delete(f.leaving, name)
				delete(open, name)
			} else if f.leaving[name] == "" {
				plan.Leaving[name] = why(name)
			}
		}
	}
	for _, r := range roles {
		if _, ok := open[r.of.node.Name]; ok {
			plan.Reflectors = append(plan.Reflectors, r.reflector)
			ask = ask || !r.of.chosen && !r.of.pinned
		}
	}
	maps.Copy(plan.Leaving, f.leaving)
	if ask {
		plan.AskLoad = f.asks(inZone)
	}
}
