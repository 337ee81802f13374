package rollout

import (
	"slices"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/sessions"
)

// displayedFor is for how long a reflector that is not asked may be told to lack
// sessions before it is looked at again.
const displayedFor = 5 * time.Minute

// lookAt notes that a decision depends on the sessions of a reflector.
func (s *state) lookAt(name string, hurry bool) { s.wanted[name] = s.wanted[name] || hurry }

// look has the reflectors that a decision depends on report their sessions, and fast.
// Where nothing is left to do for that, v stands.
func (s *state) look(v *verdict) *verdict {
	if s.spec.Rollout.Gate == v1alpha1.GateDelay || len(s.wanted) == 0 {
		return v
	}
	long := s.waitedLong()
	for _, name := range s.living() {
		hurry, wanted := s.wanted[name]
		if !wanted {
			continue
		}
		hurry = hurry && !long
		s.watching = s.watching || hurry
		if step := s.ask(name, hurry); step != nil {
			return step
		}
	}
	return v
}

// ask has one node report its sessions: fast, where there is a hurry.
func (s *state) ask(name string, hurry bool) *verdict {
	status := s.reports[name]
	switch {
	case status == nil && len(s.asked) >= s.mostReports():
		return s.giveUp(name)
	case status == nil || !hurry || sessions.Watched(status):
		return nil // reportSessions comes to it, or it will report
	}
	return s.every(sessions.WatchSeconds, status, "a step waits for the sessions of "+name)
}

func (s *state) every(seconds uint32, status *calico.CalicoNodeStatus, why string) *verdict {
	changed := sessions.Every(seconds, status)
	return take(&Step{Action: PatchStatus, Object: reportObject(changed), NodeStatus: changed, Why: why})
}

// giveUp deletes a report for the sake of another's: one of a node that is no
// reflector, else one that has shown all there is to see. That it has is remembered. For
// a suspect any will do, if there is no such.
func (s *state) giveUp(forThe string) *verdict {
	return s.spare("the sessions of "+forThe+" must be seen, and there may be no more reports", slices.Contains(s.suspects, forThe))
}

// spare deletes the report that is needed least; anyway: also where each is needed.
func (s *state) spare(why string, anyway bool) *verdict {
	if status := s.needless(); status != nil {
		return s.dropReport(status, why)
	}
	left := slices.DeleteFunc(s.living(), func(name string) bool {
		return s.reports[name] == nil || slices.Contains(s.suspects, name)
	})
	slices.Reverse(left) // the newest first
	var doubted []string
	if anyway {
		doubted = s.doubted()
	}
	for _, name := range left {
		if _, wanted := s.wanted[name]; wanted || !s.remembered(name, doubted) {
			continue
		}
		s.clocks[clockSeen+name] = s.shows(name)
		s.leaveOpen(name, doubted)
		return s.dropReport(s.reports[name], why)
	}
	if !anyway || len(left) == 0 {
		return nil
	}
	delete(s.clocks, clockSeen+left[0])
	s.clocks[clockGivenUp+left[0]] = s.in.Now
	return s.dropReport(s.reports[left[0]], why)
}

// needless is a report of a node that is no reflector, or none that works; nil: there is
// none. One that shows that its node does not answer is needed.
func (s *state) needless() *calico.CalicoNodeStatus {
	living := s.living()
	for i := range s.asked {
		status := &s.asked[i]
		counts := s.reports[status.Spec.Node] == status
		if !counts || !slices.Contains(living, status.Spec.Node) && s.fails[status.Spec.Node] == "" {
			return status
		}
	}
	return nil
}

// leaveOpen: what is remembered of a reflector says nothing of its sessions with suspects.
// Whether these are up only their own reports will tell.
func (s *state) leaveOpen(name string, doubted []string) {
	for _, suspect := range doubted {
		to := func(session bgp.Session) bool { return session.Remote == suspect }
		if slices.ContainsFunc(s.expected[name], to) {
			s.clocks[clockTouched+suspect] = s.in.Now
		}
	}
}

// remembered tells whether a report shows all sessions up, and what would be remembered of
// it says as much. It does not where something has changed since the moment of which the
// report tells for sure: the reflector would have to be looked at again at once. Sessions
// with those that are doubted are left out where one of them is to be asked: else a dead one
// that does not report never could be, because all others lack their session with it. For
// anybody else the place would be taken again at once, to look for these sessions.
func (s *state) remembered(name string, doubted []string) bool {
	if u := s.unseenOf(name, seenFor, doubted...); u.any() {
		return false
	}
	view, at := s.views[name], s.shows(name)
	before, had := s.clocks[clockSeen+name]
	delete(s.views, name)
	s.clocks[clockSeen+name] = at
	u := s.unseenOf(name, seenFor, doubted...)
	s.views[name] = view
	if delete(s.clocks, clockSeen+name); had {
		s.clocks[clockSeen+name] = before
	}
	if u.any() {
		s.wakeAt(s.in.Now.Add(view.Period + reportMargin))
	}
	return !u.any()
}

// waitedLong: the session timeout has passed. What is broken now is a person's to mend,
// and need not be looked at every few seconds.
func (s *state) waitedLong() bool {
	at, running := s.oldClocks()[clockWaiting]
	timeout := time.Duration(s.spec.Rollout.SessionTimeoutSeconds) * time.Second
	return running && s.in.Now.Sub(at) >= timeout
}

// attend looks at what the verdict needs, and lets reports rest that nothing needs.
func (s *state) attend(v *verdict) *verdict {
	switch {
	case v != nil && v.step != nil:
		return v
	case v == nil:
		s.lookOnce()
	case v.wait.reason == ReasonNotProved:
		s.missingSessions() // what is not known to be up may be what the proof lacks
		s.watching = s.watching || !s.waitedLong()
	case v.wait.reason == ReasonMeshSettling:
		s.watching = true // it is not for long
	}
	if v := s.look(v); v != nil && v.step != nil {
		return v
	}
	if rest := s.letRest(); rest != nil && !s.watching {
		return rest
	}
	return v
}

// letRest is the next report that need not come so often any more. One that a dead node
// does not give is left as it is.
func (s *state) letRest() *verdict {
	for i := range s.asked {
		if status := &s.asked[i]; sessions.Asks(status) && sessions.Watched(status) && s.fails[status.Spec.Node] == "" {
			return s.every(sessions.RestSeconds, status, "no step waits for the sessions of "+status.Spec.Node)
		}
	}
	return nil
}

// lookOnce: each reflector is looked at once, and again some time after it has come to
// lack sessions, so that the status can tell of all of them.
func (s *state) lookOnce() {
	for _, name := range s.living() {
		if s.reports[name] != nil {
			continue
		}
		at, seen := s.seenAt(name, anyAge)
		if !s.lacks(name) {
			continue
		}
		if seen && s.in.Now.Sub(at) < displayedFor {
			s.wakeAt(at.Add(displayedFor))
			continue
		}
		s.lookAt(name, false)
	}
}

// lacks tells whether a reflector that is not asked has sessions that were not up when
// it was looked at last, and may be by now; unless the report of the other end tells.
func (s *state) lacks(name string) bool {
	u := s.unseenOf(name, anyAge)
	hidden := func(node string) bool { return s.nodes[node] != nil && s.nodes[node].Ready && s.reports[node] == nil }
	return u.silent || slices.ContainsFunc(u.missing, hidden)
}
