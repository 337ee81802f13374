package rollout

import (
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// nothingLeft is status.nextStep where no step is left.
const nothingLeft = "none"

// output turns a verdict into what the caller sees.
func (s *state) output(v *verdict) Output {
	var out Output
	step, w := (*Step)(nil), (*wait)(nil)
	if v != nil {
		step, w = v.step, v.wait
	}
	if s.spec.Mode != v1alpha1.ModePaused {
		out.AskLoad = s.askLoad()
	}
	if step != nil && s.writes(step) {
		out.Step = step
		s.stepTaken(step)
	}
	since, timedOut := s.timedOut(w)
	out.Status = s.status(step, w)
	out.Status.Conditions = s.conditions(step, w, since, timedOut)
	out.Status.Clocks = s.statusClocks()
	out.Status.Reverts = s.statusReverts()
	out.Status.Brakes = s.brakesStatus()
	if !s.requeue.IsZero() {
		// A moment later than asked, so that the clock has surely passed it.
		out.RequeueAfter = max(s.requeue.Sub(s.in.Now), 0) + 10*time.Millisecond
	}
	return out
}

// writes: the mode lets the step out. In DryRun only our own finalizer may go.
func (s *state) writes(step *Step) bool {
	return s.spec.Mode == v1alpha1.ModeApply || step.Action == RemoveFinalizer
}

// stepTaken adjusts the memory: after a step the gate starts to settle anew.
func (s *state) stepTaken(step *Step) {
	if step.aboutReports() {
		s.keep(clockWaiting) // what is waited for still is
		s.noteAsked(step)
	} else {
		delete(s.clocks, clockGateOpen)
		s.noteTouched(step)
	}
	if step.Repair || step.Subtractive && !step.aboutReports() && s.leftNothing() {
		s.reverted(step) // nothing was left to do, so somebody has done something
	}
	s.noteLeft(step)
	if s.changesRoleOf(step) {
		s.spend()
	}
	if step.Forced {
		s.forceTaken(step)
	}
	if step.Action == MeshOff || step.Action == MeshOn {
		delete(s.clocks, clockMeshOn)
		delete(s.clocks, clockMeshReverted)
	}
}

// askLoad: the plan has to choose new reflectors, and a choice is about to be made.
func (s *state) askLoad() []string {
	if s.in.Load != nil {
		return nil
	}
	return s.plan.AskLoad
}

func (s *state) status(step *Step, w *wait) v1alpha1.RouteReflectorAutoscalerStatus {
	status := v1alpha1.RouteReflectorAutoscalerStatus{
		ObservedGeneration: s.in.Autoscaler.Generation,
		Nodes:              int32(s.plan.Nodes),
		ReflectorCount:     int32(len(s.standing.Reflectors)),
		Mesh:               v1alpha1.MeshOff,
		NextStep:           nothingLeft,
		Plan:               s.planStatus(),
		Reflectors:         s.reflectorStatuses(),
		Promise:            s.promise(),
	}
	status.Topology = s.topologyInForce(step == nil && w == nil)
	if s.meshOn {
		status.Mesh = v1alpha1.MeshOn
	}
	switch {
	case step != nil:
		status.NextStep = step.brief()
	case w != nil:
		status.NextStep = "waiting: " + w.reason
	}
	return status
}

func (s *state) planStatus() *v1alpha1.PlanStatus {
	plan := &v1alpha1.PlanStatus{
		Topology: s.plan.Topology, Why: s.plan.Why, NextTopology: s.plan.NextTopology,
		Groups: int32(len(s.plan.Groups)), Mesh: v1alpha1.MeshOn,
	}
	if border := int32(s.plan.NextBorder); border > 0 {
		plan.NextBorder = &border
	}
	for _, reflector := range s.plan.Reflectors {
		plan.Reflectors = append(plan.Reflectors, reflector.Node)
	}
	slices.Sort(plan.Reflectors)
	switch {
	case s.spec.NodeMesh == v1alpha1.NodeMeshUnmanaged && !s.meshOn:
		plan.Mesh = v1alpha1.MeshOff
	case s.spec.NodeMesh == v1alpha1.NodeMeshManaged && s.plan.Topology != v1alpha1.TopologyMesh && len(plan.Reflectors) > 0:
		plan.Mesh = v1alpha1.MeshOff
	}
	return plan
}

func (s *state) reflectorStatuses() []v1alpha1.ReflectorStatus {
	var out []v1alpha1.ReflectorStatus
	for _, name := range s.standing.Reflectors {
		node := s.nodes[name]
		reflector := v1alpha1.ReflectorStatus{
			Name: name, Zone: node.Labels[s.spec.ZoneLabel], ClusterID: node.ClusterID, Tier: s.tier(name),
		}
		for i := range s.expected[name] {
			session := &s.expected[name][i]
			if !s.required(session) {
				continue
			}
			reflector.SessionsExpected++
			if s.sessionUp(name, session, anyAge) {
				reflector.SessionsEstablished++
			}
		}
		reflector.State = s.reflectorState(name, reflector)
		out = append(out, reflector)
	}
	for _, planned := range s.plan.Reflectors {
		if !slices.Contains(s.standing.Reflectors, planned.Node) {
			out = append(out, v1alpha1.ReflectorStatus{
				Name: planned.Node, Zone: planned.Zone, Tier: planned.Tier, State: v1alpha1.ReflectorPending,
			})
		}
	}
	slices.SortFunc(out, func(a, b v1alpha1.ReflectorStatus) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (s *state) reflectorState(name string, status v1alpha1.ReflectorStatus) v1alpha1.ReflectorState {
	_, stays := s.role(name)
	switch {
	case s.lost(name):
		return v1alpha1.ReflectorLost
	case !stays:
		return v1alpha1.ReflectorLeaving
	case status.SessionsEstablished < status.SessionsExpected && s.spec.Rollout.Gate != v1alpha1.GateDelay:
		return v1alpha1.ReflectorConnecting
	}
	return v1alpha1.ReflectorReady
}
