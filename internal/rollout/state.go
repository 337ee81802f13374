package rollout

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/sessions"
	"tapetum.dev/tapetum/internal/topology"
)

// state is what one decision works on: the input, and what follows from it.
type state struct {
	in        Input
	spec      v1alpha1.RouteReflectorAutoscalerSpec
	nodes     map[string]*inventory.Node
	clusterAS uint32
	meshOn    bool
	standing  render.Standing
	views     map[string]sessions.View
	// asked are our CalicoNodeStatuses, by name; reports those that ask for what they
	// should, by node.
	asked   []calico.CalicoNodeStatus
	reports map[string]*calico.CalicoNodeStatus
	// wanted are the reflectors whose sessions a decision depends on and does not know,
	// and whether there is a hurry; watching: they are waited for; patient: no decision
	// is in a hurry.
	wanted            map[string]bool
	watching, patient bool
	// suspects are reflectors that may be dead, fails tells which of them are, and why;
	// unaskable are those that cannot be asked, because no report can be given up for it.
	suspects  []string
	fails     map[string]string
	unaskable []string
	plan      topology.Plan
	network   *bgp.Network
	// expected sessions of each standing reflector, of both address families.
	expected map[string][]bgp.Session
	// seen is what the oracle may rely on.
	seen bgp.Observed
	// brakes that are on; brake is what the first is for, or why the plan is held, ""
	// when nothing holds.
	brakes []brake
	brake  string
	// forced: brakes, budget, gates and contests say nothing.
	forced bool
	// held is the step that caution holds, force what the annotation asks for.
	held  *v1alpha1.HeldStep
	force *v1alpha1.ForceStatus
	// roleChanges of the last minutes.
	roleChanges []v1alpha1.RoleChanges
	// unreliable nodes were lost as reflectors not long ago.
	unreliable map[string]time.Time
	// saved are the mesh fields as they were before Tapetum turned the mesh off;
	// nil: Tapetum has not.
	saved *MeshFields
	// leftOut are nodes that gates do not wait for, sorted.
	leftOut []string

	// clocks to keep; a clock that no pass touches is forgotten.
	clocks map[string]time.Time
	// requeue is the earliest moment at which time alone changes the decision.
	requeue time.Time
	reverts map[string]v1alpha1.Revert
	// belonging is what belongings has found, once it has been asked.
	belonging []belongs
	// homeGroups are the groups of the plan, and whether a home tells their clients.
	homeGroups map[string]bool
	// heeds: the settled label takes sessions away from clients.
	heeds bool
	// relaxed: redundancy need not hold for the own routes of reflectors whose role
	// is still to change.
	relaxed bool
	// promised is the promise once it has been computed; untried: whether it survives the
	// loss of reflectors is not known.
	promised *v1alpha1.Promise
	untried  bool
}

func newState(in Input, plan func(topology.Request) topology.Plan) *state {
	s := &state{
		in:      in,
		spec:    in.Autoscaler.Spec.WithDefaults(),
		nodes:   make(map[string]*inventory.Node, len(in.Nodes)),
		clocks:  map[string]time.Time{},
		reverts: map[string]v1alpha1.Revert{},
	}
	s.in.Nodes = slices.Clone(in.Nodes)
	slices.SortFunc(s.in.Nodes, func(a, b inventory.Node) int { return strings.Compare(a.Name, b.Name) })
	for i := range s.in.Nodes {
		s.nodes[s.in.Nodes[i].Name] = &s.in.Nodes[i]
	}
	s.clusterAS = calico.GlobalAS(in.Configurations)
	s.meshOn = calico.MeshEnabled(in.Configurations)
	s.standing = render.Read(s.in.Nodes, in.Peers, in.Statuses)
	s.readReports()
	s.recallSeen()
	s.applySuspicions()
	s.saved = savedMesh(in.Autoscaler, s.standing.Clients)
	s.recallReverts()
	s.recallBudget()
	s.recallLeft()
	s.applyBrakes()
	s.remember()

	s.plan = plan(topology.Request{
		Spec: s.goalSpec(), Nodes: s.in.Nodes, ClusterAS: s.clusterAS, Standing: s.standing.Reflectors,
		Previous: s.previous(), TagFilter: in.TagFilter,
		Chosen: s.chosen(), Load: in.Load, Now: in.Now, Clocks: s.oldClocks(), Unreliable: s.unreliable,
		Failed: s.fails,
	})
	for name, since := range s.plan.Clocks {
		s.clocks[name] = since
	}
	s.wakeAt(s.plan.WaitUntil)
	s.holdsPlan()
	s.network = bgp.Build(s.bgpInput())
	s.expected = map[string][]bgp.Session{}
	for _, name := range s.standing.Reflectors {
		s.expected[name] = s.network.SessionsOf(name)
	}
	s.observe()
	return s
}

