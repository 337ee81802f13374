package topology_test

import (
	"fmt"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

func TestScratchPlanes(t *testing.T) {
	for _, tt := range []struct{ zones, f int }{{3, 1}, {7, 1}, {12, 1}, {3, 2}, {12, 2}} {
		w := newWorld(20*tt.zones, evenly(tt.zones), shaped(v1alpha1.TopologyHierarchy, int32(tt.f), manyPaths))
		plan := w.plan()
		goal := render.GoalOf(&plan, w.request.Nodes, clusterAS, render.Options{})
		each := max(2, tt.f+1)
		plane := map[string]int{}
		count := map[string]int{}
		for _, r := range plan.Reflectors {
			plane[r.Node] = count[r.ClusterID] % each
			count[r.ClusterID]++
		}
		for i := range goal.Nodes {
			if p, ok := plane[goal.Nodes[i].Name]; ok {
				goal.Nodes[i].Labels["plane"] = fmt.Sprint(p)
			}
		}
		var peers []calico.BGPPeer
		for _, p := range goal.Peers {
			if p.Name != render.RacksName {
				peers = append(peers, p)
				continue
			}
			for i := range each {
				q := p
				q.Name = fmt.Sprintf("%s-%d", p.Name, i)
				q.Spec.NodeSelector += fmt.Sprintf(" && plane == '%d'", i)
				q.Spec.PeerSelector += fmt.Sprintf(" && plane == '%d'", i)
				peers = append(peers, q)
			}
		}
		off := false
		conf := calico.BGPConfiguration{Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off}}
		conf.Name = "default"
		for _, ps := range [][]calico.BGPPeer{goal.Peers, peers} {
			net := bgp.Build(bgp.Input{Nodes: goal.Nodes, Peers: ps, Configurations: []calico.BGPConfiguration{conf}})
			client := w.clientOf(&plan)
			cp, _ := net.PathsTo(client, bgp.IPv4, nil)
			most := 0
			for n, c := range cp {
				if !plan.Has(n) {
					most = max(most, c)
				}
			}
			t.Log(tt, len(plan.Reflectors), "complete", net.Visibility(nil).Complete, "f", net.SurvivesReflectors(tt.f), "zones", net.SurvivesZones(w.zoneOf), "paths", net.Paths(), "client", most, "degree", net.Degree())
		}
	}
}

func TestScratchSpeed(t *testing.T) {
	for _, n := range []int{5000, 20000} {
		for _, kind := range []v1alpha1.Topology{v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy} {
			w := newWorld(n, evenly(3), shaped(kind, 1, manyPaths, func(s *policy) { s.Limits.SessionsPerReflector = int32(n / 4) }))
			start := time.Now()
			plan := w.plan()
			first := time.Since(start)
			w.carryOut(&plan)
			start = time.Now()
			_ = topology.Make(w.request)
			t.Log(n, kind, len(plan.Reflectors), len(plan.Groups), first, time.Since(start), plan.Problems)
		}
	}
}
