package rollout

import (
	"maps"
	"slices"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
)

// prove asks the oracle what the step would do to the routes. Nil: proved, and
// the proof is noted on the step. The nodes in step.Costs change their own role
// without pins; their own routes are the one exception.
func (s *state) prove(step *Step) *verdict {
	s.keepExcluded(step)
	changing := map[string]bool{}
	for _, name := range step.Costs {
		changing[name] = true
	}
	for _, name := range s.standing.Reflectors {
		// A lost reflector's own routes are not ours to lose.
		if s.lost(name) {
			changing[name] = true
		}
	}
	after := s.after(step)
	proof := s.proof(after, changing)
	if s.relaxed && !proof.OK && proof.LostDuring.Count+proof.LostAfter.Count == 0 && s.exempt(changing) {
		// No route is lost, but some could be with a reflector. It is enough that
		// those of nodes which keep their role could not.
		proof = s.proof(after, changing)
	}
	if !proof.OK {
		v := waitFor(ReasonNotProved, "%s waits: it is not proved safe: %s", step.brief(), proof.Reason)
		v.wait.timed = true
		return v
	}
	step.Proof = summary(proof)
	step.restarts = proof.RestartCount > 0
	return nil
}

func (s *state) proof(after bgp.Input, changing map[string]bool) bgp.Proof {
	return bgp.Prove(s.bgpInput(), after, s.seen, changing, bgp.Limits{
		ReflectorFailures: s.failuresLimit(),
		PathsPerRoute:     s.pathsLimit(),
		PathsOnTheWay:     2 * s.pathsLimit(),
	})
}

// exempt adds the reflectors whose own role is still to change where tiers are
// mixed: those of one tier may depend on few of another until it is their turn. It
// tells whether there are any.
func (s *state) exempt(changing map[string]bool) bool {
	found := false
	for _, name := range s.standing.Reflectors {
		if want, stays := s.role(name); (!stays || s.changesRole(want)) && !changing[name] {
			changing[name], found = true, true
		}
	}
	return found
}

// failuresLimit is how many reflectors must be able to fail after a step. Where the
// mesh is off and no reflector works there is no redundancy to keep: the first
// that comes back must not wait for a second.
func (s *state) failuresLimit() int {
	works := func(node inventory.Node) bool { return node.ClusterID != "" && !s.seen.Down[node.Name] }
	if !s.meshOn && !slices.ContainsFunc(s.in.Nodes, works) {
		return 0
	}
	failures := int(*s.spec.Limits.ReflectorFailures)
	if failures == 0 && s.mixed() && len(s.toChange()) > 0 {
		return 1 // a change of role takes its reflector away for a moment
	}
	return failures
}

// pathsLimit is for the time of a change. A rollout adds before it takes away: the
// mesh, and the reflectors that are about to go, give a path each on top of those
// that the plan keeps to. Where clients change their reflectors they have the old and
// the new for a while, and routes go from one to the other: twice the limit may be
// passed through, though never stayed at.
func (s *state) pathsLimit() int {
	limit := int(s.spec.Limits.PathsPerRoute)
	if s.mixed() {
		limit *= 2
	}
	return limit + 1 + len(s.plan.Leaving)
}

// summary says in a sentence what was proved.
func summary(proof bgp.Proof) string {
	restarts := "no session restarts"
	if proof.RestartCount > 0 {
		restarts = plural(proof.RestartCount, "session") + " end or restart"
		if proof.RestartCount == 1 {
			restarts = "1 session ends or restarts"
		}
	}
	return "proved: " + restarts + ", no pair of ordinary nodes loses its route"
}

// after is the cluster with the step carried out.
func (s *state) after(step *Step) bgp.Input {
	out := s.bgpInput()
	switch step.Action {
	case CreatePeer:
		out.Peers = append(slices.Clone(out.Peers), *step.Peer)
	case PatchPeer:
		out.Peers = slices.Clone(out.Peers)
		for i := range out.Peers {
			if out.Peers[i].Name == step.Peer.Name {
				out.Peers[i] = *step.Peer
			}
		}
	case DeletePeer:
		out.Peers = slices.DeleteFunc(slices.Clone(out.Peers), func(peer calico.BGPPeer) bool {
			return peer.Name == step.Peer.Name
		})
	case SetRole, ClearRole:
		out.Nodes = withRoles(out.Nodes, *step.Role)
	case SetHomes:
		out.Nodes = withRoles(out.Nodes, step.Homes...)
	case CreateFilter:
		out.Filters = append(slices.Clone(out.Filters), *step.Filter)
	case PatchFilter, DeleteFilter:
		out.Filters = slices.DeleteFunc(slices.Clone(out.Filters), func(f calico.BGPFilter) bool { return f.Name == step.Filter.Name })
		if step.Action == PatchFilter {
			out.Filters = append(out.Filters, *step.Filter)
		}
	case MeshOn, MeshOff:
		out.Configurations = withMesh(out.Configurations, step.Mesh)
	}
	return out
}

// withRoles replaces all labels of ours, and the cluster ID, on some of the nodes.
func withRoles(nodes []inventory.Node, roles ...NodeRole) []inventory.Node {
	byName := make(map[string]*NodeRole, len(roles))
	for i := range roles {
		byName[roles[i].Node] = &roles[i]
	}
	out := slices.Clone(nodes)
	for i := range out {
		role := byName[out[i].Name]
		if role == nil {
			continue
		}
		labels := maps.Clone(out[i].Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		maps.DeleteFunc(labels, func(key, _ string) bool { return render.IsNodeLabel(key) })
		maps.Copy(labels, role.Labels)
		out[i].Labels, out[i].ClusterID = labels, role.ClusterID
	}
	return out
}

func withMesh(configurations []calico.BGPConfiguration, mesh *MeshFields) []calico.BGPConfiguration {
	out := slices.Clone(configurations)
	i := slices.IndexFunc(out, func(c calico.BGPConfiguration) bool { return c.Name == calico.DefaultConfiguration })
	if i < 0 {
		out = append(out, calico.BGPConfiguration{})
		i = len(out) - 1
		out[i].Name = calico.DefaultConfiguration
	}
	spec := &out[i].Spec
	spec.NodeToNodeMeshEnabled, spec.NodeMeshPassword, spec.NodeMeshMaxRestartTime = mesh.Enabled, mesh.Password, mesh.MaxRestartTime
	return out
}
