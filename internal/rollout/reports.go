package rollout

import (
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/sessions"
)

// readReports finds the objects by which nodes are asked for their sessions.
func (s *state) readReports() {
	s.reports = map[string]*calico.CalicoNodeStatus{}
	s.wanted = map[string]bool{}
	mine := ours(s.in.Statuses)
	slices.SortFunc(mine, func(a, b calico.CalicoNodeStatus) int { return strings.Compare(a.Name, b.Name) })
	for i := range mine {
		status := &mine[i]
		if sessions.Asks(status) && (s.reports[status.Spec.Node] == nil || s.probedObject(status.Name)) {
			s.reports[status.Spec.Node] = status
		}
	}
	s.asked, s.views = mine, sessions.Read(mine)
}

// reportSessions asks reflectors for their sessions, as many as may be asked at once.
// Only reflectors: each such object goes to every node of the cluster.
func (s *state) reportSessions() *verdict {
	if s.spec.Rollout.Gate == v1alpha1.GateDelay {
		return nil
	}
	for _, name := range s.living() {
		if v := s.mendReport(name); v != nil && !s.reportContested(v.step.Object) {
			return v
		}
	}
	most := s.mostReports()
	if len(s.asked) > most {
		return s.spare("others ask for reports too, and there may be no more", false)
	}
	if len(s.asked) == most {
		return nil
	}
	name := s.unasked()
	if name == "" {
		return nil
	}
	want := sessions.New(name)
	if s.subtractiveAhead() {
		want = sessions.Every(sessions.WatchSeconds, want)
	}
	return take(&Step{
		Action: CreateStatus, Object: reportObject(want), NodeStatus: want, Repair: !s.turns() && s.hadReport(name),
		Why: "the sessions of " + name + " must be seen",
	})
}

// unasked is the reflector to ask next: one of which nothing is known, else the most
// senior; "": all are asked.
func (s *state) unasked() string {
	left := slices.DeleteFunc(s.living(), func(name string) bool {
		return s.reports[name] != nil || s.reportContested("CalicoNodeStatus/"+sessions.Name(name))
	})
	if len(left) == 0 {
		return ""
	}
	if !s.turns() {
		return left[0]
	}
	never := func(name string) bool { _, seen := s.seenAt(name, anyAge); return !seen }
	lately := func(name string) bool { u := s.unseenOf(name, seenFor); return u.any() }
	for _, is := range []func(string) bool{never, s.lacks, lately} {
		if i := slices.IndexFunc(left, is); i >= 0 {
			return left[i]
		}
	}
	return left[0]
}

// mendReport puts right an object that has a reflector's name and asks for something
// else.
func (s *state) mendReport(name string) *verdict {
	if s.reports[name] != nil {
		return nil
	}
	want := sessions.New(name)
	status := s.askedBy(want.Name)
	if status == nil {
		return nil
	}
	mended := status.DeepCopy()
	mended.Spec = want.Spec
	return take(&Step{
		Action: PatchStatus, Object: reportObject(want), NodeStatus: mended, Repair: true,
		Why: "somebody edited what " + name + " reports",
	})
}

// askedBy is our object of that name, whether it asks for anything or not; nil: there is none.
func (s *state) askedBy(object string) *calico.CalicoNodeStatus {
	i := slices.IndexFunc(s.asked, func(status calico.CalicoNodeStatus) bool { return status.Name == object })
	if i < 0 {
		return nil
	}
	return &s.asked[i]
}

// subtractiveAhead: something will be taken away once sessions have been seen, so that
// a new report is one that is waited for.
func (s *state) subtractiveAhead() bool {
	if s.plan.Topology == v1alpha1.TopologyMesh {
		return true
	}
	leaves := func(name string) bool {
		want, stays := s.role(name)
		return !stays || s.changesRole(want)
	}
	// While the mesh is on, promotions take its sessions from the node.
	fromMesh := s.meshOn && (s.spec.NodeMesh == v1alpha1.NodeMeshManaged || len(s.promotions()) > 0)
	return fromMesh || slices.ContainsFunc(s.living(), leaves)
}

// hadReport tells whether the last status had sessions from a report of the node, and we
// have not given it up ourselves, for the sake of another's or to ask by another object:
// then there was one, and somebody removed it.
func (s *state) hadReport(name string) bool {
	_, seen := s.seenAt(name, anyAge)
	if _, gaveUp := s.clocks[clockGivenUp+name]; seen || gaveUp || s.probedObject(sessions.Name(name)) || s.probedObject(sessions.OtherName(name)) {
		return false
	}
	return slices.ContainsFunc(s.in.Autoscaler.Status.Reflectors, func(last v1alpha1.ReflectorStatus) bool {
		return last.Name == name && last.SessionsEstablished > 0
	})
}

// dropReports deletes the reports that are not needed any more. On the way back
// to the mesh those of reflectors that have stepped down stay until the last one
// has: they are the only view of the mesh there is.
func (s *state) dropReports() *verdict {
	delay := s.spec.Rollout.Gate == v1alpha1.GateDelay
	returning := s.plan.Topology == v1alpha1.TopologyMesh && len(s.standing.Reflectors) > 0
	for i := range s.asked {
		status := &s.asked[i]
		node := status.Spec.Node
		if s.reports[node] == status && !delay && (slices.Contains(s.standing.Reflectors, node) || returning && s.nodes[node] != nil) {
			continue
		}
		return s.dropReport(status, node+" need not report its sessions any more")
	}
	return nil
}

func (s *state) dropReport(status *calico.CalicoNodeStatus, why string) *verdict {
	return take(&Step{Action: DeleteStatus, Object: reportObject(status), NodeStatus: status, Why: why})
}

func reportObject(status *calico.CalicoNodeStatus) string { return "CalicoNodeStatus/" + status.Name }

// aboutReports tells the steps that change nothing but what is seen.
func (s *Step) aboutReports() bool { return s.NodeStatus != nil }
