package topology

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every design is what it says: as many blocks as points, blocks of one size,
// every two blocks meet in equally many points, every point is on as many blocks.
func TestDesigns(t *testing.T) {
	t.Parallel()
	for _, d := range designs() {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			if len(d.blocks) != d.points {
				t.Fatalf("%d blocks of %d points", len(d.blocks), d.points)
			}
			on := make([]int, d.points)
			for i, block := range d.blocks {
				if len(slices.Compact(slices.Clone(block))) != d.block || !slices.IsSorted(block) {
					t.Errorf("block %d is %v, want %d sorted points", i, block, d.block)
				}
				for _, point := range block {
					on[point]++
				}
				for j, other := range d.blocks[:i] {
					if got := len(common(block, other)); got != d.meet {
						t.Errorf("blocks %d and %d meet in %d points, want %d", j, i, got, d.meet)
					}
				}
			}
			for point, n := range on {
				if n != d.block {
					t.Errorf("point %d is on %d blocks, want %d", point, n, d.block)
				}
			}
		})
	}
}

// The designs that docs/design/topologies.md promises are there.
func TestDesignsInReach(t *testing.T) {
	t.Parallel()
	got := map[int][]string{}
	for _, d := range designs() {
		if d.points > 100 || d.block > (d.points+1)/2 {
			t.Errorf("%s is of no use", d.name())
		}
		got[d.meet] = append(got[d.meet], d.name())
	}
	want := map[int][]string{
		1: {"7-3", "13-4", "21-5", "31-6", "57-8", "73-9", "91-10"},
		2: {"7-4", "11-5", "16-6", "37-9", "56-11", "79-13"},
		3: {"11-6", "15-7", "25-9", "31-10", "45-12", "71-15"},
	}
	for meet, names := range want {
		if diff := cmp.Diff(names, got[meet]); diff != "" {
			t.Errorf("meeting in %d (-want +got):\n%s", meet, diff)
		}
	}
	for failures := range 11 {
		if !slices.ContainsFunc(designs(), func(d design) bool { return d.meet > failures }) {
			t.Error(fmt.Sprint("no design survives ", failures, " reflectors"))
		}
	}
}
