package rollout

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// trouble is something that a person must know of.
type trouble struct{ reason, message string }

func (s *state) conditions(step *Step, w *wait, since time.Time, timedOut bool) []metav1.Condition {
	troubles := s.troubles(w, since, timedOut)
	degraded := metav1.Condition{
		Type: v1alpha1.ConditionDegraded, Status: metav1.ConditionFalse, Reason: "AsExpected",
		Message: "nothing needs attention",
	}
	if len(troubles) > 0 {
		var messages []string
		for _, t := range troubles {
			messages = append(messages, t.message)
		}
		degraded.Status, degraded.Reason = metav1.ConditionTrue, troubles[0].reason
		degraded.Message = strings.Join(messages, ". ")
	}
	all := []metav1.Condition{degraded, s.progressing(step, w), s.ready(step, w)}
	for i := range all {
		all[i].ObservedGeneration = s.in.Autoscaler.Generation
	}
	return all
}

func (s *state) progressing(step *Step, w *wait) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionFalse,
		Reason: "Steady", Message: "no step is left"}
	switch {
	case step != nil && s.writes(step):
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, string(step.Action), step.String()
		if step.Forced {
			c.Reason, c.Message = ReasonForced, "forced by the annotation "+v1alpha1.ForceStepAnnotation+": "+c.Message
		}
		if step.Proof != "" {
			c.Message += " (" + step.Proof + ")"
		}
	case step != nil:
		c.Reason, c.Message = string(s.spec.Mode), "not done in this mode: "+step.String()
	case w != nil:
		if !w.person {
			c.Status = metav1.ConditionTrue
		}
		c.Reason, c.Message = w.reason, w.message
	}
	return c
}

func (s *state) ready(step *Step, w *wait) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "InForce", Message: s.summary()}
	no := func(reason, message string) { c.Status, c.Reason, c.Message = metav1.ConditionFalse, reason, message }
	switch {
	case step != nil:
		no("StepsLeft", "next: "+step.String())
	case w != nil:
		no(w.reason, w.message)
	default:
		if broken := s.broken(); broken != nil {
			no(broken.reason, broken.message)
		}
	}
	return c
}

// AtRest tells from the conditions of a status that nothing is left to do: Ready, or as
// much of what was asked for as can be had.
func AtRest(conditions []metav1.Condition) bool {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	return ready != nil && (ready.Status == metav1.ConditionTrue || ready.Reason == ReasonPromiseBroken)
}

func (s *state) missingRoutes() string {
	visibility := s.network.Visibility(func(node string) bool { return s.seen.Down[node] })
	if visibility.Complete || len(visibility.Sample) == 0 {
		return ""
	}
	return fmt.Sprintf("%s without a route, for example from %s to %s",
		plural(visibility.MissingPairs, "pair"), visibility.Sample[0].From, visibility.Sample[0].To)
}

// summary says in one or two sentences what is in force.
func (s *state) summary() string {
	var parts []string
	switch n := len(s.standing.Reflectors); {
	case n == 0 && s.meshOn:
		parts = append(parts, fmt.Sprintf("%s in the node-to-node mesh", plural(s.plan.Nodes, "node")))
	case n == 0:
		parts = append(parts, "no route reflectors; the node-to-node mesh is off")
	default:
		parts = append(parts, fmt.Sprintf("%s served by %s", plural(s.plan.Nodes, "node"), plural(n, "route reflector")))
		if s.meshOn && s.spec.NodeMesh == v1alpha1.NodeMeshUnmanaged {
			parts = append(parts, "the node-to-node mesh is still on and spec.nodeMesh is Unmanaged: set nodeToNodeMeshEnabled: false in BGPConfiguration default to be rid of its sessions")
		}
	}
	if len(s.leftOut) > 0 {
		parts = append(parts, "left out because not ready for long: "+names(s.leftOut))
	}
	if len(s.plan.Ineligible) > 0 && s.plan.Topology != v1alpha1.TopologyMesh {
		parts = append(parts, "cannot be route reflectors: "+s.plan.Describe())
	}
	return strings.Join(parts, ". ")
}

