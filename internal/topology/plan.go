package topology

import (
	"fmt"
	"slices"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// Tiers of reflectors. They differ in how they peer with each other.
const (
	// TierCore reflectors share one cluster ID and are pinned to each other: those
	// of Single, and the spine of Hierarchy.
	TierCore = "core"
	// TierMulti reflectors have a cluster ID each; one BGPPeer joins them to each
	// other and to the core.
	TierMulti = "multi"
	// TierQuorum reflectors share one cluster ID; the same BGPPeer joins them.
	TierQuorum = "quorum"
	// TierRack reflectors have one cluster ID a rack, and peer with the core only.
	TierRack = "rack"
)

// GroupAll is the group of all clients that are in no other: in Single of all, else
// of new ones that have no group yet (the catch-all).
const GroupAll = "all"

// Clocks that a plan keeps between two passes.
const (
	// ClockScaleDown: since when fewer reflectors would do.
	ClockScaleDown = "ScaleDown"
	// ClockDesign plus the name of a block design, and of the one whose shards it is to
	// have if these are not its own: since when a change to it has been
	// under way in Quorum.
	ClockDesign = "Design/"
	// ClockMeshReturn: since when the cluster has been small enough for the mesh.
	ClockMeshReturn = "MeshReturn"
)

// Reasons of problems, used as condition reasons.
const (
	ReasonNotYet           = "TopologyNotYet"
	ReasonTooFewEligible   = "TooFewEligibleNodes"
	ReasonLimitExceeded    = "LimitExceeded"
	ReasonInvalidPlacement = "InvalidPlacement"
	// ReasonTagFilterUnavailable: Calico cannot do the tag filter that the topology needs.
	ReasonTagFilterUnavailable = "TagFilterUnavailable"
	// ReasonOneZone: not every client can have reflectors in two zones.
	ReasonOneZone = "ReflectorsInOneZone"
)

// Request is all that a plan depends on.
type Request struct {
	// Spec with its defaults filled in.
	Spec v1alpha1.RouteReflectorAutoscalerSpec
	// Nodes of the cluster, sorted by name.
	Nodes []inventory.Node
	// ClusterAS is the AS number of the cluster.
	ClusterAS uint32
	// Standing reflectors of ours, the most senior first.
	Standing []string
	// Previous is the topology that the last plan chose; "": not known. Auto needs
	// it so as not to go back and forth.
	Previous v1alpha1.Topology
	// TagFilter tells whether, and on which nodes, Calico can do the tag filter.
	TagFilter TagFilterSupport
	// Chosen are nodes that an earlier pass has picked; they come first, so that
	// a rollout does not change its mind between two steps.
	Chosen []string
	// Unreliable nodes were lost as reflectors not long ago, with the time: they are
	// the last resort, and those that stand are replaced where others can.
	Unreliable map[string]time.Time
	// Failed are standing reflectors that are dead though Kubernetes does not say so yet,
	// with the reason, such as "does not answer". They are not kept.
	Failed map[string]string
	// Load of candidates, see rollout.Input.
	Load map[string]int
	Now  time.Time
	// Clocks as the last plan left them.
	Clocks map[string]time.Time
}

// Plan is a goal.
type Plan struct {
	// Topology chosen, never Auto.
	Topology v1alpha1.Topology
	// Why this topology, in a sentence or two, for a person.
	Why string
	// NextBorder is the number of nodes at which Auto would change the topology to
	// NextTopology if the cluster grew; 0: none, or the topology is not Auto's choice.
	NextBorder   int
	NextTopology v1alpha1.Topology
	// Reflectors, in the order in which they are to be promoted: those that stay
	// (most senior first), then the new ones.
	Reflectors []Reflector
	// Groups of clients that have reflectors of their own, sorted by name; without
	// GroupAll.
	Groups []Group
	// Homes gives the group of every node that should carry a home label. A node
	// that belongs to a group by home and is not in here is left as it is.
	Homes map[string]string
	// TagFilter: the peering of the reflectors carries the tag filter.
	TagFilter bool
	// Leaving tells why a standing reflector is not in the plan.
	Leaving map[string]string
	// Held: the policy cannot be followed, and Problems say why. What stands is the plan,
	// and nothing of it may be taken away.
	Held bool
	// Zones is in how many zones there are nodes that can be reflectors.
	Zones int
	// AskLoad: the choice depends on the load of these; plan again with it.
	AskLoad []string
	// Problems that a person must know of, most important first.
	Problems []Problem
	// Ineligible counts the nodes that cannot be reflectors, by reason.
	Ineligible map[string]int
	// Nodes is the number of nodes that speak BGP.
	Nodes int
	// Clocks to keep for the next plan.
	Clocks map[string]time.Time
	// WaitUntil is when a clock will change the plan; zero: none runs.
	WaitUntil time.Time
}

// Reflector is a node with the role.
type Reflector struct {
	Node, Zone, ClusterID, Tier string
	// Serves are the groups whose clients peer with it.
	Serves []string
}

// Group is a part of the clients that peers with the same reflectors: those that
// serve it.
type Group struct {
	// Name is at most 56 characters, and valid in the key and as the value of a label.
	Name string
	// Label and Value tell the clients by a label that the cluster has anyway.
	// Label "": by v1alpha1.HomeLabel.
	Label, Value string
}

// ByHome tells whether the clients carry a home label of ours.
func (g Group) ByHome() bool { return g.Label == "" }

// TagFilterSupport tells whether the tag filter (see docs/design/topologies.md) can
// be relied on.
type TagFilterSupport struct {
	// Cluster: the schema of BGPFilter has what it takes, and Calico is v3.32 or newer.
	Cluster bool
	// Why not, for a person; where Cluster is true, which nodes cannot and why, or "".
	Why string
	// Nodes on which calico-node is v3.32 or newer. Only these can be reflectors
	// that carry the filter. Nil: all, where Cluster is true.
	Nodes map[string]bool
}

// On tells whether the node can carry the tag filter.
func (t TagFilterSupport) On(node string) bool {
	return t.Cluster && (t.Nodes == nil || t.Nodes[node])
}

// allows tells whether the node can be a reflector of Multi: where the cluster cannot
// have the filter at all, any can.
func (t TagFilterSupport) allows(node string) bool { return !t.Cluster || t.On(node) }

// Problem is something a person must know of.
type Problem struct {
	Reason, Message string
}

// Has tells whether the node is a reflector of the plan.
func (p *Plan) Has(node string) bool {
	return slices.ContainsFunc(p.Reflectors, func(r Reflector) bool { return r.Node == node })
}

func (p *Plan) problem(reason, format string, args ...any) {
	p.Problems = append(p.Problems, Problem{reason, fmt.Sprintf(format, args...)})
}

// Make plans.
func Make(request Request) Plan {
	plan := Plan{
		Leaving: map[string]string{}, Ineligible: map[string]int{}, Clocks: map[string]time.Time{},
	}
	request.Nodes = restored(request)
	for i := range request.Nodes {
		if request.Nodes[i].HasBGP() && !request.Nodes[i].Deleting {
			plan.Nodes++
		}
	}
	rules, err := inventory.NewRules(request.Spec.Placement, inventory.Survey(request.Nodes, request.ClusterAS))
	if err != nil {
		plan.problem(ReasonInvalidPlacement, "%v; the reflectors stay as they are until it is mended", err)
		plan.withoutRules(request)
		return plan
	}
	if plan.contradicts(request) {
		plan.withoutRules(request)
		return plan
	}
	field := newField(request, rules)
	empty := plan.fork()
	plan.from(request, rules, field)
	if plan.tooFew() && field.callReserve() {
		plan = empty
		plan.from(request, rules, field)
	}
	return plan
}

// from plans with the nodes of the field.
func (p *Plan) from(request Request, rules *inventory.Rules, field *field) {
	p.Ineligible = field.ineligible
	c := survey(request, field)
	p.Zones = c.reach(false)
	refused := p.attempt(request, choose(request, &c, p), func(try *Plan, topology v1alpha1.Topology) {
		try.build(request, rules, field, topology)
	})
	p.explain(request, &c, refused)
}

// tooFew tells whether the plan lacks nodes that can be reflectors.
func (p *Plan) tooFew() bool {
	return slices.ContainsFunc(p.Problems, func(problem Problem) bool { return problem.Reason == ReasonTooFewEligible })
}

// build plans one topology.
func (p *Plan) build(request Request, rules *inventory.Rules, field *field, topology v1alpha1.Topology) {
	// Of its own: planners change it.
	field = field.copy()
	p.Topology = topology
	if topology != v1alpha1.TopologyMesh && field.empty() {
		p.Topology = withoutCandidates(request, p)
		if p.Topology != v1alpha1.TopologyMesh || len(request.Standing) == 0 {
			p.stay(request)
			return
		}
	}
	switch p.Topology {
	case v1alpha1.TopologyMesh:
		p.mesh(request)
	case v1alpha1.TopologySingle:
		single(request, field, p)
	case v1alpha1.TopologyMulti:
		multi(request, field, p)
	case v1alpha1.TopologyQuorum:
		quorum(request, field, p)
	case v1alpha1.TopologyHierarchy:
		hierarchy(request, field, p)
	}
	p.contradictsNodes(request, field, rules)
}

// withoutRules plans where the policy cannot be followed: the mesh needs none of it.
func (p *Plan) withoutRules(request Request) {
	p.Held = true
	if request.Spec.Topology == v1alpha1.TopologyMesh {
		p.Topology = v1alpha1.TopologyMesh
		p.mesh(request)
		return
	}
	p.stay(request)
}

// mesh gives up every reflector.
func (p *Plan) mesh(request Request) {
	for _, name := range request.Standing {
		p.Leaving[name] = "the goal is the mesh"
	}
}

func reflector(request Request, node *inventory.Node) Reflector {
	return Reflector{
		Node: node.Name, Zone: node.Labels[request.Spec.ZoneLabel], ClusterID: request.Spec.ClusterID,
		Tier: TierCore, Serves: []string{GroupAll},
	}
}

func index(nodes []inventory.Node) map[string]*inventory.Node {
	out := make(map[string]*inventory.Node, len(nodes))
	for i := range nodes {
		out[nodes[i].Name] = &nodes[i]
	}
	return out
}
