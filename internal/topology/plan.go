package topology

import (
	"fmt"
	"slices"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// Tier and group of topologies that need no other.
const (
	// TierCore is the only tier of Single.
	TierCore = "core"
	// GroupAll is the group of all clients.
	GroupAll = "all"
)

// Clocks that a plan keeps between two passes.
const (
	// ClockScaleDown: since when fewer reflectors would do.
	ClockScaleDown = "ScaleDown"
	// ClockMeshReturn: since when the cluster has been small enough for the mesh.
	ClockMeshReturn = "MeshReturn"
)

// Reasons of problems, used as condition reasons.
const (
	ReasonNotYet           = "TopologyNotYet"
	ReasonTooFewEligible   = "TooFewEligibleNodes"
	ReasonLimitExceeded    = "LimitExceeded"
	ReasonInvalidPlacement = "InvalidPlacement"
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
	// Chosen are nodes that an earlier pass has picked; they come first, so that
	// a rollout does not change its mind between two steps.
	Chosen []string
	// Load of candidates, see rollout.Input.
	Load map[string]int
	Now  time.Time
	// Clocks as the last plan left them.
	Clocks map[string]time.Time
}

// Plan is a goal.
type Plan struct {
	// Topology is Mesh or Single.
	Topology v1alpha1.Topology
	// Reflectors, in the order in which they are to be promoted: those that stay
	// (most senior first), then the new ones.
	Reflectors []Reflector
	// Leaving tells why a standing reflector is not in the plan.
	Leaving map[string]string
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
	field := newField(request, rules)
	plan.Ineligible = field.ineligible

	plan.Topology = choose(request, &plan)
	if plan.Topology == v1alpha1.TopologySingle && field.empty() {
		plan.Topology = withoutCandidates(request, &plan)
		if plan.Topology == v1alpha1.TopologySingle {
			plan.stay(request)
			return plan
		}
	}
	switch plan.Topology {
	case v1alpha1.TopologyMesh:
		plan.mesh(request)
	case v1alpha1.TopologySingle:
		single(request, field, &plan)
	}
	return plan
}

// withoutRules plans where the placement cannot be read: the mesh needs none.
func (p *Plan) withoutRules(request Request) {
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

// stay keeps what stands, whatever it is.
func (p *Plan) stay(request Request) {
	p.Topology = inForce(request)
	byName := index(request.Nodes)
	for _, name := range request.Standing {
		if node := byName[name]; node != nil {
			p.Reflectors = append(p.Reflectors, reflector(request, node))
		}
	}
}

// inForce is Single as soon as there is a reflector of ours.
func inForce(request Request) v1alpha1.Topology {
	if len(request.Standing) > 0 {
		return v1alpha1.TopologySingle
	}
	return v1alpha1.TopologyMesh
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
