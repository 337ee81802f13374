package demo

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tapetum.dev/tapetum/api/v1alpha1"
)

func TestTour(t *testing.T) {
	stops, err := tour("", "")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[2]v1alpha1.Topology]bool{}
	for i := range stops[1:] {
		pair := [2]v1alpha1.Topology{stops[i], stops[i+1]}
		if seen[pair] || pair[0] == pair[1] {
			t.Fatalf("%v is walked twice, or is no way: %v", pair, stops)
		}
		seen[pair] = true
	}
	if len(seen) != 20 || stops[0] != v1alpha1.TopologyMesh || stops[20] != v1alpha1.TopologyMesh {
		t.Fatalf("%d ways from %s to %s, want all 20 from the mesh to the mesh", len(seen), stops[0], stops[len(stops)-1])
	}
	for _, tc := range []struct {
		from, to v1alpha1.Topology
		want     []v1alpha1.Topology // nil: refused
	}{
		{"Mesh", "Multi", []v1alpha1.Topology{"Mesh", "Multi"}},
		{"Single", "Multi", []v1alpha1.Topology{"Mesh", "Single", "Multi"}},
		{"Single", "Mesh", []v1alpha1.Topology{"Mesh", "Single", "Mesh"}},
		{"Single", "Single", nil},
		{"Single", "", nil},
		{"Auto", "Mesh", nil},
	} {
		got, err := tour(tc.from, tc.to)
		if (err != nil) != (tc.want == nil) || !slices.Equal(got, tc.want) {
			t.Errorf("from %s to %s: %v, %v; want %v", tc.from, tc.to, got, err, tc.want)
		}
	}
}

func TestWalkOptionsAreChecked(t *testing.T) {
	for name, spoil := range map[string]func(*WalkOptions){
		"nodes":     func(o *WalkOptions) { o.Nodes = 10 },
		"zones":     func(o *WalkOptions) { o.Zones = 0 },
		"reflector": func(o *WalkOptions) { o.NodesPerReflector = 0 },
		"both ends": func(o *WalkOptions) { o.From = "Mesh" },
	} {
		o := WalkOptions{Options: Options{Nodes: 60, Zones: 3}, NodesPerReflector: 10, ReflectorsPerClient: 3}
		spoil(&o)
		if _, err := Walk(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWalkReport(t *testing.T) {
	r := WalkReport{Nodes: 60, Legs: []Leg{{From: "Mesh", To: "Single", Result: Result{Steps: 7, LostOrdinarySeconds: 1.5}, NodeWrites: 3}}}
	path := filepath.Join(t.TempDir(), "walk.json")
	if err := writeReport(path, &r); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Nodes int
		Legs  []map[string]any
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Nodes != 60 || len(got.Legs) != 1 || got.Legs[0]["steps"] != 7.0 || got.Legs[0]["nodeWrites"] != 3.0 || got.Legs[0]["from"] != "Mesh" {
		t.Fatalf("report %s", data)
	}
	if r.lostOrdinary() != 1.5 {
		t.Fatal("a loss is not in the sum")
	}
}
