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

// gate opens when every expected session of every living reflector is seen up,
// and has been for the settle time. Nothing is taken away before. Nil: open.
func (s *state) gate(before string) *verdict {
	if s.forced {
		return nil // the proof still rests on nothing but what is seen up
	}
	if w := s.missingSessions(); w != nil {
		w.message = before + " waits: " + w.message
		return s.look(&verdict{wait: w})
	}
	if !s.elapsed(clockGateOpen, s.settleTime()) {
		s.watching = s.watching || !s.patient
		return waitFor(ReasonSettling, "%s waits %d s after the last session came up", before, *s.spec.Rollout.SettleSeconds)
	}
	return nil
}

// patientGate is the gate where there is no hurry: it does with the reports that come
// anyway.
func (s *state) patientGate(before string) *verdict {
	patient := s.patient
	s.patient = true
	defer func() { s.patient = patient }()
	return s.gate(before)
}

// missingSessions names the expected sessions that are not seen up; nil: none. Whose
// they are is to be looked at.
func (s *state) missingSessions() *wait {
	if s.spec.Rollout.Gate == v1alpha1.GateDelay {
		return nil
	}
	if doubted := s.doubted(); len(doubted) > 0 {
		return &wait{reason: ReasonSessions, timed: true, nodes: doubted, message: fmt.Sprintf(
			"%s may be dead, and has not answered yet", names(doubted))}
	}
	all := s.survey()
	switch {
	case len(all.silent) > 0:
		return &wait{reason: ReasonSessions, timed: true, nodes: all.silent, message: fmt.Sprintf(
			"no report of sessions from %s yet (CalicoNodeStatus)", names(all.silent))}
	case len(all.missing) > 0:
		return &wait{reason: ReasonSessions, timed: true, nodes: all.missing, message: fmt.Sprintf(
			"%s not established with %s", plural(len(all.missing), "session"), names(all.missing))}
	case len(all.feeding) > 0:
		return &wait{reason: ReasonSessions, timed: true, nodes: all.feeding, message: fmt.Sprintf(
			"%s still sending routes on established sessions", names(all.feeding))}
	case len(all.old) > 0:
		return &wait{reason: ReasonSettling, timed: true, nodes: all.old, message: fmt.Sprintf(
			"the report of %s may be too old", names(all.old))}
	}
	return nil
}

// survey is what is not known to be up, over all reflectors: which of them have not
// reported, are still feeding, or have reported too long ago, and which nodes miss
// sessions.
type survey struct{ silent, feeding, old, missing []string }

func (s *state) survey() survey {
	var out survey
	for _, reflector := range s.living() {
		u := s.unseenOf(reflector, seenFor)
		u.old = u.old || s.late(reflector)
		if !u.any() || s.patient && s.turns() && !s.reported(reflector) {
			continue
		}
		s.lookAt(reflector, !s.patient)
		out.missing = append(out.missing, u.missing...)
		switch {
		case u.silent:
			out.silent = append(out.silent, reflector)
		case u.old:
			out.old = append(out.old, reflector)
		case u.feeding:
			out.feeding = append(out.feeding, reflector)
		}
	}
	return out
}

// late: what a gate in a hurry relies on must have been so a few seconds ago, where
// there is a report that can tell.
func (s *state) late(name string) bool {
	const most = sessions.WatchSeconds*time.Second + reportMargin
	if s.patient || s.waitedLong() || !s.reported(name) || s.in.Now.Sub(s.shows(name)) <= most {
		return false
	}
	s.wakeAt(s.clocks[clockAsked+name].Add(most))
	return true
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
