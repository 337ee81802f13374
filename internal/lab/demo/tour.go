package demo

import (
	"fmt"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// walked are the topologies of a walk; it starts at the first.
var walked = []v1alpha1.Topology{
	v1alpha1.TopologyMesh, v1alpha1.TopologySingle, v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy,
}

// tour returns the stops of a walk from the mesh. Without from and to it passes
// each ordered pair of topologies exactly once and ends at the mesh again;
// otherwise it goes to the one and on to the other.
func tour(from, to v1alpha1.Topology) ([]v1alpha1.Topology, error) {
	if from == "" && to == "" {
		return everyPair(walked), nil
	}
	for _, t := range []v1alpha1.Topology{from, to} {
		if !slices.Contains(walked, t) {
			return nil, fmt.Errorf("topology %q: a walk goes from one of %v to another; give both ends or neither", t, walked)
		}
	}
	if from == to {
		return nil, fmt.Errorf("a walk from %s to %s goes nowhere", from, to)
	}
	if from == walked[0] {
		return []v1alpha1.Topology{from, to}, nil
	}
	return []v1alpha1.Topology{walked[0], from, to}, nil
}

// everyPair returns a closed walk over all ordered pairs of stops (an Eulerian
// circuit, found as Hierholzer does).
func everyPair(stops []v1alpha1.Topology) []v1alpha1.Topology {
	next := make([]int, len(stops)) // by stop: the offset of the last one it went on to
	var circuit []v1alpha1.Topology
	for trail := []int{0}; len(trail) > 0; {
		at := trail[len(trail)-1]
		if next[at] < len(stops)-1 {
			next[at]++
			trail = append(trail, (at+next[at])%len(stops))
			continue
		}
		circuit = append(circuit, stops[at])
		trail = trail[:len(trail)-1]
	}
	slices.Reverse(circuit)
	return circuit
}
