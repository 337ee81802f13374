package rollout

import (
	"fmt"
	"slices"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/sessions"
)

// reportsAgree is how long after a restart of sessions no report is left that is
// older, and would still show them up.
const reportsAgree = sessions.UpdatePeriodSeconds*time.Second + reportMargin

// keepRestart keeps the clock of the last restart while reports may be older,
// whichever rule decides in the meantime.
func (s *state) keepRestart() {
	if at, running := s.keep(clockRestart); running && !at.Add(reportsAgree).After(s.in.Now) {
		delete(s.clocks, clockRestart)
	}
}

// gate opens when every expected session of every living reflector is seen up,
// and has been for the settle time. Nothing is taken away before. Nil: open.
func (s *state) gate(before string) *verdict {
	if w := s.missingSessions(); w != nil {
		w.message = before + " waits: " + w.message
		return &verdict{wait: w}
	}
	open := s.elapsed(clockGateOpen, s.settleTime())
	if at, restarted := s.clocks[clockRestart]; restarted {
		s.wakeAt(at.Add(reportsAgree))
		open = false
	}
	if !open {
		return waitFor(ReasonSettling, "%s waits %d s after the last session came up", before, *s.spec.Rollout.SettleSeconds)
	}
	return nil
}

// missingSessions names the expected sessions that are not seen up; nil: none.
func (s *state) missingSessions() *wait {
	if s.spec.Rollout.Gate == v1alpha1.GateDelay {
		return nil
	}
	var silent, missing, feeding []string
	total := 0
	for _, reflector := range s.living() {
		view, reported := s.views[reflector]
		if !reported {
			silent = append(silent, reflector)
			continue
		}
		if !view.FedV4 || !view.FedV6 {
			feeding = append(feeding, reflector)
		}
		for i := range s.expected[reflector] {
			session := &s.expected[reflector][i]
			if s.required(session) && !established(view, session) {
				missing = append(missing, session.Remote)
				total++
			}
		}
	}
	switch {
	case len(silent) > 0:
		return &wait{reason: ReasonSessions, timed: true, nodes: silent, message: fmt.Sprintf(
			"no report of sessions from %s yet (CalicoNodeStatus)", names(silent))}
	case len(missing) > 0:
		return &wait{reason: ReasonSessions, timed: true, nodes: missing, message: fmt.Sprintf(
			"%s not established with %s", plural(total, "session"), names(missing))}
	case len(feeding) > 0:
		return &wait{reason: ReasonSessions, timed: true, nodes: feeding, message: fmt.Sprintf(
			"%s still sending routes on established sessions", names(feeding))}
	}
	return nil
}

// required: gates wait for a session unless its other end is a reflector that is
// lost, or a node that has been gone for long.
func (s *state) required(session *bgp.Session) bool {
	if s.seen.Down[session.Remote] {
		return false
	}
	return !s.lost(session.Remote) || !slices.Contains(s.standing.Reflectors, session.Remote)
}

// established: with the type of session that is expected, because a report that
// is older than the last step still speaks of the session that was there before.
// Where two protocols exist for one neighbor, either may be the one that is up.
func established(view sessions.View, session *bgp.Session) bool {
	reported, up := view.Established[session.RemoteIP]
	return up && (len(session.Waiting) > 0 || reported == reportedAs[session.Kind])
}

var reportedAs = map[bgp.Kind]string{
	bgp.Mesh: calico.PeerTypeMesh, bgp.Node: calico.PeerTypeNode, bgp.Global: calico.PeerTypeGlobal,
}