// troubles lists what needs a person, the most pressing first.
func (s *state) troubles(w *wait, since time.Time, timedOut bool) []trouble {
	var out []trouble
	// First, because it is often why a step cannot be proved.
	if foreign := s.foreignPeers(); len(foreign) > 0 {
		out = append(out, trouble{ReasonForeignPeers, fmt.Sprintf(
			"BGPPeers of others make the same sessions as Tapetum's (%s): which one wins may change; they are left alone, delete them or take the nodes out of their selectors",
			names(foreign))})
	}
	waiting := w.troubles(since, timedOut)
	unproved := w != nil && w.reason == ReasonNotProved
	if !unproved {
		out = append(out, waiting...)
	}
	out = append(out, s.brakeTroubles(w)...)
	out = append(out, s.reportTroubles()...)
	out = append(out, s.unaskableTroubles()...)
	if s.refused() {
		out = append(out, trouble{ReasonDeletionRefused, fmt.Sprintf(
			"deletion refused: %d nodes are more than the mesh takes (spec.meshUpTo %d); raise meshUpTo, or annotate with %s=true to leave everything as it is",
			s.count(), *s.spec.MeshUpTo, v1alpha1.AbandonAnnotation)})
	}
	for _, problem := range s.plan.Problems {
		if w == nil || !strings.HasSuffix(w.message, problem.Message) { // else it has been told
			out = append(out, trouble{problem.Reason, problem.Message})
		}
	}
	if unproved {
		// Behind the problems of the plan, because those are often why.
		out = append(out, waiting...)
	}
	out = append(out, s.foreignIDTroubles()...)
	out = append(out, s.asTroubles(unproved)...)
	if w == nil && len(out) == 0 {
		if broken := s.broken(); broken != nil {
			out = append(out, *broken)
		}
	}
	return out
}

func (s *state) unaskableTroubles() []trouble {
	if len(s.unaskable) == 0 {
		return nil
	}
	return []trouble{{ReasonNotAsked, fmt.Sprintf(
		"%s may be dead and cannot be asked: there may be no more than %s (CalicoNodeStatus), and all are of others that may be dead; look at these first",
		names(s.unaskable), plural(s.mostReports(), "report"))}}
}

func (s *state) asTroubles(unproved bool) []trouble {
	different := s.differentAS()
	inMesh := len(s.standing.Reflectors) == 0
	if len(different) == 0 || inMesh && !unproved && s.promise().Complete {
		return nil
	}
	which := fmt.Sprintf("%s with another AS number than the cluster's %d (%s)", plural(len(different), "node"), s.clusterAS, names(different))
	if s.meshOn {
		which += ": in the node-to-node mesh they have no session with nodes that have no AS number of their own, because Calico expects its own of those"
	}
	if !inMesh {
		which += ": their sessions with route reflectors are external BGP"
	}
	return []trouble{{ReasonDifferentAS, which}}
}

// troubles: a wait is trouble when it lasts too long, or only a person can end it.
func (w *wait) troubles(since time.Time, timedOut bool) []trouble {
	switch {
	case w == nil:
		return nil
	case timedOut && w.reason == ReasonNotProved:
		return []trouble{{ReasonNotProved, fmt.Sprintf("held since %s: %s", since.UTC().Format(time.RFC3339), w.message)}}
	case timedOut:
		return []trouble{{ReasonSessionTimeout, fmt.Sprintf("held since %s: %s", since.UTC().Format(time.RFC3339), w.message)}}
	case w.person, w.reason == ReasonFrozen, w.reason == ReasonDatastoreNotReady, isBrake(w.reason):
		return []trouble{{w.reason, w.message}}
	}
	return nil
}
