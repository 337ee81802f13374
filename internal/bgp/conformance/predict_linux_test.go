package conformance

import (
	"math"
	"testing"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// predict asks the model.
func predict(t *testing.T, in bgp.Input) picture { return predictWithout(t, in, "") }

// predictWithout asks the model for what is left when a node is lost.
func predictWithout(t *testing.T, in bgp.Input, victim string) picture {
	t.Helper()
	network := bgp.Build(in)
	lost := func(node string) bool { return node == victim }
	out := newPicture()
	for i := range in.Nodes {
		node := in.Nodes[i].Name
		if lost(node) {
			continue
		}
		for _, s := range network.SessionsOf(node) {
			if !lost(s.Remote) {
				out.sessions[sessionKey(node, s.Remote, append([]string{s.Name()}, s.Waiting...)...)] = true
			}
		}
		paths, capped := network.PathsTo(node, bgp.IPv4, lost)
		if capped {
			t.Fatalf("the model gives up counting the paths to %s:\n%s", node, describe(in))
		}
		for holder, n := range paths {
			out.paths[bgp.Pair{From: holder, To: node}] = n
		}
	}
	checkSummary(t, in, network, out, lost)
	statistics.add("predictions", 1)
	statistics.add("sessions", len(out.sessions)/2)
	statistics.add("pairs with a route", len(out.paths))
	for _, n := range out.paths {
		if n > 1 {
			statistics.add("pairs with several paths", 1)
		}
	}
	return out
}

// checkPathsPerRoute compares the model's extremes with its pairs.
func checkPathsPerRoute(t *testing.T, in bgp.Input, p picture) {
	t.Helper()
	fewest, most := math.MaxInt, 0
	for i := range in.Nodes {
		for j := range in.Nodes {
			if i != j && birdconf.ClusterID(&in.Nodes[i]) == "" && birdconf.ClusterID(&in.Nodes[j]) == "" {
				n := p.paths[bgp.Pair{From: in.Nodes[i].Name, To: in.Nodes[j].Name}]
				fewest, most = min(fewest, n), max(most, n)
			}
		}
	}
	if fewest == math.MaxInt {
		fewest = 0 // all are reflectors
	}
	if low, high, capped := bgp.Build(in).PathsPerRoute(); low != fewest || high != most || capped {
		t.Errorf("PathsPerRoute = %d, %d, capped %v; the pairs have %d to %d", low, high, capped, fewest, most)
	}
}

// checkSummary compares what the model says of the whole with what it says of
// every pair.
func checkSummary(t *testing.T, in bgp.Input, network *bgp.Network, p picture, lost func(string) bool) {
	t.Helper()
	missing := 0
	for i := range in.Nodes {
		for j := range in.Nodes {
			pair := bgp.Pair{From: in.Nodes[i].Name, To: in.Nodes[j].Name}
			if i != j && !lost(pair.From) && !lost(pair.To) && p.paths[pair] == 0 {
				missing++
			}
		}
	}
	if v := network.Visibility(lost); v.MissingPairs != missing || v.Complete != (missing == 0) {
		t.Errorf("the model's visibility misses %d pairs (complete: %v), its paths miss %d", v.MissingPairs, v.Complete, missing)
	}
}
