package rollout

import (
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/sessions"
)

// reportSessions asks every reflector for its sessions. Only reflectors: each
// such object goes to every node of the cluster.
func (s *state) reportSessions() *verdict {
	if s.spec.Rollout.Gate == v1alpha1.GateDelay {
		return nil
	}
	for _, name := range s.living() {
		want := sessions.New(name)
		i := slices.IndexFunc(s.in.Statuses, func(status calico.CalicoNodeStatus) bool {
			return sessions.Ours(&status) && (status.Name == want.Name || status.Spec.Node == name && sessions.Asks(&status))
		})
		if i < 0 {
			return take(&Step{
				Action: CreateStatus, Object: "CalicoNodeStatus/" + want.Name, NodeStatus: want, Repair: s.hadReport(name),
				Why: "the sessions of " + name + " must be seen",
			})
		}
		if standing := &s.in.Statuses[i]; standing.Spec.Node != name || !sessions.Asks(standing) {
			mended := standing.DeepCopy()
			mended.Spec = want.Spec
			return take(&Step{
				Action: PatchStatus, Object: "CalicoNodeStatus/" + want.Name, NodeStatus: mended, Repair: true,
				Why: "somebody edited what " + name + " reports",
			})
		}
	}
	return nil
}

// hadReport tells whether the last status had sessions from a report of the node:
// then there was one, and somebody removed it.
func (s *state) hadReport(name string) bool {
	return slices.ContainsFunc(s.in.Autoscaler.Status.Reflectors, func(last v1alpha1.ReflectorStatus) bool {
		return last.Name == name && last.SessionsEstablished > 0
	})
}

// dropReports deletes the reports that are not needed any more. On the way back
// to the mesh those of reflectors that have stepped down stay until the last one
// has: they are the only view of the mesh there is.
func (s *state) dropReports() *verdict {
	delay := s.spec.Rollout.Gate == v1alpha1.GateDelay
	returning := s.plan.Topology == v1alpha1.TopologyMesh && len(s.standing.Reflectors) > 0
	for i := range s.in.Statuses {
		status := &s.in.Statuses[i]
		if !sessions.Ours(status) {
			continue
		}
		node := status.Spec.Node
		standing := slices.Contains(s.standing.Reflectors, node) && status.Name == sessions.Name(node)
		if standing && !delay {
			continue
		}
		if returning && s.nodes[node] != nil && !delay {
			continue
		}
		return take(&Step{
			Action: DeleteStatus, Object: "CalicoNodeStatus/" + status.Name, NodeStatus: status,
			Why: node + " need not report its sessions any more",
		})
	}
	return nil
}
