package rollout

import (
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/sessions"
)

const (
	// clockSeen plus a reflector: when its report, which was given up since for the
	// sake of another's, last showed all its sessions up.
	clockSeen = "Seen/"
	// clockGivenUp plus a reflector: when its report was given up though it did not show
	// all sessions up.
	clockGivenUp = "GivenUp/"
	// clockTouched plus a node: when a step last made its sessions restart. A report
	// that is older shows them up though they are not.
	clockTouched = "Touched/"
	// clockAsked plus a node: when it was last asked to report more or less often, or
	// for the first time. clockShown plus a node: what was so then its report showed
	// at that moment.
	clockAsked = "Asked/"
	clockShown = "Shown/"
	// clockGone plus a node: since when gates go on without it, or it has been a lost
	// reflector that nobody sees.
	clockGone = "Gone/"

	// seenFor is for how long what was seen once is proof that it still is so.
	seenFor = 15 * time.Minute
	// anyAge is for how long it is what the status tells.
	anyAge = 100 * 365 * 24 * time.Hour
	// clocksAgree is by how much the clocks of nodes and of the API server may differ
	// from ours.
	clocksAgree = 5 * time.Second
)

// recallSeen keeps what is remembered of reports. It is forgotten with the next step,
// not by time alone: that would be a write in a steady cluster.
func (s *state) recallSeen() {
	for name, at := range s.oldClocks() {
		for _, prefix := range []string{clockSeen, clockTouched, clockAsked, clockShown} {
			if node, is := strings.CutPrefix(name, prefix); is && s.nodes[node] != nil {
				s.clocks[name] = at
			}
		}
		if node, is := strings.CutPrefix(name, clockGivenUp); is && s.nodes[node] != nil && s.reports[node] == nil {
			s.clocks[name] = at
		}
	}
}

// turns: there are more reflectors than there may be reports, so they are looked at
// in turns. Reports that show that their node does not answer keep their places.
func (s *state) turns() bool {
	kept := 0
	for node := range s.reports {
		if s.fails[node] != "" {
			kept++
		}
	}
	return len(s.living())+kept > s.mostReports()
}

// mostReports is how many reports there may be of ours. Somebody else's CalicoNodeStatuses
// go to every node like ours, and take places; one is left in any case.
func (s *state) mostReports() int {
	return max(1, sessions.MaxReports-(len(s.in.Statuses)-len(s.asked)))
}

// shows is the moment of which the report of a node tells at least: one period ago,
// unless it has only just been asked to report so often.
func (s *state) shows(node string) time.Time {
	late := s.views[node].Period + reportMargin
	at, asked := s.clocks[clockAsked+node]
	if asked && s.in.Now.Sub(at) < late {
		return s.clocks[clockShown+node]
	}
	return s.in.Now.Add(-late)
}

// younger tells whether the report of a node shows what is so since a moment. The
// moment from which it will is one at which to decide again.
func (s *state) younger(node string, since time.Time) bool {
	if since.IsZero() || !s.shows(node).Before(since) {
		return true
	}
	late := s.views[node].Period + reportMargin
	s.wakeAt(since.Add(late))
	s.wakeAt(s.clocks[clockAsked+node].Add(late))
	return false
}

// touched is when the sessions between two nodes were last made to restart; zero: not
// for long.
func (s *state) touched(a, b string) time.Time {
	at, other := s.clocks[clockTouched+a], s.clocks[clockTouched+b]
	if other.After(at) {
		return other
	}
	return at
}

// sessionUp tells whether an expected session of a reflector is established and fed, as
// far as is known: by the report of either end, if it is not older than what was done
// to the session last, or because it was up when that was last seen, not longer ago than
// the bound, and nobody has touched it since.
func (s *state) sessionUp(name string, session *bgp.Session, bound time.Duration) bool {
	touched := s.touched(name, session.Remote)
	view, reported := s.views[name]
	if reported && s.younger(name, touched) {
		return established(view, session) && view.Fed(session.RemoteIP)
	}
	if other, does := s.views[session.Remote]; does && s.younger(session.Remote, touched) {
		back := *session
		back.RemoteIP = session.LocalIP
		return established(other, &back) && other.Fed(back.RemoteIP)
	}
	if reported {
		return false // too old
	}
	at, seen := s.seenAt(name, bound)
	if !seen || s.changedSince(s.nodes[session.Remote], at) {
		return false
	}
	if touched.After(at) {
		other, does := s.seenAt(session.Remote, bound)
		return does && !touched.After(other)
	}
	return true
}

func (s *state) reported(name string) bool {
	_, reported := s.views[name]
	return reported
}

// seenAt is when all sessions of a reflector were last seen up.
func (s *state) seenAt(name string, bound time.Duration) (time.Time, bool) {
	at, seen := s.clocks[clockSeen+name]
	return at, seen && s.in.Now.Sub(at) <= bound
}

// changedSince: the node is not the one that was seen, or may have been away since.
func (s *state) changedSince(node *inventory.Node, at time.Time) bool {
	at = at.Add(-clocksAgree)
	return node == nil || node.Created.After(at) || node.ReadySince.After(at)
}

// unseen is what is not known to be up of a reflector's sessions that gates wait for.
type unseen struct {
	// silent: it has not reported; old: its report is older than what was done last.
	silent, old bool
	// missing are the other ends of those that are not established, feeding tells of
	// those that are not fed.
	missing []string
	feeding bool
}

func (u *unseen) any() bool { return u.silent || u.old || u.feeding || len(u.missing) > 0 }

// unseenOf a reflector; sessions with those that are left out do not count.
func (s *state) unseenOf(name string, bound time.Duration, leftOut ...string) unseen {
	var out unseen
	view, reported := s.views[name]
	_, seen := s.seenAt(name, bound)
	out.silent = !reported && !seen
	for i := range s.expected[name] {
		session := &s.expected[name][i]
		if !s.required(session) || s.sessionUp(name, session, bound) || slices.Contains(leftOut, session.Remote) {
			continue
		}
		switch {
		case !reported:
			out.missing = append(out.missing, session.Remote)
		case !s.younger(name, s.touched(name, session.Remote)):
			out.old = true
		case established(view, session):
			out.feeding = true
		default:
			out.missing = append(out.missing, session.Remote)
		}
	}
	return out
}

// watchers are the living reflectors that report and should have a session with a node.
func (s *state) watchers(node string) []string {
	var out []string
	for _, name := range s.living() {
		_, reported := s.views[name]
		expects := func(session bgp.Session) bool { return session.Remote == node }
		if reported && name != node && slices.ContainsFunc(s.expected[name], expects) {
			out = append(out, name)
		}
	}
	return out
}

// ours are the reports that Tapetum has asked for. Others' say nothing to it.
func ours(statuses []calico.CalicoNodeStatus) []calico.CalicoNodeStatus {
	return slices.DeleteFunc(slices.Clone(statuses), func(status calico.CalicoNodeStatus) bool { return !sessions.Ours(&status) })
}
