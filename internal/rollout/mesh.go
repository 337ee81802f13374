package rollout

import (
	"cmp"
	"reflect"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/sessions"
)

const meshObject = "BGPConfiguration/default"

func (s *state) meshFields() *MeshFields {
	configuration := calico.Default(s.in.Configurations)
	if configuration == nil {
		return &MeshFields{}
	}
	return &MeshFields{
		Enabled: configuration.Spec.NodeToNodeMeshEnabled, Password: configuration.Spec.NodeMeshPassword,
		MaxRestartTime: configuration.Spec.NodeMeshMaxRestartTime, Existed: true,
		ResourceVersion: configuration.ResourceVersion,
	}
}

// watchMesh notes that somebody has turned the mesh on again after we had turned
// it off.
func (s *state) watchMesh() {
	if !s.meshOn || s.saved == nil || s.plan.Topology == v1alpha1.TopologyMesh {
		return
	}
	if s.in.Autoscaler.Status.Mesh == v1alpha1.MeshOff {
		s.since(clockMeshReverted)
		return
	}
	s.keep(clockMeshReverted)
}

// turnMeshOff is the last step on the way to reflectors: every session with them
// has been seen up, and stayed up.
func (s *state) turnMeshOff() *verdict {
	if !s.meshOn || len(s.standing.Reflectors) == 0 || s.spec.NodeMesh == v1alpha1.NodeMeshUnmanaged {
		return nil
	}
	const before = "turning the node-to-node mesh off"
	if s.brake != "" {
		return s.braked(before)
	}
	if v := s.gate(before); v != nil {
		return v
	}
	fields := s.meshFields()
	if v := s.saveMesh(fields); v != nil {
		return v
	}
	off := false
	_, reverted := s.clocks[clockMeshReverted]
	step := &Step{
		Action: MeshOff, Object: meshObject, Subtractive: true, Repair: reverted,
		Mesh: &MeshFields{Enabled: &off, Existed: fields.Existed, ResourceVersion: fields.ResourceVersion},
		Why:  "every node has its sessions with all route reflectors up; the mesh carries nothing more",
	}
	return s.add(step)
}

// saveMesh keeps what the mesh is, before it goes off. Its options once more, where
// somebody has changed them since; whether it was on, we may have changed ourselves.
func (s *state) saveMesh(fields *MeshFields) *verdict {
	step := &Step{
		Action: SaveMesh, Object: s.autoscalerObject(), Mesh: fields,
		Why: "what the mesh was is kept, to be restored with it",
	}
	if s.saved == nil {
		return take(step)
	}
	merged := s.saved.with(fields)
	if reflect.DeepEqual(merged, s.saved) {
		return nil
	}
	step.Mesh, step.Why = merged, "the mesh has another password or restart time than was kept"
	return take(step)
}

// with are the fields, with those options that the others set.
func (m *MeshFields) with(others *MeshFields) *MeshFields {
	out := *m
	out.Password, out.MaxRestartTime = cmp.Or(others.Password, m.Password), cmp.Or(others.MaxRestartTime, m.MaxRestartTime)
	return &out
}

// meshMayStayOff: where somebody else turned the mesh off before there was any
// reflector of ours, their topology is not Auto's to change.
func (s *state) meshMayStayOff() *verdict {
	if s.meshOn || s.saved != nil || len(s.standing.Reflectors) > 0 ||
		s.spec.Topology == v1alpha1.TopologyMesh || s.spec.NodeMesh == v1alpha1.NodeMeshUnmanaged || s.tearingDown() {
		return nil
	}
	if len(s.plan.Problems) > 0 {
		// The goal is the mesh only because nothing else can be had.
		problem := s.plan.Problems[0]
		return waitFor(problem.Reason, "the node-to-node mesh was turned off by somebody else and stays off, and no route reflectors can be planned: %s", problem.Message).needsPerson()
	}
	return waitFor(ReasonMeshOffByOthers,
		"the node-to-node mesh was turned off by somebody else and the cluster is small enough for it: nothing is changed; set spec.topology to Mesh to have it turned on, or to Single for route reflectors").needsPerson()
}

// turnMeshOn is the first step on the way back: it adds sessions and takes none.
func (s *state) turnMeshOn() *verdict {
	if s.meshOn || s.tornDownWithoutMesh() {
		return nil
	}
	if s.spec.NodeMesh == v1alpha1.NodeMeshUnmanaged {
		if len(s.standing.Reflectors) == 0 {
			return nil
		}
		return waitFor(ReasonMeshUnmanaged,
			"the route reflectors stay until the node-to-node mesh is on, and spec.nodeMesh is Unmanaged: set nodeToNodeMeshEnabled: true in BGPConfiguration default").needsPerson()
	}
	if s.brakesAdding() {
		return s.braked("turning the node-to-node mesh on")
	}
	return s.add(&Step{
		Action: MeshOn, Object: meshObject, Mesh: s.restored(), WaitsFor: "the mesh's sessions", Repair: s.hadMesh(),
		Why: "the goal is the mesh: it comes up beside the route reflectors before any of them goes",
	})
}

