package simulate

import (
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/sessions"
	"tapetum.dev/tapetum/internal/topology"
)

// Goal is what a policy makes of a cluster that stands on the mesh.
type Goal struct {
	// Plan is the topology chosen.
	Plan topology.Plan
	// Network is everything that decides about sessions and routes, with the plan
	// carried out.
	Network bgp.Input
	// Writes are those that lead there.
	Writes Writes
}

// Writes to the API, by what is written.
type Writes struct {
	Nodes    int `json:"nodes"`
	BGPPeers int `json:"bgpPeers"`
	// Other are CalicoNodeStatuses, the BGPConfiguration, and the policy itself.
	Other int `json:"other"`
}

// Plan chooses a topology for nodes on the mesh, of a Calico that can do the tag
// filter or not. No load of nodes is known.
func Plan(nodes []inventory.Node, policy v1alpha1.RouteReflectorAutoscalerSpec, filter topology.TagFilterSupport, now time.Time) topology.Plan {
	return planFor(nodes, nil, "", policy, filter, now)
}

// Reach carries a plan out on nodes on the mesh. It gives what the rollout ends
// with, without its steps.
func Reach(plan topology.Plan, nodes []inventory.Node, policy v1alpha1.RouteReflectorAutoscalerSpec) Goal {
	policy = policy.WithDefaults()
	made := render.GoalOf(&plan, nodes, calico.DefaultASNumber, render.Options{})
	goal := Goal{Plan: plan, Network: bgp.Input{Nodes: made.Nodes, Peers: made.Peers, Filters: made.Filters}}
	if len(plan.Reflectors) == 0 {
		return goal
	}
	goal.Writes = Writes{
		Nodes: len(plan.Reflectors) + len(plan.Homes), BGPPeers: len(made.Peers),
		Other: 1 + len(made.Filters), // the finalizer, the filter
	}
	if policy.Rollout.Gate == v1alpha1.GateSessions {
		goal.Writes.Other += reports(len(plan.Reflectors), policy.NodeMesh == v1alpha1.NodeMeshManaged)
	}
	if policy.NodeMesh == v1alpha1.NodeMeshManaged {
		off := false
		configuration := calico.BGPConfiguration{Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off}}
		configuration.Name = calico.DefaultConfiguration
		goal.Network.Configurations = append(goal.Network.Configurations, configuration)
		goal.Writes.Other += 2 // what the mesh was, and the mesh
	}
	return goal
}

// reports is how many writes it takes to see the sessions of reflectors. They are
// watched while something is taken away behind them, and then let rest: the last one not
// where the mesh stays on. More than may report at once are seen in turns, each of which
// ends one report and begins another.
func reports(reflectors int, meshOff bool) int {
	at := min(reflectors, sessions.MaxReports)
	writes := 2*at + 2*(reflectors-at)
	if !meshOff {
		writes--
	}
	return writes
}