// previous is the topology that the last plan chose.
func (s *state) previous() v1alpha1.Topology {
	if plan := s.in.Autoscaler.Status.Plan; plan != nil {
		return plan.Topology
	}
	return ""
}

// goalSpec is the policy, but for a deletion that is carried out: then the goal
// is the mesh.
func (s *state) goalSpec() v1alpha1.RouteReflectorAutoscalerSpec {
	spec := s.spec
	if s.tearingDown() {
		spec.Topology = v1alpha1.TopologyMesh
	}
	return spec
}

// chosen are the nodes that an earlier pass has picked: the plan in the status,
// and those to which a pin already leads.
func (s *state) chosen() []string {
	var out []string
	if plan := s.in.Autoscaler.Status.Plan; plan != nil {
		out = append(out, plan.Reflectors...)
	}
	for _, pin := range s.standing.Pins {
		out = append(out, pin.Senior, pin.Junior)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *state) bgpInput() bgp.Input {
	return bgp.Input{
		Nodes: s.in.Nodes, Peers: s.in.Peers, Configurations: s.in.Configurations, Filters: s.in.Filters,
	}
}

func savedMesh(autoscaler *v1alpha1.RouteReflectorAutoscaler, clients *calico.BGPPeer) *MeshFields {
	text, kept := autoscaler.Annotations[v1alpha1.MeshAnnotation]
	if !kept {
		return nil
	}
	fields := &MeshFields{}
	if err := json.Unmarshal([]byte(text), fields); err != nil {
		// Somebody edited it. That the mesh was turned off by us is still true, and
		// our BGPPeers have taken its password over.
		kept := &MeshFields{Existed: true}
		if clients != nil {
			kept.Password, kept.MaxRestartTime = clients.Spec.Password, clients.Spec.MaxRestartTime
		}
		return kept
	}
	return fields
}

// lost: a standing reflector that does not work any more, or never could, as far
// as Kubernetes knows.
func (s *state) lost(name string) bool {
	node := s.nodes[name]
	if node == nil || node.Deleting || !node.CanReflect() || s.fails[name] != "" {
		return true
	}
	if node.Ready {
		return false
	}
	at := node.ReadySince.Add(inventory.LostAfter)
	s.wakeAt(at)
	return !at.After(s.in.Now)
}

// living are the standing reflectors that are not lost, most senior first.
func (s *state) living() []string {
	return slices.DeleteFunc(slices.Clone(s.standing.Reflectors), s.lost)
}

// seenBySomeone tells whether any living reflector other than the node itself has
// a session with it Established. While reflectors are looked at in turns, and none of
// those that should see it reports, one may; unless nobody did while they reported.
func (s *state) seenBySomeone(name string) bool {
	node := s.nodes[name]
	if node == nil {
		return false
	}
	if s.turns() && s.spec.Rollout.Gate != v1alpha1.GateDelay && len(s.watchers(name)) == 0 {
		_, unseen := s.keep(clockGone + name)
		return !unseen
	}
	for _, reflector := range s.living() {
		view := s.views[reflector]
		if reflector == name {
			continue
		}
		if _, up := view.Established[node.IPv4]; up && node.IPv4.IsValid() {
			return true
		}
		if _, up := view.Established[node.IPv6]; up && node.IPv6.IsValid() {
			return true
		}
	}
	return false
}

// gone: not ready for so long that gates go on without it, and seen by nobody.
func (s *state) gone(name string) bool {
	node := s.nodes[name]
	if node == nil || s.disruptedLong(node) {
		return true
	}
	if node.Ready {
		return false
	}
	limit := time.Duration(*s.spec.Rollout.IgnoreNotReadyAfterSeconds) * time.Second
	if age := s.in.Now.Sub(node.ReadySince); age < limit {
		s.wakeAt(node.ReadySince.Add(limit))
		return false
	}
	if at, known := s.keep(clockGone + name); known && at.After(node.ReadySince) {
		return true
	}
	if s.seenBySomeone(name) {
		delete(s.clocks, clockGone+name)
		return false
	}
	if s.turns() {
		s.since(clockGone + name) // whoever sees that may not be asked again
	}
	return true
}

// observe collects what the oracle may rely on.
func (s *state) observe() {
	s.seen = bgp.Observed{Up: map[string]map[netip.Addr]bool{}, AssumeMesh: true, Down: map[string]bool{}}
	if s.spec.Rollout.Gate == v1alpha1.GateDelay {
		s.seen.AssumeUnobserved = true
	} else {
		for _, name := range s.standing.Reflectors {
			_, reported := s.views[name]
			if _, seen := s.seenAt(name, seenFor); (reported || seen) && !s.lost(name) {
				s.seen.Up[name] = s.up(name)
			}
		}
	}
	s.observeDown()
}

// observeDown finds the nodes that do not count: reflectors that are lost and seen by
// nobody, and nodes that gates do not wait for any more.
func (s *state) observeDown() {
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		if !node.HasBGP() || node.Ready && !s.disrupted(node) && s.fails[node.Name] == "" {
			continue
		}
		if s.lost(node.Name) && slices.Contains(s.standing.Reflectors, node.Name) && !s.seenBySomeone(node.Name) {
			s.seen.Down[node.Name] = true
		} else if s.gone(node.Name) {
			s.seen.Down[node.Name] = true
			s.leftOut = append(s.leftOut, node.Name)
		}
	}
}

