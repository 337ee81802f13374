package cli

import (
	"fmt"
	"io"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/dump"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/topology"
)

// topologyStory is what explain topology tells.
type topologyStory struct {
	// Asked is what the policy asks for, Topology what it makes of the cluster.
	Asked    v1alpha1.Topology `json:"asked"`
	Topology v1alpha1.Topology `json:"topology"`
	Nodes    int               `json:"nodes"`
	Why      string            `json:"why"`
	// NextBorder is the number of nodes from which on Auto would choose NextTopology.
	NextBorder   int               `json:"nextBorder,omitempty"`
	NextTopology v1alpha1.Topology `json:"nextTopology,omitempty"`
	Options      []optionStory     `json:"options"`
	Problems     []string          `json:"problems,omitempty"`
}

// optionStory is a topology that was weighed.
type optionStory struct {
	Topology   v1alpha1.Topology `json:"topology"`
	Reflectors int               `json:"reflectors"`
	Sessions   int               `json:"sessionsPerReflector"`
	Paths      int               `json:"pathsPerRoute"`
	BGPPeers   int               `json:"bgpPeers"`
	Writes     int               `json:"labelWrites"`
	// Cost in milliseconds of CPU on every node for a change of one.
	Cost float64 `json:"cost"`
	// Problem says why it cannot be; "" where it can.
	Problem string `json:"problem,omitempty"`
}

func explainTopology(c *dump.Cluster, policy v1alpha1.RouteReflectorAutoscalerSpec, now time.Time) (*topologyStory, error) {
	request := planRequest(c, policy, now)
	options, err := topology.Weigh(request)
	if err != nil {
		return nil, err
	}
	plan := topology.Make(request)
	told := &topologyStory{
		Asked: policy.Topology, Topology: plan.Topology, Nodes: plan.Nodes, Why: plan.Why,
		NextBorder: plan.NextBorder, NextTopology: plan.NextTopology, Options: []optionStory{},
	}
	for _, option := range options {
		told.Options = append(told.Options, optionStory{
			Topology: option.Topology, Reflectors: option.Reflectors, Sessions: option.Sessions, Paths: option.Paths,
			BGPPeers: option.BGPPeers, Writes: option.Writes, Cost: float64(option.Cost/100_000) / 10, Problem: option.Problem,
		})
	}
	for _, problem := range plan.Problems {
		told.Problems = append(told.Problems, problem.Message)
	}
	return told, nil
}

// planRequest asks for the plan that the controller would make of the cluster, as far
// as the input tells. The load of nodes is not known, so among equals another may be
// chosen in the end.
func planRequest(c *dump.Cluster, policy v1alpha1.RouteReflectorAutoscalerSpec, now time.Time) topology.Request {
	request := topology.Request{
		Spec: policy, Nodes: c.Nodes, ClusterAS: calico.GlobalAS(c.Configurations), Now: now, Load: map[string]int{},
		Standing: render.Read(c.Nodes, c.Peers, c.Statuses).Reflectors, TagFilter: c.TagFilter,
	}
	if c.Autoscaler == nil {
		return request
	}
	if plan := c.Autoscaler.Status.Plan; plan != nil {
		request.Chosen, request.Previous = plan.Reflectors, plan.Topology
	}
	request.Clocks = rollout.Clocks(&c.Autoscaler.Status)
	request.Unreliable = rollout.Unreliable(request.Clocks)
	return request
}

func (t *topologyStory) print(w io.Writer) error {
	text := fmt.Sprintf("%s, topology %s\n%s\n", counted(t.Nodes, "node"), t.Topology, wrap("  ", t.Why+"."))
	if t.NextBorder > 0 {
		text += fmt.Sprintf("  From %s on Auto would choose %s.\n", counted(t.NextBorder, "node"), t.NextTopology)
	}
	if _, err := io.WriteString(w, text+"\n"); err != nil {
		return err
	}
	rows := [][]string{{"TOPOLOGY", "REFLECTORS", "MAX SESSIONS", "PATHS", "BGPPEERS", "LABEL WRITES", "COST", "OR WHY NOT"}}
	for _, o := range t.Options {
		rows = append(rows, o.row(t.Topology))
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	for _, problem := range t.Problems {
		if _, err := io.WriteString(w, "\nNeeds attention\n"+wrap("  ", problem)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// row of the table. Where a topology has no size it has no numbers.
func (o optionStory) row(chosen v1alpha1.Topology) []string {
	name := string(o.Topology)
	if o.Topology == chosen {
		name += " *"
	}
	number := func(n int, known bool) string {
		if !known {
			return "-"
		}
		return fmt.Sprint(n)
	}
	known := o.Sessions > 0
	cost, why := "-", o.Problem
	if o.Cost > 0 {
		cost = fmt.Sprintf("%.1f ms", o.Cost)
	}
	if why == "" {
		why = "-"
	}
	return []string{
		name, number(o.Reflectors, known), number(o.Sessions, known), number(o.Paths, known),
		number(o.BGPPeers, known), number(o.Writes, known), cost, why,
	}
}
