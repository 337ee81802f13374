package rollout

import (
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
)

func (s *state) deleting() bool { return s.in.Autoscaler.DeletionTimestamp != nil }

func (s *state) hasFinalizer() bool {
	return slices.Contains(s.in.Autoscaler.Finalizers, v1alpha1.Finalizer)
}

// abandoned: deleted, and everything shall stay as it is.
func (s *state) abandoned() bool {
	return s.deleting() && s.hasFinalizer() && s.in.Autoscaler.Annotations[v1alpha1.AbandonAnnotation] == "true"
}

// refused: deleted, but the cluster is too large for the mesh to come back. One that is on
// still, because the rollout had not come to it, or by hand, need not: the rollout must not
// go on to turn it off then.
func (s *state) refused() bool {
	return s.deleting() && s.hasFinalizer() && !s.abandoned() && s.count() > int(*s.spec.MeshUpTo) &&
		!s.meshOn && (len(s.standing.Reflectors) > 0 || s.saved != nil)
}

// tearingDown: deleted, and the mesh is being brought back.
func (s *state) tearingDown() bool { return s.deleting() && s.hasFinalizer() && !s.refused() }

// count is the number of nodes that speak BGP.
func (s *state) count() int {
	n := 0
	for i := range s.in.Nodes {
		if s.in.Nodes[i].HasBGP() && !s.in.Nodes[i].Deleting {
			n++
		}
	}
	return n
}

// finishDeletion lets the autoscaler go once nothing of ours is left.
func (s *state) finishDeletion() *verdict {
	if !s.tearingDown() {
		return nil
	}
	return take(&Step{
		Action: RemoveFinalizer, Object: s.autoscalerObject(),
		Why: "nothing that Tapetum made is left, and the mesh is as it was",
	})
}