// up are the peers of those expected sessions of a reflector that count as up. Only
// of expected ones: a report may be older than the last step, and still speak of
// sessions that the step has ended.
func (s *state) up(name string) map[netip.Addr]bool {
	expected := s.expected[name]
	out := make(map[netip.Addr]bool, len(expected))
	for i := range expected {
		if s.sessionUp(name, &expected[i], seenFor) {
			out[expected[i].RemoteIP] = true
		}
	}
	return out
}

// role tells whether the plan keeps the reflector.
func (s *state) role(name string) (topology.Reflector, bool) {
	for _, reflector := range s.plan.Reflectors {
		if reflector.Node == name {
			return reflector, true
		}
	}
	return topology.Reflector{}, false
}

// options of all our sessions: those of the BGPPeer that stands, else the mesh's.
func (s *state) options() render.Options {
	if s.standing.Clients != nil {
		return render.OptionsOf(s.standing.Clients)
	}
	var options render.Options
	if configuration := calico.Default(s.in.Configurations); configuration != nil {
		options.Password = configuration.Spec.NodeMeshPassword
		options.MaxRestartTime = configuration.Spec.NodeMeshMaxRestartTime
	}
	if s.saved != nil && s.saved.Password != nil {
		options.Password = s.saved.Password
	}
	if s.saved != nil && s.saved.MaxRestartTime != nil {
		options.MaxRestartTime = s.saved.MaxRestartTime
	}
	return s.wantedOptions(options)
}
