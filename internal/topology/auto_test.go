package topology

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
)

const (
	toMesh      = v1alpha1.TopologyMesh
	toSingle    = v1alpha1.TopologySingle
	toMulti     = v1alpha1.TopologyMulti
	toQuorum    = v1alpha1.TopologyQuorum
	toHierarchy = v1alpha1.TopologyHierarchy
)

// evenly are the counts of a cluster of nodes that are all able, dealt out over zones.
func evenly(nodes, zones int) counts {
	c := counts{nodes: nodes, able: nodes, filtering: nodes, zoned: true}
	for i := range zones {
		n := (nodes + i) / zones
		c.zones = append(c.zones, zoneCount{n, n, n})
		c.racks = append(c.racks, rackCount{n, n})
	}
	return c
}

var withFilter = TagFilterSupport{Cluster: true}
var withoutFilter = TagFilterSupport{Why: "Calico v3.31.0 has no communities in BGPFilter, v3.32 has"}

func policy(change ...func(*v1alpha1.RouteReflectorAutoscalerSpec)) *v1alpha1.RouteReflectorAutoscalerSpec {
	var spec v1alpha1.RouteReflectorAutoscalerSpec
	for _, f := range change {
		f(&spec)
	}
	spec = spec.WithDefaults()
	return &spec
}

// pass is one pass of the planner over a cluster of so many nodes.
func pass(spec *v1alpha1.RouteReflectorAutoscalerSpec, c counts, support TagFilterSupport, previous v1alpha1.Topology, now time.Time, clocks map[string]time.Time) (v1alpha1.Topology, map[string]time.Time) {
	request := Request{Spec: *spec, Previous: previous, TagFilter: support, Now: now, Clocks: clocks}
	if previous != toMesh {
		request.Standing = []string{"some"}
	}
	plan := Plan{Nodes: c.nodes, Clocks: map[string]time.Time{}}
	return choose(request, &c, &plan)[0], plan.Clocks
}

// TestAutoBySize: what Auto takes for a cluster that comes from the mesh.
func TestAutoBySize(t *testing.T) {
	for _, test := range []struct {
		name    string
		spec    *v1alpha1.RouteReflectorAutoscalerSpec
		support TagFilterSupport
		zones   int
		want    map[int]v1alpha1.Topology
	}{
		{"with the tag filter", policy(), withFilter, 3, map[int]v1alpha1.Topology{
			1: toMesh, 100: toMesh, 101: toSingle, 501: toSingle, 502: toMulti, 1000: toMulti, 5000: toMulti, 10000: toMulti, 13_366: toMulti, 13_367: toHierarchy,
		}},
		{"in one zone", policy(), withFilter, 1, map[int]v1alpha1.Topology{
			1: toMesh, 100: toMesh, 101: toSingle, 501: toSingle, 502: toMulti, 5000: toMulti, 10000: toMulti,
		}},
		{"without", policy(), withoutFilter, 3, map[int]v1alpha1.Topology{
			100: toMesh, 101: toSingle, 501: toSingle, 502: toQuorum, 1041: toQuorum, 2300: toHierarchy, 5000: toHierarchy, 23_905: toHierarchy,
		}},
		{"without, where no zone can be lost by a design", policy(), withoutFilter, 2, map[int]v1alpha1.Topology{
			501: toSingle, 502: toHierarchy, 2000: toHierarchy,
		}},
		{"more sessions allowed", policy(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Limits.SessionsPerReflector = 1000
		}), withFilter, 3, map[int]v1alpha1.Topology{501: toSingle, 700: toSingle, 1002: toMulti}},
		{"so many reflectors that each client is better off with a few", policy(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			ratio := int32(40)
			s.Scaling.NodesPerReflector = &ratio
		}), withFilter, 3, map[int]v1alpha1.Topology{101: toSingle, 480: toMulti}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := map[int]v1alpha1.Topology{}
			for nodes := range test.want {
				got[nodes], _ = pass(test.spec, evenly(nodes, test.zones), test.support, toMesh, noon, nil)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error("(-want +got):\n", diff)
			}
		})
	}
}

// TestAutoKeepsThePromise: whatever the cluster and the limits, what Auto weighs as
// possible keeps to them.
func TestAutoKeepsThePromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		failures := int32(rapid.IntRange(0, 3).Draw(t, "failures"))
		spec := policy(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
			s.Limits.SessionsPerReflector = int32(rapid.IntRange(2, 1000).Draw(t, "sessions"))
			s.Limits.PathsPerRoute = int32(rapid.IntRange(1, 60).Draw(t, "paths"))
			s.Limits.ReflectorFailures = &failures
			s.ReflectorsPerClient = int32(rapid.IntRange(1, 6).Draw(t, "homes"))
			s.Scaling.Max = int32(rapid.IntRange(3, 100).Draw(t, "max"))
		})
		c := evenly(rapid.IntRange(0, 20_000).Draw(t, "nodes"), rapid.IntRange(1, 7).Draw(t, "zones"))
		c.able = rapid.IntRange(0, c.nodes).Draw(t, "able")
		for _, option := range ranked(weigh(spec, &c, withFilter)) {
			switch {
			case option.Sessions > int(spec.Limits.SessionsPerReflector),
				option.Paths > int(spec.Limits.PathsPerRoute),
				option.Reflectors > int(spec.Scaling.Max), option.Reflectors > c.able,
				option.Homes <= int(failures):
				t.Fatalf("%+v does not keep to %+v, f %d with %+v", option, spec.Limits, failures, c)
			}
		}
	})
}