// restoreMesh brings back the password and the restart time of the mesh where a person
// has turned it on without them. All its sessions restart by that: it is proved that
// the route reflectors carry everything meanwhile, so it comes before any of them goes.
func (s *state) restoreMesh() *verdict {
	if !s.lacksOptions() || len(s.living()) == 0 {
		return nil
	}
	const before = "restoring the mesh's password and restart time"
	if s.brake != "" {
		return s.braked(before)
	}
	if v := s.gate(before); v != nil {
		return v
	}
	fields := s.meshFields()
	mesh := s.saved.with(fields)
	mesh.Enabled, mesh.Existed, mesh.ResourceVersion = fields.Enabled, fields.Existed, fields.ResourceVersion
	return s.add(&Step{
		Action: MeshOn, Object: meshObject, Mesh: mesh, Subtractive: true, changes: true, Repair: true, WaitsFor: "the mesh's sessions",
		Why: "it was turned on without what it had: its password and restart time come back while the route reflectors carry everything",
	})
}

// lacksOptions: the mesh is on, and has not what was kept of it.
func (s *state) lacksOptions() bool {
	return s.meshOn && s.saved != nil && s.spec.NodeMesh == v1alpha1.NodeMeshManaged && !reflect.DeepEqual(s.saved.with(s.meshFields()).options(), s.meshFields().options())
}

func (m *MeshFields) options() render.Options {
	return render.Options{Password: m.Password, MaxRestartTime: m.MaxRestartTime}
}

// restored are the fields of the mesh as they were.
func (s *state) restored() *MeshFields {
	fields := s.meshFields()
	on := true
	restored := &MeshFields{Enabled: &on, Existed: fields.Existed, ResourceVersion: fields.ResourceVersion}
	switch {
	case s.saved != nil:
		restored.Password, restored.MaxRestartTime = s.saved.Password, s.saved.MaxRestartTime
		if s.saved.Existed && s.saved.Enabled == nil {
			restored.Enabled = nil
		}
	case s.standing.Clients != nil:
		// Somebody has removed what was kept; our BGPPeers have taken it over.
		options := render.OptionsOf(s.standing.Clients)
		restored.Password, restored.MaxRestartTime = options.Password, options.MaxRestartTime
	}
	return restored
}

// hadMesh tells whether the mesh was the goal in the last pass, and on: then
// somebody else has turned it off since.
func (s *state) hadMesh() bool {
	last := &s.in.Autoscaler.Status
	return last.Mesh == v1alpha1.MeshOn && last.Plan != nil && last.Plan.Topology == v1alpha1.TopologyMesh
}

// tornDownWithoutMesh: a deletion has nothing to bring back where no reflector of
// ours stands and we have not turned the mesh off.
func (s *state) tornDownWithoutMesh() bool {
	return s.tearingDown() && s.saved == nil && len(s.standing.Reflectors) == 0
}

// meshSettled waits, on the way back, until the mesh has been on long enough: its
// sessions between other nodes cannot be seen from reflectors.
func (s *state) meshSettled(before string) *verdict {
	if s.plan.Topology != v1alpha1.TopologyMesh || s.elapsed(clockMeshOn, MeshSettle) {
		return nil
	}
	return waitFor(ReasonMeshSettling, "%s waits until the mesh has been on for %v: its sessions cannot be seen from route reflectors", before, MeshSettle)
}

// meshWitnessed waits, before the last reflector goes, until the reflectors that
// have stepped down see all their sessions of the mesh up.
func (s *state) meshWitnessed(before string) *verdict {
	if s.spec.Rollout.Gate == v1alpha1.GateDelay {
		return nil
	}
	for i := range s.asked {
		status := &s.asked[i]
		name := status.Spec.Node
		if s.nodes[name] == nil || slices.Contains(s.standing.Reflectors, name) || s.lost(name) {
			continue
		}
		var missing []string
		for _, session := range s.network.SessionsOf(name) {
			if s.required(&session) && !s.sessionUp(name, &session, 0) {
				missing = append(missing, session.Remote)
			}
		}
		if len(missing) > 0 {
			s.watching = true
			if sessions.Asks(status) && !sessions.Watched(status) {
				return s.every(sessions.WatchSeconds, status, "the mesh is seen by those that have stepped down, such as "+name)
			}
			v := waitFor(ReasonSessions, "%s waits: %s, which has stepped down, has no session of the mesh with %s yet",
				before, name, names(missing))
			v.wait.timed, v.wait.nodes = true, missing
			return v
		}
	}
	return nil
}

// forgetMesh drops what was kept, once the mesh is back and nothing else is left.
func (s *state) forgetMesh() *verdict {
	if s.saved == nil || !s.meshOn {
		return nil
	}
	if s.lacksOptions() {
		return waitFor(ReasonMeshOptions,
			"the node-to-node mesh is on without the password or restart time that it had, and no route reflector carries the routes while its sessions restart: set them in BGPConfiguration default (the annotation %s has them), or delete that annotation where the mesh is to go without",
			v1alpha1.MeshAnnotation).needsPerson()
	}
	if s.deleting() {
		return nil // it goes with the object
	}
	return take(&Step{
		Action: ForgetMesh, Object: s.autoscalerObject(), Why: "the mesh is back as it was",
	})
}
