package topology

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// evenRoom is room for all points in every zone.
func evenRoom(zones int) []int { return slices.Repeat([]int{100}, zones) }

// badMeetings counts, from the blocks alone, the pairs of blocks that share nothing
// outside one zone.
func badMeetings(d *design, zone []int) int {
	bad := 0
	for i, a := range d.blocks {
		for _, b := range d.blocks[:i] {
			seen := map[int]bool{}
			for _, point := range common(a, b) {
				seen[zone[point]] = true
			}
			if len(seen) == 1 {
				bad++
			}
		}
	}
	return bad
}

func designNamed(t *testing.T, name string) *design {
	t.Helper()
	for i := range designs() {
		if designs()[i].name() == name {
			return &designs()[i]
		}
	}
	t.Fatalf("no design %s", name)
	return nil
}

// What the search calls a placement is one: even, and every two blocks meet in two
// zones. It gives the same each time.
func TestPlacements(t *testing.T) {
	t.Parallel()
	found := map[int][]string{}
	for i := range designs() {
		d := &designs()[i]
		for _, zones := range []int{2, 3, 4, 7} {
			t.Run(fmt.Sprintf("%s over %d zones", d.name(), zones), func(t *testing.T) {
				zone, ok := placePoints(d, evenRoom(zones))
				if !ok {
					return
				}
				found[zones] = append(found[zones], d.name())
				size := make([]int, zones)
				for _, z := range zone {
					size[z]++
				}
				if slices.Max(size)-slices.Min(size) > 1 {
					t.Errorf("zones of %v points", size)
				}
				if bad := badMeetings(d, zone); bad > 0 {
					t.Errorf("%d pairs of blocks meet in one zone", bad)
				}
				again, _ := searchPlaces(d, even(d.points, evenRoom(zones)))
				if diff := cmp.Diff(zone, again); diff != "" {
					t.Errorf("another search gives another placement:\n%s", diff)
				}
			})
		}
	}
	for zones, want := range map[int]string{2: "23-12", 3: "15-7", 4: "11-6", 7: "7-4"} {
		if len(found[zones]) == 0 || found[zones][0] != want {
			t.Errorf("over %d zones: %v, want %s first", zones, found[zones], want)
		}
	}
}

// No line of 15-7 lies in a zone; the smaller designs cannot be placed over three
// zones, and none whose blocks meet in one point over any.
func TestNoPlacement(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		design string
		room   []int
		want   bool
	}{
		{"15-7", evenRoom(3), true},
		{"15-7", []int{5, 5, 5}, true},
		{"15-7", []int{4, 5, 5}, false}, // too little room
		{"15-7", []int{100, 0, 0}, false},
		{"15-7", evenRoom(2), false},
		{"15-7", evenRoom(1), true},
		{"7-3", evenRoom(7), false},
		{"7-4", evenRoom(6), false},
		{"7-4", evenRoom(7), true},
		{"7-4", evenRoom(9), true},
		{"11-6", evenRoom(3), false},
	} {
		_, ok := placePoints(designNamed(t, tt.design), tt.room)
		if ok != tt.want {
			t.Errorf("%s in zones with room for %v: found %v, want %v", tt.design, tt.room, ok, tt.want)
		}
	}
}

// A placement counts its bad meetings right whatever is moved, and mending it never
// makes them more.
func TestPlacementCounts(t *testing.T) {
	t.Parallel()
	d := designNamed(t, "15-7")
	zone := make([]int, d.points)
	p := newPlacement(d, zone, []int{0, 9, 9})
	for i := range 60 {
		point := i * 7 % d.points
		p.put(point, unplaced)
		p.put(point, i%3)
		lines := 0
		for _, meeting := range d.meetings() {
			in := map[int]bool{}
			for _, point := range meeting {
				in[p.zone[point]] = true
			}
			if len(in) == 1 {
				lines++
			}
		}
		if p.bad != lines {
			t.Fatalf("after move %d: %d bad meetings counted, there are %d", i, p.bad, lines)
		}
	}
	p = newPlacement(d, zone, []int{0, 9, 9})
	before := p.bad
	p.mend()
	if p.bad >= before {
		t.Errorf("mending leaves %d of %d bad meetings", p.bad, before)
	}
	if bad := badMeetings(d, p.zone); (bad > 0) != (p.bad > 0) {
		t.Errorf("%d pairs of blocks meet in one zone, %d bad meetings are counted", bad, p.bad)
	}
}
