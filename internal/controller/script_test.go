package controller

import (
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
)

// script is a rollout for tests of the loop alone: it wants some BGPPeers, then
// roles, one step after the other, and notes what it was asked.
type script struct {
	peers []string
	roles []string

	mu    sync.Mutex
	calls int
	last  rollout.Input
	// taken are the steps handed out, by what they write.
	taken map[string]int
}

func (s *script) decide(in rollout.Input) rollout.Output {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.last = in
	out := rollout.Output{Status: *in.Autoscaler.Status.DeepCopy()}
	out.Status.Nodes = int32(len(in.Nodes))
	out.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Done", Message: "done"},
		{Type: v1alpha1.ConditionDegraded, Status: metav1.ConditionFalse, Reason: "Fine", Message: "fine"},
	}
	if in.Frozen != "" {
		out.Status.Conditions[1] = metav1.Condition{
			Type: v1alpha1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: rollout.ReasonFrozen, Message: in.Frozen,
		}
		return out
	}
	if !in.DatastoreReady {
		return out
	}
	if out.Step = s.step(in); out.Step != nil {
		out.Status.Conditions[0] = metav1.Condition{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "Steps", Message: out.Step.Object,
		}
		if s.taken == nil {
			s.taken = map[string]int{}
		}
		s.taken[string(out.Step.Action)+" "+out.Step.Object]++
	}
	return out
}

func (s *script) step(in rollout.Input) *rollout.Step {
	for _, name := range s.peers {
		if find(in.Peers, name) == nil {
			return &rollout.Step{
				Action: rollout.CreatePeer, Object: "BGPPeer/" + name, Why: "the script says so",
				Peer: &calico.BGPPeer{
					ObjectMeta: metav1.ObjectMeta{Name: name},
					Spec:       render.Clients("all", render.Options{}).Spec, // the API takes no other
				},
			}
		}
	}
	for _, name := range s.roles {
		i := slices.IndexFunc(in.Nodes, func(n inventory.Node) bool { return n.Name == name })
		if i >= 0 && in.Nodes[i].ClusterID == "" {
			return &rollout.Step{
				Action: rollout.SetRole, Object: "Node/" + name, Why: "the script says so",
				Role: &rollout.NodeRole{
					Node: name, UID: in.Nodes[i].UID, ClusterID: id,
					Labels: render.RoleLabels("core", nil),
				},
			}
		}
	}
	return nil
}

func (s *script) seen() (calls int, last rollout.Input) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.last
}
