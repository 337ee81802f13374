package simulate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/replan"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/simulate"
	"tapetum.dev/tapetum/internal/topology"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func options(nodes, zones int) simulate.Options {
	return simulate.Options{Nodes: nodes, Zones: zones, ZoneLabel: "topology.kubernetes.io/zone", Now: noon}
}

// What Reach gives is what the rollout really ends with, in as many writes.
func TestReachIsWhereTheRolloutLeads(t *testing.T) {
	t.Parallel()
	one := int32(1)
	tests := []struct {
		name    string
		options simulate.Options
		policy  v1alpha1.RouteReflectorAutoscalerSpec
	}{
		{"mesh", options(50, 3), v1alpha1.RouteReflectorAutoscalerSpec{}},
		{"reflectors", options(150, 3), v1alpha1.RouteReflectorAutoscalerSpec{}},
		{"more than zones", options(40, 2), v1alpha1.RouteReflectorAutoscalerSpec{
			Topology: v1alpha1.TopologySingle, Scaling: v1alpha1.Scaling{Min: 5},
		}},
		{"by delay", options(40, 3), v1alpha1.RouteReflectorAutoscalerSpec{
			Topology: v1alpha1.TopologySingle, Rollout: v1alpha1.Rollout{Gate: v1alpha1.GateDelay, SettleSeconds: &one},
		}},
		{"mesh of others", options(40, 3), v1alpha1.RouteReflectorAutoscalerSpec{
			Topology: v1alpha1.TopologySingle, NodeMesh: v1alpha1.NodeMeshUnmanaged,
		}},
		{"dual stack", simulate.Options{Nodes: 30, Zones: 3, ZoneLabel: "topology.kubernetes.io/zone", DualStack: true, Now: noon},
			v1alpha1.RouteReflectorAutoscalerSpec{Topology: v1alpha1.TopologySingle}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			nodes := simulate.Nodes(tt.options)
			goal := simulate.Reach(simulate.Plan(nodes, tt.policy, topology.TagFilterSupport{Cluster: true}, noon), nodes, tt.policy)
			way := replan.Find(replan.Cluster{
				Autoscaler: &v1alpha1.RouteReflectorAutoscaler{Spec: tt.policy}, Nodes: nodes, DatastoreReady: true,
			}, noon)
			if !way.Reached {
				t.Fatalf("the rollout does not reach the goal: %s", way.Held)
			}
			if diff := cmp.Diff(goal.Writes, writes(way.Steps)); diff != "" {
				t.Errorf("writes (-Reach +rollout):\n%s", diff)
			}
			final := bgp.Input{Nodes: way.Final.Nodes, Peers: way.Final.Peers, Configurations: way.Final.Configurations}
			if diff := cmp.Diff(sessions(goal.Network), sessions(final)); diff != "" {
				t.Errorf("sessions (-Reach +rollout):\n%s", diff)
			}
		})
	}
}

func writes(steps []replan.Step) simulate.Writes {
	var out simulate.Writes
	for _, step := range steps {
		switch step.Action {
		case rollout.SetRole, rollout.ClearRole:
			out.Nodes++
		case rollout.CreatePeer, rollout.PatchPeer, rollout.DeletePeer:
			out.BGPPeers++
		default:
			out.Other++
		}
	}
	return out
}

// sessions lists all sessions of all nodes.
func sessions(in bgp.Input) []string {
	network := bgp.Build(in)
	var out []string
	for i := range in.Nodes {
		for _, s := range network.SessionsOf(in.Nodes[i].Name) {
			out = append(out, fmt.Sprintf("%s %s client=%v", s.Local, s.Name(), s.Client))
		}
	}
	slices.Sort(out)
	return out
}

func TestNodes(t *testing.T) {
	t.Parallel()
	nodes := simulate.Nodes(simulate.Options{Nodes: 700, Zones: 30, ZoneLabel: "rack", DualStack: true, Now: noon})
	addresses, zones, controlPlanes := map[string]bool{}, map[string]int{}, 0
	for i := range nodes {
		node := &nodes[i]
		addresses[node.IPv4.String()], addresses[node.IPv6.String()] = true, true
		zones[node.Labels["rack"]]++
		if _, ok := node.Labels["node-role.kubernetes.io/control-plane"]; ok {
			controlPlanes++
		}
		if i > 0 && strings.Compare(nodes[i-1].Name, node.Name) >= 0 {
			t.Errorf("%s comes after %s", node.Name, nodes[i-1].Name)
		}
	}
	if len(addresses) != 1400 || len(zones) != 30 || controlPlanes != 3 {
		t.Errorf("%d addresses, %d zones, %d control planes", len(addresses), len(zones), controlPlanes)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		nodes, zones int
		want         string
	}{
		{1, 1, ""}, {simulate.MaxNodes, simulate.MaxZones, ""},
		{0, 1, "0 nodes: want 1 to 100000"}, {simulate.MaxNodes + 1, 1, "100001 nodes: want 1 to 100000"},
		{1, 0, "0 zones: want 1 to 1000"}, {1, 1001, "1001 zones: want 1 to 1000"},
	} {
		got := ""
		if err := options(tt.nodes, tt.zones).Validate(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%d nodes, %d zones: %q, want %q", tt.nodes, tt.zones, got, tt.want)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to int
		want     []int
	}{
		{100, 5000, []int{100, 200, 500, 1000, 2000, 5000}},
		{150, 700, []int{150, 200, 500, 700}},
		{7, 7, []int{7}},
		{1, 10, []int{1, 2, 5, 10}},
	} {
		if diff := cmp.Diff(tt.want, simulate.Sizes(tt.from, tt.to)); diff != "" {
			t.Errorf("sizes from %d to %d (-want +got):\n%s", tt.from, tt.to, diff)
		}
	}
}
