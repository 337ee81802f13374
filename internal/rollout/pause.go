package rollout

import (
	"fmt"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/sessions"
)

// paused says why nothing is written: by the policy, or by its annotation. A value of
// the annotation that says neither yes nor no was meant to say something, so nothing
// is written until it is clear what. Nil: not paused.
func (s *state) paused() *wait {
	if s.spec.Mode == v1alpha1.ModePaused {
		return &wait{reason: ReasonPaused, message: "spec.mode is Paused: nothing is written, and a deletion waits" + s.watchedOn()}
	}
	switch value := s.in.Autoscaler.Annotations[v1alpha1.PauseAnnotation]; value {
	case "", "false":
		return nil
	case "true":
		return &wait{reason: ReasonPaused, message: fmt.Sprintf(
			"paused by the annotation %s: nothing is written, and a deletion waits, until it is gone%s", v1alpha1.PauseAnnotation, s.watchedOn())}
	default:
		return &wait{reason: ReasonAnnotation, person: true, message: fmt.Sprintf(
			"the annotation %s has the value %.20q: nothing is written until it says true or false, or is gone", v1alpha1.PauseAnnotation, value)}
	}
}

// watchedOn says which reports are asked for more often than at rest, and stay so: to let
// them rest would be a write.
func (s *state) watchedOn() string {
	watched := 0
	for i := range s.asked {
		watched += count(sessions.Watched(&s.asked[i]))
	}
	if watched == 0 {
		return ""
	}
	return fmt.Sprintf("; %s (CalicoNodeStatus) still asked for every %d s", plural(watched, "report"), sessions.WatchSeconds)
}
