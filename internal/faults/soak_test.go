package faults

import (
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// TestSoak lets a small cluster live for a simulated day.
func TestSoak(t *testing.T) {
	var out strings.Builder
	s := Soak{Seed: 1, Nodes: 40, For: time.Hour, Until: 26 * time.Hour, Wall: time.Now, Out: &out}
	s.Spec = small(v1alpha1.TopologySingle)
	// One node in four is a reflector, and three or four change their role every hour.
	s.MostSteps, s.MostStatus = 150, 240
	wrong := s.Run()
	if len(wrong) > 0 || s.w.Writes == 0 || len(s.days) == 0 {
		t.Errorf("%v\n%s", wrong, out.String())
	}
	t.Log("\n" + out.String())
}

// BenchmarkSoak is a simulated hour of a large cluster.
func BenchmarkSoak(b *testing.B) {
	for b.Loop() {
		var out strings.Builder
		s := Soak{Seed: 1, Nodes: 1000, For: time.Hour, Until: 2 * time.Hour, Wall: time.Now, Out: &out}
		s.Spec.Topology = v1alpha1.TopologyHierarchy
		if wrong := s.Run(); len(wrong) > 0 {
			b.Fatal(wrong)
		}
	}
}
