package rollout

import (
	"slices"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// heldBy is the problem for which the plan cannot be made, so that nothing may be taken
// away: what is missing yet may be what carries the routes. It holds like a brake. A
// deletion needs nothing of the policy.
func (s *state) heldBy() *topology.Problem {
	if !s.plan.Held || len(s.plan.Problems) == 0 || s.tearingDown() {
		return nil
	}
	return &s.plan.Problems[0]
}

// holdsPlan applies it.
func (s *state) holdsPlan() {
	if problem := s.heldBy(); problem != nil && s.brake == "" {
		s.brake = problem.Message
	}
}

// braked is what a rule says instead of a step that a brake holds.
func (s *state) braked(before string) *verdict {
	if problem := s.heldBy(); problem != nil {
		return waitFor(problem.Reason, "%s waits: %s", before, problem.Message).needsPerson()
	}
	return waitFor(s.brakes[0].reason, "%s waits: %s: %s", before, s.brakes[0].what, s.brakes[0].remedy)
}

// leftByBrake says what is still to be tidied up that rules pass over under a brake: so
// long the policy is not carried out.
func (s *state) leftByBrake() *verdict {
	if s.brake == "" {
		return nil
	}
	free := *s
	free.brake, free.patient = "", true
	v := firstOf(&free, []rule{(*state).dropStalePins, (*state).dropPeerings, (*state).dropFilter})
	if v == nil || v.step == nil {
		return nil
	}
	return s.braked(v.step.brief())
}

// brakesAdding: under a brake only what restores redundancy is added.
func (s *state) brakesAdding() bool { return s.brake != "" && len(s.living()) >= s.enough() }

// brakesPromotion: under a brake a reflector is added only where clients are left
// with fewer living ones than may fail, and one. Where many are suspected each is replaced
// once at most: if those that take their place seem dead as well, it is the view that is
// wrong, or what all nodes share.
func (s *state) brakesPromotion(want topology.Reflector) bool {
	if s.brake != "" && s.manySuspects() && len(s.standing.Reflectors) >= 2*len(s.plan.Reflectors) {
		return true
	}
	return s.brakesAdding() && !s.restores(s.roleStep(want.Node, want.Tier, s.sharedID(want), want.Serves))
}

// enough is how many living reflectors each client is to have at any time.
func (s *state) enough() int { return int(*s.spec.Limits.ReflectorFailures) + 1 }

// restores tells whether the step gives a reflector to a client that has not enough
// living ones. While the mesh is on clients need none.
func (s *state) restores(step *Step) bool {
	if step.Action != SetRole || step.Role == nil {
		return false
	}
	if len(s.living()) < s.enough() {
		return true
	}
	if s.meshOn {
		return false
	}
	short := s.short()
	if len(short) == 0 {
		return false
	}
	had := map[string]bool{}
	for _, session := range s.network.SessionsOf(step.Role.Node) {
		had[session.Remote] = slices.Contains(s.standing.Reflectors, step.Role.Node)
	}
	gets := func(session bgp.Session) bool { return short[session.Remote] && !had[session.Remote] }
	return slices.ContainsFunc(bgp.Build(s.after(step)).SessionsOf(step.Role.Node), gets)
}

// short are the nodes that have sessions with fewer living reflectors than are enough.
// A reflector of a rack is a client of the core.
func (s *state) short() map[string]bool {
	out := map[string]bool{}
	for name, homes := range s.homes() {
		if homes < s.enough() {
			out[name] = true
		}
	}
	return out
}

// homes counts the living reflectors of each client that is ready.
func (s *state) homes() map[string]int {
	out := map[string]int{}
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		if s.isClient(node) {
			out[node.Name] = 0
		}
	}
	for _, name := range s.living() {
		// Two address families are one home.
		remotes := map[string]bool{}
		for i := range s.expected[name] {
			remotes[s.expected[name][i].Remote] = true
		}
		for remote := range remotes {
			if _, client := out[remote]; client && (!s.isRack(remote) || !s.isRack(name)) {
				out[remote]++
			}
		}
	}
	return out
}

// isClient tells whether a node needs reflectors now.
func (s *state) isClient(node *inventory.Node) bool {
	return node.HasBGP() && node.Ready && !node.Deleting && (node.ClusterID == "" || s.isRack(node.Name))
}

func (s *state) isRack(name string) bool {
	return slices.Contains(s.standing.Reflectors, name) && s.tier(name) == topology.TierRack
}
