package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// idLength is the number of hexadecimal digits of the id of a step.
const idLength = 10

var plausibleID = regexp.MustCompile(`^[0-9a-f]{10}$`)

// ID names a step by all that it would write. The same step in another pass has the
// same, any other another one.
func (s *Step) ID() string {
	content := struct {
		Action     Action
		Object     string
		Role       *NodeRole
		Homes      []NodeRole
		Peer       any
		Filter     any
		NodeStatus any
		Mesh       *MeshFields
	}{Action: s.Action, Object: s.Object, Role: s.Role, Homes: s.Homes, Mesh: s.Mesh}
	if s.Peer != nil {
		content.Peer = s.Peer.Spec
	}
	if s.Filter != nil {
		content.Filter = s.Filter.Spec
	}
	if s.NodeStatus != nil {
		content.NodeStatus = s.NodeStatus.Spec
	}
	text, err := json.Marshal(content)
	if err != nil {
		return "" // nothing in it can fail; and no annotation would match
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:idLength]
}

// override finds the step that only caution holds, and takes it where a person asks
// for that very one. Whatever else is against a step stays: the same rules decide and
// the same proof is asked for, only brakes, budget, gates and contests say nothing.
func (s *state) override(v *verdict) *verdict {
	s.recallForce()
	if v == nil || v.wait == nil || !cautious(v.wait.reason) {
		return v
	}
	shadow := s.withoutCaution()
	decided := shadow.decide()
	if decided == nil || decided.step == nil {
		return v
	}
	step := decided.step
	s.held = &v1alpha1.HeldStep{ID: step.ID(), Step: step.brief(), Why: step.Why, HeldBy: v.wait.reason}
	if s.force == nil || s.force.ID != s.held.ID || s.force.Taken != nil || !s.writes(step) {
		return v
	}
	step.Forced = true
	return take(step)
}

// cautious are the reasons to wait that a person may override.
func cautious(reason string) bool {
	return isBrake(reason) || slices.Contains([]string{ReasonRoleBudget, ReasonSessions, ReasonSettling, ReasonContested}, reason)
}

// withoutCaution is the state in which nothing holds.
func (s *state) withoutCaution() *state {
	out := *s
	out.forced, out.brakes, out.brake = true, nil, ""
	out.holdsPlan() // a person may not have seen what the policy lacks
	out.clocks, out.reverts = maps.Clone(s.clocks), maps.Clone(s.reverts)
	out.standing.Excluded = maps.Clone(s.standing.Excluded)
	return &out
}

// recallForce reads which step the annotation asks for, and whether it has been taken.
func (s *state) recallForce() {
	id := s.in.Autoscaler.Annotations[v1alpha1.ForceStepAnnotation]
	if id == "" {
		return
	}
	if !plausibleID.MatchString(id) {
		s.force = &v1alpha1.ForceStatus{Message: fmt.Sprintf(
			"the annotation %s is no id of a step (%d hexadecimal digits, see status.brakes.heldStep)", v1alpha1.ForceStepAnnotation, idLength)}
		return
	}
	s.force = &v1alpha1.ForceStatus{ID: id}
	if last := s.in.Autoscaler.Status.Brakes; last != nil && last.Force != nil && last.Force.ID == id && last.Force.Taken != nil {
		s.force = last.Force.DeepCopy()
		return
	}
	s.force.Message = fmt.Sprintf("the annotation %s names no step that is held now", v1alpha1.ForceStepAnnotation)
}

// forceTaken notes that the step has been taken: never again by the same word.
func (s *state) forceTaken(step *Step) {
	now := metav1.NewMicroTime(s.in.Now)
	s.force.Taken = &now
	s.force.Message = fmt.Sprintf("forced at %s: %s", s.in.Now.UTC().Format(time.RFC3339), step.brief())
}

// brakesStatus is what the status says of all this; nil where there is nothing.
func (s *state) brakesStatus() *v1alpha1.BrakesStatus {
	status := &v1alpha1.BrakesStatus{Active: s.brakesOn(), HeldStep: s.held, Force: s.force, RoleChanges: s.roleChanges}
	if len(status.Active) == 0 && status.HeldStep == nil && status.Force == nil && len(status.RoleChanges) == 0 {
		return nil
	}
	return status
}
