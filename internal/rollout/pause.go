package rollout

import (
	"fmt"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// paused says why nothing is written: by the policy, or by its annotation. A value of
// the annotation that says neither yes nor no was meant to say something, so nothing
// is written until it is clear what. Nil: not paused.
func (s *state) paused() *wait {
	if s.spec.Mode == v1alpha1.ModePaused {
		return &wait{reason: ReasonPaused, message: "spec.mode is Paused: nothing is written, and a deletion waits"}
	}
	switch value := s.in.Autoscaler.Annotations[v1alpha1.PauseAnnotation]; value {
	case "", "false":
		return nil
	case "true":
		return &wait{reason: ReasonPaused, message: fmt.Sprintf(
			"paused by the annotation %s: nothing is written, and a deletion waits, until it is gone", v1alpha1.PauseAnnotation)}
	default:
		return &wait{reason: ReasonAnnotation, person: true, message: fmt.Sprintf(
			"the annotation %s has the value %.20q: nothing is written until it says true or false, or is gone", v1alpha1.PauseAnnotation, value)}
	}
}
