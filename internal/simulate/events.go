package simulate

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// Settled is a cluster in which a plan has been carried out to its end.
type Settled struct {
	// Nodes with the labels and cluster IDs of the plan.
	Nodes []inventory.Node
	Plan  topology.Plan
	Goal  render.Goal
}

// Change counts what a new plan writes on a cluster that is settled.
type Change struct {
	// Reflectors are patches of nodes that are, were or become route reflectors.
	Reflectors int
	// Clients are patches of other nodes: homes.
	Clients int
	// Peers are BGPPeers and BGPFilters created, patched or deleted.
	Peers int
}

// Settle plans for nodes that carry nothing of Tapetum's, and carries it out.
func Settle(nodes []inventory.Node, policy v1alpha1.RouteReflectorAutoscalerSpec, now time.Time) Settled {
	return settled(Plan(nodes, policy, filtered, now), nodes)
}

// Replan plans again for a settled cluster of which the nodes have changed.
func (s *Settled) Replan(nodes []inventory.Node, policy v1alpha1.RouteReflectorAutoscalerSpec, now time.Time) topology.Plan {
	return planFor(nodes, s.standing(nodes), s.Plan.Topology, policy, filtered, now)
}

// Then carries a new plan out, and counts what it writes.
func (s *Settled) Then(plan topology.Plan, nodes []inventory.Node) (Settled, Change) {
	after := settled(plan, nodes)
	return after, s.change(&after, nodes)
}

// filtered is a Calico that can do the tag filter, on every node.
var filtered = topology.TagFilterSupport{Cluster: true}

func planFor(nodes []inventory.Node, standing []string, previous v1alpha1.Topology, policy v1alpha1.RouteReflectorAutoscalerSpec,
	filter topology.TagFilterSupport, now time.Time) topology.Plan {
	return topology.Make(topology.Request{
		Spec: policy.WithDefaults(), Nodes: nodes, ClusterAS: calico.DefaultASNumber, Now: now, Load: map[string]int{},
		Standing: standing, Previous: previous, TagFilter: filter,
	})
}

func settled(plan topology.Plan, nodes []inventory.Node) Settled {
	bare := slices.Clone(nodes)
	for i := range bare {
		bare[i].Labels = maps.Clone(bare[i].Labels)
		maps.DeleteFunc(bare[i].Labels, func(key, _ string) bool { return strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) })
		bare[i].ClusterID = ""
	}
	goal := render.GoalOf(&plan, bare, calico.DefaultASNumber, render.Options{})
	return Settled{Nodes: goal.Nodes, Plan: plan, Goal: goal}
}

// standing are the reflectors of the plan that are still there, in its order.
func (s *Settled) standing(nodes []inventory.Node) []string {
	there := make(map[string]bool, len(nodes))
	for i := range nodes {
		there[nodes[i].Name] = true
	}
	var out []string
	for _, reflector := range s.Plan.Reflectors {
		if there[reflector.Node] {
			out = append(out, reflector.Node)
		}
	}
	return out
}

func (s *Settled) change(after *Settled, nodes []inventory.Node) Change {
	var c Change
	for i := range after.Nodes {
		was, is := &nodes[i], &after.Nodes[i]
		if was.ClusterID == is.ClusterID && maps.Equal(was.Labels, is.Labels) {
			continue
		}
		if was.ClusterID != "" || is.ClusterID != "" {
			c.Reflectors++
		} else {
			c.Clients++
		}
	}
	before := map[string]calico.BGPPeerSpec{}
	for i := range s.Goal.Peers {
		before[s.Goal.Peers[i].Name] = s.Goal.Peers[i].Spec
	}
	for i := range after.Goal.Peers {
		peer := &after.Goal.Peers[i]
		if spec, stood := before[peer.Name]; !stood || !reflect.DeepEqual(spec, peer.Spec) {
			c.Peers++
		}
		delete(before, peer.Name)
	}
	c.Peers += len(before)
	if len(s.Goal.Filters) != len(after.Goal.Filters) {
		c.Peers++
	}
	return c
}
