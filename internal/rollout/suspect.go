package rollout

import (
	"slices"
	"time"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// A reflector that dies silently is noticed before Kubernetes and BGP do: first it is
// suspected, then asked, and if it does not answer it has failed. Its neighbors keep its
// routes until BGP's hold time of 240 s is over; the first was measured to lose them
// after 170 s, and by then its replacement must be there.
const (
	// leaseStale is how old a Lease may be that kubelets renew every 10 s.
	leaseStale = 20 * time.Second
	// answerWithin is how long calico-node may take to answer.
	answerWithin = 15 * time.Second
	// birdAwayFor is how long BIRD may be away: it is started anew at once.
	birdAwayFor = 10 * time.Second
	// agentRestarts is how long a calico-node that was started anew is left alone. Its
	// neighbors keep its routes for 120 s (BGP graceful restart), and until then it must
	// be asked and be back.
	agentRestarts = 90 * time.Second
	// gracefulRestart is Calico's default restart time.
	gracefulRestart = 120 * time.Second

	// clockSuspected plus a reflector: since when it has been suspected.
	clockSuspected = "Suspected/"
	// clockProbed plus a CalicoNodeStatus: when its node was asked by it to answer anew.
	clockProbed = "Probed/"
	// clockBIRDAway plus a reflector: since when it says that BIRD is not ready.
	clockBIRDAway = "BIRDAway/"
)

// Vital is what tells of a node early. All times are by Tapetum's own clock.
type Vital = inventory.Vital

// applySuspicions finds out which reflectors are suspected, and which of them have
// failed. Where many are, the view may be wrong and not the nodes: then none has failed
// where nothing tells that the view is alive, and nothing is taken away in any case.
func (s *state) applySuspicions() {
	s.fails = map[string]string{}
	for _, name := range s.standing.Reflectors {
		if s.symptom(name) != "" {
			s.since(clockSuspected + name)
			s.suspects = append(s.suspects, name)
			// Also where no verdict is asked for below: by what it was asked must not be forgotten.
			for _, object := range probes(name) {
				s.keep(clockProbed + object)
			}
		}
	}
	if s.manySuspects() && !s.viewAlive() {
		return
	}
	for _, name := range s.suspects {
		if reason := s.verdictOf(name); reason != "" {
			s.fails[name] = reason
		}
	}
}

// manySuspects: more than die at once of themselves. Those that are added in their place
// do not make them fewer.
func (s *state) manySuspects() bool {
	of := len(s.standing.Reflectors)
	if plan := s.in.Autoscaler.Status.Plan; plan != nil && len(plan.Reflectors) > 0 {
		of = min(of, len(plan.Reflectors))
	}
	return len(s.suspects) > 1 && more(len(s.suspects), of, s.spec.Brakes.ReflectorsNotReadyPercent)
}

// viewAlive: somebody is heard of now, so that those who do not answer are silent, and
// it is not Tapetum that is deaf.
func (s *state) viewAlive() bool {
	if s.outage() != nil {
		return false
	}
	for _, vital := range s.in.Vitals {
		if !vital.Heartbeat.IsZero() && !s.leaseStale(vital) {
			return true
		}
	}
	return slices.ContainsFunc(s.suspects, s.hasAnswered)
}

// awaitSuspects: while many are suspected the cluster is not as it should be, also where
// nothing is held.
func (s *state) awaitSuspects() *verdict {
	if !s.manySuspects() {
		return nil
	}
	b := s.suspicions()
	return waitFor(b.reason, "%s: %s", b.what, b.remedy)
}

// heartbeatsLate: no node whose Lease is looked at has renewed it.
func (s *state) heartbeatsLate() bool {
	known := 0
	for _, vital := range s.in.Vitals {
		if vital.Heartbeat.IsZero() {
			continue
		}
		if known++; s.in.Now.Sub(vital.Heartbeat) <= leaseStale {
			return false
		}
	}
	return known > 1
}

// zoneLate: so it is of the other nodes of its zone, as far as they are looked at. That
// is not the death of one node.
func (s *state) zoneLate(of *inventory.Node) bool {
	known := false
	for name, vital := range s.in.Vitals {
		node := s.nodes[name]
		if vital.Heartbeat.IsZero() || node == nil || node == of || node.Labels[s.spec.ZoneLabel] != of.Labels[s.spec.ZoneLabel] {
			continue
		}
		if known = true; s.in.Now.Sub(vital.Heartbeat) <= leaseStale {
			return false
		}
	}
	return known
}

// symptom is why a reflector is suspected; "": it is not.
func (s *state) symptom(name string) string {
	node := s.nodes[name]
	if node == nil || node.Deleting {
		return ""
	}
	vital, known := s.in.Vitals[name]
	switch {
	case s.leaseStale(vital) && !s.heartbeatsLate() && !s.zoneLate(node):
		return "its node has not renewed its Lease for more than 20 s"
	case s.restarting(vital):
		return ""
	case !vital.AgentNotReady.IsZero():
		return "its calico-node is not ready"
	case s.birdAway(name):
		return "BIRD is not ready"
	case !known:
		if _, before := s.keep(clockSuspected + name); before {
			return "it was suspected before, and nothing has been heard of it since"
		}
	}
	return ""
}

func (s *state) leaseStale(vital Vital) bool {
	if vital.Heartbeat.IsZero() {
		return false
	}
	// Whoever reads the Leases asks for a decision when one is late: to wake for that
	// would be a decision every 20 s.
	return s.in.Now.Sub(vital.Heartbeat) > leaseStale
}

// restarting: its calico-node was started anew, and neighbors keep its routes for now.
func (s *state) restarting(vital Vital) bool {
	at := vital.AgentStarted.Add(agentRestarts)
	s.wakeAt(at)
	return !vital.AgentStarted.IsZero() && at.After(s.in.Now)
}

// mayComeBack: its calico-node was started anew, its node is alive, and neighbors keep
// its routes still.
func (s *state) mayComeBack(vital Vital) bool {
	end := vital.AgentStarted.Add(gracefulRestart)
	if s.leaseStale(vital) || vital.AgentStarted.IsZero() || !end.After(s.in.Now) {
		return false
	}
	s.wakeAt(end)
	return true
}

// birdAway: what it has reported last says so, or it has no sessions at all.
func (s *state) birdAway(name string) bool {
	view, reported := s.views[name]
	if !reported {
		return false
	}
	return s.daemonAway(name) || len(view.Established)+len(view.Waiting) == 0 && len(s.nodes) > 1
}

// daemonAway: class Agent says that a BIRD which the node needs is not ready.
func (s *state) daemonAway(name string) bool {
	status, node := s.reports[name], s.nodes[name]
	if status == nil || !slices.Contains(status.Spec.Classes, calico.ClassAgent) {
		return false
	}
	agent := &status.Status.Agent
	return node.IPv4.IsValid() && agent.BIRDV4.State == calico.DaemonNotReady ||
		node.IPv6.IsValid() && agent.BIRDV6.State == calico.DaemonNotReady
}

// verdictOf says why a suspected reflector has failed; "": it has not, or not yet.
func (s *state) verdictOf(name string) string {
	for _, object := range probes(name) {
		at, probed := s.keep(clockProbed + object)
		if !probed {
			continue
		}
		if s.mayComeBack(s.in.Vitals[name]) {
			return ""
		}
		status := s.reports[name]
		if status == nil || status.Name != object || !slices.Contains(status.Spec.Classes, calico.ClassAgent) {
			return "" // it was to be asked, and the write has failed
		}
		if !answered(status) {
			s.wakeAt(at.Add(answerWithin))
			if s.in.Now.Sub(at) < answerWithin {
				return ""
			}
			return "does not answer"
		}
		if s.daemonAway(name) && s.elapsed(clockBIRDAway+name, birdAwayFor) {
			return "says that its BIRD does not run"
		}
	}
	return ""
}

// suspicions is the brake of many suspects; nil: it is off.
func (s *state) suspicions() *brake {
	switch {
	case s.manySuspects():
		return &brake{
			reason: ReasonSuspected, what: names(s.suspects) + " are suspected to be dead at once",
			remedy: "nothing is taken away while that is so, and those that do not answer are replaced only as far as clients are short of reflectors; " +
				"look at calico-node on them, and at the network between them and the API server; delete nodes that will not come back",
		}
	case s.heartbeatsLate():
		return &brake{
			reason: ReasonHeartbeats, what: "no node that is looked at has renewed its Lease for more than 20 s",
			remedy: "nothing is taken away while that is so; look at the API server, and at its caches",
		}
	}
	return nil
}
