package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
		if !isContest(revert) || isReport(revert.Object) {
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
	return &wait{reason: ReasonContested, person: true, message: fmt.Sprintf(
		"%s has undone Tapetum's changes of %s %d times within %v: nothing more is written, but that clients without enough route reflectors get some; take the object out of its hands, then set spec.mode to Paused and back to Apply",
		s.undoneBy(object), object, contestLimit, contestWindow)}
}

// refuseContest stops every write while any object is contested, but for reports.
func (s *state) refuseContest() *verdict {
	for _, object := range slices.Sorted(maps.Keys(s.reverts)) {
		if w := s.contested(object); w != nil && !isReport(object) {
			return &verdict{wait: w}
		}
	}
	return nil
}

// despiteContest is what goes on under a contest: clients that are left with too few
// reflectors get others, as under a brake. Those cannot wait for a person. The contested
// object itself is left alone.
func (s *state) despiteContest(contest *verdict) *verdict {
	if s.meshOn {
		return contest // it carries everything
	}
	brakes, what := s.brakes, s.brake
	s.brake = "an object of Tapetum's is contested"
	s.brakes = append([]brake{{reason: ReasonContested, what: s.brake, remedy: "see there"}}, brakes...)
	v := s.attend(firstOf(s, []rule{(*state).probe, (*state).reportSessions, (*state).promote}))
	s.brakes, s.brake = brakes, what
	if v == nil || v.step == nil || s.contested(v.step.Object) != nil {
		return contest
	}
	return s.admit(v)
}

// Reports carry no routes: to lose one stops nothing but what waits for it. Who deletes
// them again and again gets them back at the rate of a contest, and no contest.
func isReport(object string) bool { return strings.HasPrefix(object, "CalicoNodeStatus/") }

func (s *state) reportTroubles() []trouble {
	var out []trouble
	for _, object := range slices.Sorted(maps.Keys(s.reverts)) {
		if isReport(object) && isContest(s.reverts[object]) {
			out = append(out, trouble{ReasonContested, fmt.Sprintf(
				"%s has undone Tapetum's changes of %s %d times within %v: it is put back no more often than that, and what must be seen of that node waits; leave out objects with the label %s",
				s.undoneBy(object), object, contestLimit, contestWindow, v1alpha1.ManagedByLabel)})
		}
	}
	return out
}

// undoneBy names who reverts an object.
func (s *state) undoneBy(object string) string {
	if manager := s.reverts[object].Manager; manager != "" {
		return fmt.Sprintf("the field manager %q", manager)
	}
	return "somebody (the API server does not know who)"
}

// reportContested: the report has been put back too often within the last minutes.
func (s *state) reportContested(object string) bool {
	revert := s.reverts[object]
	if !isContest(revert) || s.forced {
		return false
	}
	s.wakeAt(revert.Times[len(revert.Times)-contestLimit].Add(contestWindow + time.Second))
	return true
}

// reverted notes that a step repairs what somebody undid.
func (s *state) reverted(step *Step) {
	revert := s.reverts[step.Object]
	revert.Object = step.Object
	if manager := s.in.Modifiers[step.Object]; manager != "" {
		revert.Manager = manager
	}
	if n := len(revert.Times); n > 0 && revert.Times[n-1].Time.Equal(s.in.Now) {
		return // counted by the rule that has found it
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