// TestAutoBorders: what is said to be the next border is where the choice changes.
func TestAutoBorders(t *testing.T) {
	type step struct {
		From, To v1alpha1.Topology
		At       int
	}
	for name, test := range map[string]struct {
		spec    *v1alpha1.RouteReflectorAutoscalerSpec
		support TagFilterSupport
		zones   int
		want    []step
	}{
		// 100 reflectors are two on the spine and 49 pairs of 498 clients each: of three
		// zones only one can have 17 pairs, and 7,969 clients. Where the next border is
		// asked for, the zones grow in proportion, which rounds differently.
		"with the tag filter": {policy(), withFilter, 3, []step{
			{toMesh, toSingle, 101}, {toSingle, toMulti, 502}, {toMulti, toHierarchy, 13_367}, {toHierarchy, nothing, 23_904},
		}},
		"without": {policy(), withoutFilter, 3, []step{
			{toMesh, toSingle, 101}, {toSingle, toQuorum, 502}, {toQuorum, toHierarchy, 1_419}, {toHierarchy, nothing, 23_906},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			spec, long := test.spec, map[string]time.Time{ClockTopology: noon.Add(-time.Hour)}
			var got []step
			current, nodes := toMesh, 10
			for current != nothing && len(got) < 10 {
				c := evenly(nodes, test.zones)
				at, to := border(spec, &c, test.support, current)
				got = append(got, step{current, to, at})
				if to != nothing {
					just, _ := pass(spec, c.grown(at-1), test.support, current, noon, long)
					there, _ := pass(spec, c.grown(at), test.support, current, noon, long)
					if just != current || there != to {
						t.Errorf("one node before the border at %d it is %s, there %s: want %s and %s", at, just, there, current, to)
					}
				}
				current, nodes = to, at
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error("(-want +got):\n", diff)
			}
		})
	}
}

// TestAutoHysteresis: a cluster that hovers around a border, for whatever time and in
// whatever steps, changes its topology at most once.
func TestAutoHysteresis(t *testing.T) {
	for name, support := range map[string]TagFilterSupport{"with the tag filter": withFilter, "without": withoutFilter} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				spec := policy(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
					s.Limits.SessionsPerReflector = int32(rapid.SampledFrom([]int{150, 300, 500, 800}).Draw(t, "sessions"))
				})
				zones := rapid.IntRange(1, 5).Draw(t, "zones")
				// Go up border by border to one of them.
				center, current := 10, toMesh
				for range rapid.IntRange(1, 4).Draw(t, "border") {
					c := evenly(center, zones)
					at, to := border(spec, &c, support, current)
					if to == nothing {
						break
					}
					center, current = at, to
				}
				nodes, now := center, noon
				var clocks map[string]time.Time
				current, _ = pass(spec, evenly(nodes, zones), support, toMesh, now, nil)
				way := []string{fmt.Sprintf("%d nodes: %s", nodes, current)}
				for range 60 {
					nodes = rapid.IntRange(center*91/100, center*109/100).Draw(t, "nodes")
					now = now.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "seconds")) * time.Second)
					var next v1alpha1.Topology
					next, clocks = pass(spec, evenly(nodes, zones), support, current, now, clocks)
					if next != current {
						way = append(way, fmt.Sprintf("%d nodes: %s", nodes, next))
					}
					current = next
				}
				if len(way) > 2 {
					t.Fatalf("around %d nodes in %d zones: %v", center, zones, way)
				}
			})
		})
	}
}

// TestAutoWaits: only what has been outgrown is left at once.
func TestAutoWaits(t *testing.T) {
	spec := policy()
	long := map[string]time.Time{ClockTopology: noon.Add(-time.Hour)}
	short := map[string]time.Time{ClockTopology: noon.Add(-599 * time.Second)}
	few := func(nodes, filtering int) counts {
		c := evenly(nodes, 3)
		c.filtering = filtering
		return c
	}
	for _, test := range []struct {
		name     string
		counts   counts
		support  TagFilterSupport
		previous v1alpha1.Topology
		clocks   map[string]time.Time
		want     v1alpha1.Topology
		waits    bool
	}{
		{"outgrown: at once", evenly(502, 3), withFilter, toSingle, nil, toMulti, false},
		{"the filter is not known for a moment: waits", evenly(2000, 3), withoutFilter, toMulti, nil, toMulti, true},
		{"for just not the window: waits", evenly(2000, 3), withoutFilter, toMulti, short, toMulti, true},
		{"for the window: leaves", evenly(2000, 3), withoutFilter, toMulti, long, toHierarchy, true},
		{"nodes that carry the filter are away: waits", few(2000, 5), withFilter, toMulti, nil, toMulti, true},
		{"back at the border: stays", evenly(501, 3), withFilter, toMulti, long, toMulti, false},
		{"above 80 % of it: stays", evenly(402, 3), withFilter, toMulti, long, toMulti, false},
		{"below: waits", evenly(401, 3), withFilter, toMulti, nil, toMulti, true},
		{"below for the window: goes back", evenly(401, 3), withFilter, toMulti, long, toSingle, true},
		{"the filter has come, Quorum is dearer: waits", evenly(700, 3), withFilter, toQuorum, nil, toQuorum, true},
		{"for the window: goes over", evenly(700, 3), withFilter, toQuorum, long, toMulti, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, clocks := pass(spec, test.counts, test.support, test.previous, noon, test.clocks)
			if _, waits := clocks[ClockTopology]; got != test.want || waits != test.waits {
				t.Errorf("%s, the clock runs: %v; want %s, %v", got, waits, test.want, test.waits)
			}
		})
	}
}
