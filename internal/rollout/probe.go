package rollout

import (
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/sessions"
)

// answered: the node has said how BIRD is. Only an object that it has never answered so
// tells that it is alive: what it said once stays for ever.
func answered(status *calico.CalicoNodeStatus) bool {
	agent := &status.Status.Agent
	return slices.Contains(status.Spec.Classes, calico.ClassAgent) && agent.BIRDV4.State+agent.BIRDV6.State != ""
}

// probe asks reflectors that are suspected to answer anew.
func (s *state) probe() *verdict {
	if s.spec.Rollout.Gate == v1alpha1.GateDelay {
		return nil
	}
	for _, name := range s.suspects {
		if s.fails[name] != "" {
			continue // it has been asked
		}
		s.watching = s.watching || !s.hasAnswered(name) || s.daemonAway(name)
		if v := s.probeOne(name); v != nil {
			return v
		}
	}
	return nil
}

func (s *state) probeOne(name string) *verdict {
	status := s.reports[name]
	object := s.probedBy(name)
	if object == "" {
		object = s.probeBy(name)
	}
	why := name + " is suspected to be dead: it is asked to answer anew"
	want := sessions.Every(sessions.WatchSeconds, sessions.New(name))
	want.Name, want.Spec.Classes = object, []string{calico.ClassBGP, calico.ClassAgent}
	step := &Step{Action: CreateStatus, Object: reportObject(want), NodeStatus: want, Why: why, probes: object}
	switch {
	case status != nil && status.Name == object:
		if slices.Contains(status.Spec.Classes, calico.ClassAgent) {
			// Asked, at the latest now: where it was not suspected for a moment, when it was
			// is forgotten, and it must not be waited for without an end.
			s.wakeAt(s.since(clockProbed + object).Add(answerWithin))
			return nil
		}
		step.asksBy(status)
	case s.askedBy(object) != nil:
		step.asksBy(s.askedBy(object)) // it is there, but somebody made it ask nothing
	case len(s.asked) < s.mostReports():
	case status != nil:
		drop := s.dropReport(status, why)
		drop.step.probes = object
		return drop
	default:
		drop := s.giveUp(name)
		if drop == nil {
			s.unaskable = append(s.unaskable, name)
		}
		return drop
	}
	return take(step)
}

// doubted are the suspects that have not answered yet: nothing may rest on what they
// said before.
func (s *state) doubted() []string {
	return slices.DeleteFunc(slices.Clone(s.suspects), func(name string) bool {
		return s.fails[name] != "" || s.hasAnswered(name)
	})
}

// hasAnswered: a suspect has answered what it was asked since it is one.
func (s *state) hasAnswered(name string) bool {
	status := s.reports[name]
	return status != nil && status.Name == s.probedBy(name) && answered(status)
}

// asksBy turns the creation of an object into a change of one that is there.
func (step *Step) asksBy(status *calico.CalicoNodeStatus) {
	changed := status.DeepCopy()
	changed.Spec = step.NodeStatus.Spec
	step.Action, step.NodeStatus = PatchStatus, changed
}

// probes are the objects by which a reflector can be asked.
func probes(name string) []string { return []string{sessions.Name(name), sessions.OtherName(name)} }

// probedBy is the object by which it has been asked; "": it has not.
func (s *state) probedBy(name string) string {
	for _, object := range probes(name) {
		if _, probed := s.clocks[clockProbed+object]; probed {
			return object
		}
	}
	return ""
}

// probeBy is the object by which it is to be asked: the one that there is, where it has
// never told of BIRD, so that it must change; else one of another name.
func (s *state) probeBy(name string) string {
	status := s.reports[name]
	switch {
	case status == nil:
		return sessions.Name(name)
	case status.Status.Agent.BIRDV4.State+status.Status.Agent.BIRDV6.State == "":
		return status.Name
	case status.Name == sessions.Name(name):
		return sessions.OtherName(name)
	}
	return sessions.Name(name)
}

// probedObject tells whether an object is one by which a node was asked to answer.
func (s *state) probedObject(object string) bool {
	_, probed := s.oldClocks()[clockProbed+object]
	return probed
}
