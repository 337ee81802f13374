package rollout

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
)

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
	delete(s.clocks, clockGateOpen)
	if step.restarts {
		s.clocks[clockRestart] = s.in.Now
	}
	if step.Repair {
		s.reverted(step)
	}
	if step.Action == MeshOff {
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
		Topology:           v1alpha1.TopologyMesh,
		Nodes:              int32(s.plan.Nodes),
		ReflectorCount:     int32(len(s.standing.Reflectors)),
		Mesh:               v1alpha1.MeshOff,
		NextStep:           "none",
		Plan:               s.planStatus(),
		Reflectors:         s.reflectorStatuses(),
		Promise:            s.promise(),
	}
	if len(s.standing.Reflectors) > 0 {
		status.Topology = v1alpha1.TopologySingle
	}
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
	plan := &v1alpha1.PlanStatus{Topology: s.plan.Topology, Mesh: v1alpha1.MeshOn}
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
			Name: name, Zone: node.Labels[s.spec.ZoneLabel], ClusterID: node.ClusterID,
		}
		view := s.views[name]
		for i := range s.expected[name] {
			session := &s.expected[name][i]
			if !s.required(session) {
				continue
			}
			reflector.SessionsExpected++
			if established(view, session) && view.Fed(session.RemoteIP) {
				reflector.SessionsEstablished++
			}
		}
		reflector.State = s.reflectorState(name, reflector)
		out = append(out, reflector)
	}
	for _, planned := range s.plan.Reflectors {
		if !slices.Contains(s.standing.Reflectors, planned.Node) {
			out = append(out, v1alpha1.ReflectorStatus{
				Name: planned.Node, Zone: planned.Zone, State: v1alpha1.ReflectorPending,
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

// promise is what the network as it is configured now guarantees, by the oracle.
func (s *state) promise() *v1alpha1.Promise {
	if s.promised != nil {
		return s.promised
	}
	// Nodes that are gone for long take no part in it.
	visibility := s.network.Visibility(func(node string) bool { return s.seen.Down[node] })
	_, paths, _ := s.network.PathsPerRoute()
	s.promised = &v1alpha1.Promise{
		Complete:     visibility.Complete,
		AnyReflector: visibility.Complete && s.network.SurvivesReflectors(int(*s.spec.Limits.ReflectorFailures)),
		AnyZone: visibility.Complete && s.network.SurvivesZones(func(name string) string {
			if node := s.nodes[name]; node != nil {
				return node.Labels[s.spec.ZoneLabel]
			}
			return ""
		}),
		MaxSessions: int32(s.network.Degree()), MaxPaths: int32(paths),
	}
	return s.promised
}

// foreignPeers are BGPPeers of others that cover the same pairs as ours, sorted.
// They are reported and never touched.
func (s *state) foreignPeers() []string {
	if len(s.standing.Reflectors) == 0 {
		return nil
	}
	var out []string
	for i := range s.in.Peers {
		peer := &s.in.Peers[i]
		if !calico.ManagedByUs(peer) && s.overlaps(peer) {
			out = append(out, peer.Name)
		}
	}
	slices.Sort(out)
	return out
}

// overlaps: without the foreign peer some reflector would have the very same
// neighbors, or fewer sessions of ours: so both speak of the same pair.
func (s *state) overlaps(peer *calico.BGPPeer) bool {
	alone := bgp.Build(bgp.Input{
		Nodes: s.in.Nodes, Peers: []calico.BGPPeer{*peer}, Configurations: withMesh(s.in.Configurations, false),
	})
	for _, reflector := range s.standing.Reflectors {
		ours := map[netip.Addr]bool{}
		for _, session := range s.expected[reflector] {
			ours[session.RemoteIP] = true
		}
		if slices.ContainsFunc(alone.SessionsOf(reflector), func(session bgp.Session) bool { return ours[session.RemoteIP] }) {
			return true
		}
	}
	return false
}

// differentAS are nodes whose sessions are external BGP, sorted.
func (s *state) differentAS() []string {
	var out []string
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		if node.HasBGP() && cmp.Or(node.ASNumber, s.clusterAS) != s.clusterAS {
			out = append(out, node.Name)
		}
	}
	return out
}
