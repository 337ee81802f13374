package rollout

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/sessions"
)

// touchedFor is after which time no report is left that is older than a step.
const touchedFor = sessions.RestSeconds*time.Second + reportMargin

// noteTouched remembers which sessions a step restarts or adds, in the status that is
// written before it: what was seen of them counts no more. Where a node changes its
// role, all its sessions may restart, and those of others with it: it alone is noted,
// because its own report will tell of all of them.
func (s *state) noteTouched(step *Step) {
	role := ""
	if step.Role != nil {
		role = step.Role.Node
	}
	touch := func(node string) {
		s.clocks[clockTouched+node] = s.in.Now
		delete(s.clocks, clockSeen+node)
	}
	after := s.after(step)
	if step.restarts {
		for _, restart := range bgp.RestartedSessions(s.bgpInput(), after) {
			if restart.Local == role || restart.Remote == role {
				touch(role)
				continue
			}
			for _, end := range []string{restart.Local, restart.Remote} {
				if s.reports[end] != nil || slices.Contains(s.standing.Reflectors, end) {
					touch(end)
				}
			}
		}
	}
	if s.remembersSeen() {
		s.forgetAdded(after, role, touch)
	}
	s.forgetTouched()
}

// noteAsked remembers that a report is asked for more or less often from now on.
func (s *state) noteAsked(step *Step) {
	node := step.NodeStatus.Spec.Node
	switch step.Action {
	case CreateStatus:
		s.clocks[clockShown+node] = s.in.Now
	case PatchStatus:
		s.clocks[clockShown+node] = s.shows(node)
	case DeleteStatus:
		if step.probes != "" {
			s.clocks[clockProbed+step.probes] = s.in.Now
		}
		delete(s.clocks, clockShown+node)
		delete(s.clocks, clockAsked+node)
		return
	}
	s.clocks[clockAsked+node] = s.in.Now
	if step.probes != "" {
		s.clocks[clockProbed+step.probes] = s.in.Now
	}
}

func (s *state) remembersSeen() bool {
	for name := range s.clocks {
		if strings.HasPrefix(name, clockSeen) {
			return true
		}
	}
	return false
}

// forgetAdded forgets that all sessions of a reflector were seen up where the step
// gives it more.
func (s *state) forgetAdded(input bgp.Input, role string, touch func(string)) {
	after := bgp.Build(input)
	for _, name := range s.standing.Reflectors {
		had := make(map[netip.Addr]bgp.Kind, len(s.expected[name]))
		for i := range s.expected[name] {
			had[s.expected[name][i].RemoteIP] = s.expected[name][i].Kind
		}
		for _, session := range after.SessionsOf(name) {
			if kind, stood := had[session.RemoteIP]; stood && kind == session.Kind {
				continue
			}
			if session.Remote == role && name != role {
				touch(role)
				continue
			}
			delete(s.clocks, clockSeen+name)
			break
		}
	}
}

// forgetTouched forgets what no report and no memory is older than.
func (s *state) forgetTouched() {
	oldest := s.in.Now.Add(-touchedFor)
	for name, at := range s.clocks {
		if !strings.HasPrefix(name, clockSeen) {
			continue
		}
		if s.in.Now.Sub(at) > seenFor && !s.turns() {
			delete(s.clocks, name)
		} else if at.Before(oldest) {
			oldest = at
		}
	}
	for name, at := range s.clocks {
		if strings.HasPrefix(name, clockTouched) && at.Before(oldest) {
			delete(s.clocks, name)
		}
		if node, is := strings.CutPrefix(name, clockAsked); is && s.in.Now.Sub(at) > touchedFor {
			delete(s.clocks, name)
			delete(s.clocks, clockShown+node)
		}
	}
}
