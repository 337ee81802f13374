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
	proof := bgp.Prove(s.bgpInput(), s.after(step), s.seen, changing, bgp.Limits{
		ReflectorFailures: s.failuresLimit(),
		PathsPerRoute:     s.pathsLimit(),
	})
	if !proof.OK {
		v := waitFor(ReasonNotProved, "%s waits: it is not proved safe: %s", step.brief(), proof.Reason)
		v.wait.timed = true
		return v
	}
	step.Proof = summary(proof)
	step.restarts = proof.RestartCount > 0
	return nil
}

// failuresLimit is how many reflectors must be able to fail after a step. Where the
// mesh is off and no reflector works there is no redundancy to keep: the first
// that comes back must not wait for a second.
func (s *state) failuresLimit() int {
	works := func(node inventory.Node) bool { return node.ClusterID != "" && !s.seen.Down[node.Name] }
	if !s.meshOn && !slices.ContainsFunc(s.in.Nodes, works) {
		return 0
	}
	return int(*s.spec.Limits.ReflectorFailures)
}

// pathsLimit is for the time of a change. A rollout adds before it takes away: the
// mesh, and the reflectors that are about to go, give a path each on top of those
// that the plan keeps to.
func (s *state) pathsLimit() int {
	return int(s.spec.Limits.PathsPerRoute) + 1 + len(s.plan.Leaving)
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
		out.Nodes = slices.Clone(out.Nodes)
		for i := range out.Nodes {
			if out.Nodes[i].Name == step.Role.Node {
				out.Nodes[i].Labels = withRole(out.Nodes[i].Labels, step.Role.Labels)
				out.Nodes[i].ClusterID = step.Role.ClusterID
			}
		}
	case MeshOn, MeshOff:
		out.Configurations = withMesh(out.Configurations, step.Action == MeshOn)
	}
	return out
}

// withRole replaces the labels of the role.
func withRole(labels, role map[string]string) map[string]string {
	out := maps.Clone(labels)
	if out == nil {
		out = map[string]string{}
	}
	maps.DeleteFunc(out, func(key, _ string) bool { return render.IsRoleLabel(key) })
	maps.Copy(out, role)
	return out
}

func withMesh(configurations []calico.BGPConfiguration, enabled bool) []calico.BGPConfiguration {
	out := slices.Clone(configurations)
	i := slices.IndexFunc(out, func(c calico.BGPConfiguration) bool { return c.Name == calico.DefaultConfiguration })
	if i < 0 {
		out = append(out, calico.BGPConfiguration{})
		i = len(out) - 1
		out[i].Name = calico.DefaultConfiguration
	}
	out[i].Spec.NodeToNodeMeshEnabled = &enabled
	return out
}
