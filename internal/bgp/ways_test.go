package bgp

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestWays(t *testing.T) {
	tests := []struct {
		name           string
		in             Input
		origin, holder int
		want           []Way
	}{
		{"direct", newInput(3, 1).withMesh(true), 0, 1, []Way{{}}},
		{"by each reflector", singleID(2, 2), 2, 3, []Way{{"n000"}, {"n001"}}},
		{"none", newInput(3, 1), 0, 1, nil},
		{"over the spine", hierarchy(2, 1, 1), 3, 5, []Way{{"n000", "n002", "n001"}}},
		{"mesh and reflector", singleID(1, 2).withMesh(true), 1, 2, []Way{{"n000"}, {}}},
		{"to itself", singleID(1, 2), 1, 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ways, count, capped := Build(tt.in).Ways(nodeName(tt.origin), nodeName(tt.holder), IPv4, 10)
			if diff := cmp.Diff(tt.want, ways); diff != "" || count != len(tt.want) || capped {
				t.Errorf("%d ways, capped %v (-want +got):\n%s", count, capped, diff)
			}
		})
	}
	if ways, count, _ := Build(full(5)).Ways(nodeName(5), nodeName(6), IPv4, 7); len(ways) != 7 || count != 99 {
		t.Errorf("%d ways of %d, want 7 of 99", len(ways), count)
	}
}

// The order in which things are listed means nothing.
func TestOrderOfInputDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, 6)
		shuffled := in
		shuffled.Nodes = rapid.Permutation(slices.Clone(in.Nodes)).Draw(t, "nodes")
		shuffled.Peers = rapid.Permutation(slices.Clone(in.Peers)).Draw(t, "peers")
		shuffled.Filters = rapid.Permutation(slices.Clone(in.Filters)).Draw(t, "filters")
		one, _ := json.Marshal(Build(in).Report(ReportOptions{ZoneLabel: "a"}))
		other, _ := json.Marshal(Build(shuffled).Report(ReportOptions{ZoneLabel: "a"}))
		if diff := cmp.Diff(string(one), string(other)); diff != "" {
			t.Fatalf("reports differ:\n%s", diff)
		}
	})
}
