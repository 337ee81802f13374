package replan_test

import (
	"fmt"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/replan"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/simulate"
	"tapetum.dev/tapetum/internal/topology"
)

// TestMeshToMultiKeepsItsPlan: a rollout from the mesh promotes the reflectors of its
// first plan, and no other: planning anew after each step does not change its mind.
func TestMeshToMultiKeepsItsPlan(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	sizes := []int{510, 600, 1000, 1500}
	if !testing.Short() {
		sizes = append(sizes, 2000, 3000)
	}
	for _, size := range sizes {
		for zones := 1; zones <= 4; zones++ {
			t.Run(fmt.Sprintf("%d nodes in %d zones", size, zones), func(t *testing.T) {
				t.Parallel()
				policy := &v1alpha1.RouteReflectorAutoscaler{Spec: v1alpha1.RouteReflectorAutoscalerSpec{Topology: v1alpha1.TopologyMulti}}
				nodes := simulate.Nodes(simulate.Options{Nodes: size, Zones: zones, ZoneLabel: "topology.kubernetes.io/zone", Now: now})
				filter := topology.TagFilterSupport{Cluster: true}
				want := len(simulate.Plan(nodes, policy.Spec, filter, now).Reflectors)
				way := replan.Find(replan.Cluster{Autoscaler: policy, Nodes: nodes, DatastoreReady: true, TagFilter: filter}, now)
				if !way.Reached {
					t.Fatalf("stuck: %s", way.Held)
				}
				roles := map[string]int{}
				for _, step := range way.Steps {
					if step.Action == rollout.SetRole || step.Action == rollout.ClearRole {
						roles[step.Object]++
					}
				}
				for node, writes := range roles {
					if writes != 1 {
						t.Errorf("%s is written %d times", node, writes)
					}
				}
				if len(roles) != want || int(way.Status.ReflectorCount) != want {
					t.Errorf("%d nodes got the role and %d have it, planned were %d", len(roles), way.Status.ReflectorCount, want)
				}
			})
		}
	}
}
