package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// After contestLimit reverts of one object within contestWindow Tapetum stops: a
// GitOps tool that undoes its writes would otherwise flap sessions for ever.
const (
	contestLimit  = 3
	contestWindow = 10 * time.Minute
)

// recallReverts reads the reverts of earlier passes. A change of the policy is
// a person's word to try again. Old reverts that made no contest are forgotten.
func (s *state) recallReverts() {
	status := &s.in.Autoscaler.Status
	if status.ObservedGeneration != s.in.Autoscaler.Generation {
		return
	}
	for _, revert := range status.Reverts {
		if !isContest(revert) {
			revert.Times = slices.DeleteFunc(slices.Clone(revert.Times), func(t metav1.Time) bool {
				return s.in.Now.Sub(t.Time) > contestWindow
			})
		}
		if len(revert.Times) > 0 {
			s.reverts[revert.Object] = revert
		}
	}
}

func isContest(revert v1alpha1.Revert) bool {
	n := len(revert.Times)
	return n >= contestLimit && revert.Times[n-1].Sub(revert.Times[n-contestLimit].Time) <= contestWindow
}

// contested: the object has been reverted too often to write it again.
func (s *state) contested(object string) *wait {
	revert, known := s.reverts[object]
	if !known || !isContest(revert) || s.forced {
		return nil
	}
	by := "somebody (the API server does not know who)"
	if revert.Manager != "" {
		by = fmt.Sprintf("the field manager %q", revert.Manager)
	}
	return &wait{reason: ReasonContested, person: true, message: fmt.Sprintf(
		"%s has undone Tapetum's changes of %s %d times within %v: nothing more is written; take the object out of its hands, then set spec.mode to Paused and back to Apply",
		by, object, contestLimit, contestWindow)}
}

// refuseContest stops every write while any object is contested.
func (s *state) refuseContest() *verdict {
	for _, object := range slices.Sorted(maps.Keys(s.reverts)) {
		if w := s.contested(object); w != nil {
			return &verdict{wait: w}
		}
	}
	return nil
}

// reverted notes that a step repairs what somebody undid.
func (s *state) reverted(step *Step) {
	revert := s.reverts[step.Object]
	revert.Object = step.Object
	if manager := s.in.Modifiers[step.Object]; manager != "" {
		revert.Manager = manager
	}
	revert.Times = append(slices.Clone(revert.Times), metav1.NewTime(s.in.Now))
	s.reverts[step.Object] = revert
}

func (s *state) statusReverts() []v1alpha1.Revert {
	var out []v1alpha1.Revert
	for _, object := range slices.Sorted(maps.Keys(s.reverts)) {
		out = append(out, s.reverts[object])
	}
	return out
}

// undone tells whether something that is missing of the plan was there, so that
// somebody must have undone it: nothing was left to do for this same plan, or the
// object was put back before.
func (s *state) undone(object string) bool {
	return s.leftNothing() || s.samePlan() && len(s.reverts[object].Times) > 0
}

// leftNothing: for the same plan the last pass had nothing left to do.
func (s *state) leftNothing() bool {
	return s.in.Autoscaler.Status.NextStep == nothingLeft && s.samePlan()
}

// samePlan: the last pass aimed at the same, under the same policy.
func (s *state) samePlan() bool {
	last := &s.in.Autoscaler.Status
	if last.ObservedGeneration != s.in.Autoscaler.Generation || last.Plan == nil {
		return false
	}
	plan := s.planStatus()
	return last.Plan.Topology == plan.Topology && last.Plan.Groups == plan.Groups && slices.Equal(last.Plan.Reflectors, plan.Reflectors)
}
