package simulate_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/simulate"
	"tapetum.dev/tapetum/internal/topology"
)

// The tables of docs/performance.md come from here: tools/performance runs these
// benchmarks and reads their results.

var benchNow = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// benchSizes are numbers of nodes. The policy is the default one but for scaling.max,
// which the largest two need.
var benchSizes = []int{100, 1_000, 5_000, 20_000, 100_000}

const benchZones = 3

func benchPolicy(nodes int) v1alpha1.RouteReflectorAutoscalerSpec {
	spec := v1alpha1.RouteReflectorAutoscalerSpec{ZoneLabel: "topology.kubernetes.io/zone"}
	if nodes > 10_000 {
		// A reflector of Multi has a session with each other one: 500 sessions end at
		// some 20,000 nodes.
		spec.Scaling.Max, spec.Limits.SessionsPerReflector = 500, int32(nodes/20)
	}
	return spec.WithDefaults()
}

func benchNodes(nodes int) []inventory.Node {
	return simulate.Nodes(simulate.Options{Nodes: nodes, Zones: benchZones, ZoneLabel: "topology.kubernetes.io/zone", Now: benchNow})
}

// event changes the nodes of a settled cluster.
type event struct {
	name   string
	change func(*simulate.Settled) []inventory.Node
}

func events(size int) []event {
	return []event{
		{"no-change", func(s *simulate.Settled) []inventory.Node { return s.Nodes }},
		{"reflector-lost", func(s *simulate.Settled) []inventory.Node {
			if len(s.Plan.Reflectors) == 0 {
				return s.Nodes
			}
			lost := s.Plan.Reflectors[len(s.Plan.Reflectors)/2].Node
			return without(s.Nodes, func(n *inventory.Node) bool { return n.Name == lost })
		}},
		{"client-removed", func(s *simulate.Settled) []inventory.Node {
			last := len(s.Nodes) - 1
			for s.Plan.Has(s.Nodes[last].Name) {
				last--
			}
			return without(s.Nodes, func(n *inventory.Node) bool { return n.Name == s.Nodes[last].Name })
		}},
		{"growth-of-1-percent", func(s *simulate.Settled) []inventory.Node {
			more := benchNodes(size + size/100)
			return append(slices.Clone(s.Nodes), more[size:]...)
		}},
		{"zone-lost", func(s *simulate.Settled) []inventory.Node {
			return without(s.Nodes, func(n *inventory.Node) bool { return n.Labels["topology.kubernetes.io/zone"] == "zone-b" })
		}},
	}
}

func without(nodes []inventory.Node, lost func(*inventory.Node) bool) []inventory.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n inventory.Node) bool { return lost(&n) })
}

func BenchmarkEvent(b *testing.B) {
	for _, size := range benchSizes {
		nodes, policy := benchNodes(size), benchPolicy(size)
		b.Run(fmt.Sprintf("%d/from-nothing", size), func(b *testing.B) {
			b.ReportAllocs()
			var plan topology.Plan
			for b.Loop() {
				plan = simulate.Plan(nodes, policy, topology.TagFilterSupport{Cluster: true}, benchNow)
			}
			settled, change := new(simulate.Settled).Then(plan, nodes)
			report(b, &settled, change)
		})
		settled := simulate.Settle(nodes, policy, benchNow)
		for _, event := range events(size) {
			changed := event.change(&settled)
			b.Run(fmt.Sprintf("%d/%s", size, event.name), func(b *testing.B) {
				b.ReportAllocs()
				var plan topology.Plan
				for b.Loop() {
					plan = settled.Replan(changed, policy, benchNow)
				}
				after, change := settled.Then(plan, changed)
				report(b, &after, change)
			})
		}
	}
}

func report(b *testing.B, s *simulate.Settled, change simulate.Change) {
	b.Helper()
	b.ReportMetric(float64(len(s.Plan.Reflectors)), "reflectors")
	b.ReportMetric(float64(len(s.Goal.Peers)), "bgppeers")
	b.ReportMetric(float64(change.Reflectors), "role-writes")
	b.ReportMetric(float64(change.Clients), "client-writes")
	b.ReportMetric(float64(change.Peers), "peer-writes")
}

// BenchmarkProof is the oracle's: to build the network and compute its promise, and to
// prove a step (another BGPPeer that says the same as one that stands).
func BenchmarkProof(b *testing.B) {
	for _, size := range benchSizes {
		settled := simulate.Settle(benchNodes(size), benchPolicy(size), benchNow)
		before := network(&settled)
		b.Run(fmt.Sprintf("%d/promise", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				net := bgp.Build(before)
				if !net.Visibility(nil).Complete || !net.SurvivesReflectors(1) && len(settled.Plan.Reflectors) > 0 {
					b.Fatal("the promise is not kept")
				}
			}
		})
		if len(settled.Plan.Reflectors) == 0 {
			continue
		}
		after := before
		after.Peers = append(slices.Clone(before.Peers), before.Peers[0])
		after.Peers[len(after.Peers)-1].Name = "another"
		seen := everythingUp(bgp.Build(before), &settled)
		b.Run(fmt.Sprintf("%d/step", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if proof := bgp.Prove(before, after, seen, nil, bgp.Limits{ReflectorFailures: 1, PathsPerRoute: 30}); !proof.OK {
					b.Fatal(proof.Reason)
				}
			}
		})
	}
}

func network(s *simulate.Settled) bgp.Input {
	on := len(s.Plan.Reflectors) == 0
	configuration := calico.BGPConfiguration{Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &on}}
	configuration.Name = calico.DefaultConfiguration
	return bgp.Input{Nodes: s.Nodes, Peers: s.Goal.Peers, Filters: s.Goal.Filters, Configurations: []calico.BGPConfiguration{configuration}}
}

func everythingUp(net *bgp.Network, s *simulate.Settled) bgp.Observed {
	seen := bgp.Observed{Up: map[string]map[netip.Addr]bool{}}
	for _, reflector := range s.Plan.Reflectors {
		up := map[netip.Addr]bool{}
		for _, session := range net.SessionsOf(reflector.Node) {
			up[session.RemoteIP] = true
		}
		seen.Up[reflector.Node] = up
	}
	return seen
}
