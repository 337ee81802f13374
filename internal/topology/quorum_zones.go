package topology

import (
	"fmt"
	"slices"
	"sync"
)

// Bounds of the search for a placement, which mostly succeeds at once: they keep it
// below some 100 ms where there is none to be found. It is made once.
const (
	placementStarts = 8
	placementMoves  = 200
)

// meetings are what two blocks share, of each two blocks once: the loss of a zone
// that holds all of a meeting separates the clients of two groups. They are not to be
// changed: a plan asks for them many times, so they are kept.
func (d *design) meetings() [][]int {
	found, known := meetings.Load(d.name())
	if !known {
		found, _ = meetings.LoadOrStore(d.name(), d.findMeetings())
	}
	return found.([][]int)
}

// meetings remembers what findMeetings found, by the name of the design.
var meetings sync.Map

func (d *design) findMeetings() [][]int {
	seen := map[string]bool{}
	var out [][]int
	for i, a := range d.blocks {
		for _, b := range d.blocks[:i] {
			shared := common(a, b)
			key := make([]byte, len(shared))
			for j, point := range shared {
				key[j] = byte(point)
			}
			if !seen[string(key)] {
				seen[string(key)] = true
				out = append(out, shared)
			}
		}
	}
	return out
}

// placement is a zone for each point, by number.
type placement struct {
	zone []int
	// room is how many more points each zone could take.
	room []int
	// bad counts the meetings that lie in one zone. None is bad with one zone.
	bad int

	meetings [][]int
	// through are the meetings through each point.
	through [][]int
	// inside counts the points of each meeting in each zone.
	inside [][]int
}

// unplaced is the zone of a point that has none.
const unplaced = -1

func newPlacement(d *design, zone, room []int) *placement {
	p := &placement{zone: slices.Clone(zone), room: slices.Clone(room), through: make([][]int, d.points)}
	if len(room) < 2 {
		return p
	}
	p.meetings = d.meetings()
	p.inside = make([][]int, len(p.meetings))
	for m, meeting := range p.meetings {
		p.inside[m] = make([]int, len(room))
		for _, point := range meeting {
			p.through[point] = append(p.through[point], m)
			if z := p.zone[point]; z != unplaced {
				p.inside[m][z]++
			}
		}
		if slices.Max(p.inside[m]) == len(meeting) {
			p.bad++
		}
	}
	return p
}

// cost of putting the point, which is in no zone, into one: how many meetings
// become bad. near counts how close the others come, to choose between equals.
func (p *placement) cost(point, zone int) (bad, near int) {
	for _, m := range p.through[point] {
		if p.inside[m][zone] == len(p.meetings[m])-1 {
			bad++
		}
		near += p.inside[m][zone]
	}
	return bad, near
}

// put moves a point to a zone, or (unplaced) out of all.
func (p *placement) put(point, zone int) {
	if old := p.zone[point]; old != unplaced {
		for _, m := range p.through[point] {
			if p.inside[m][old] == len(p.meetings[m]) {
				p.bad--
			}
			p.inside[m][old]--
		}
		p.room[old]++
	}
	p.zone[point] = zone
	if zone == unplaced {
		return
	}
	for _, m := range p.through[point] {
		p.inside[m][zone]++
		if p.inside[m][zone] == len(p.meetings[m]) {
			p.bad++
		}
	}
	p.room[zone]--
}

// fill puts the points that have no zone where they harm least; among equals where
// they were, then in the zone with the fewest points. Those for which there is no
// room stay out.
func (p *placement) fill(were []int) {
	for point, zone := range p.zone {
		if zone != unplaced {
			continue
		}
		if best := p.best(point, were[point]); best != unplaced {
			p.put(point, best)
		}
	}
}

func (p *placement) best(point, was int) int {
	size := make([]int, len(p.room))
	for _, zone := range p.zone {
		if zone != unplaced {
			size[zone]++
		}
	}
	best, least := unplaced, [4]int{}
	for zone, room := range p.room {
		if room < 1 {
			continue
		}
		bad, near := p.cost(point, zone)
		harm := [4]int{bad, 1, size[zone], near}
		if zone == was {
			harm[1] = 0
		}
		if best == unplaced || slices.Compare(harm[:], least[:]) < 0 {
			best, least = zone, harm
		}
	}
	return best
}

// mend moves single points to other zones, each time the one that makes the most
// meetings good, until nothing is gained. Every step leaves fewer bad meetings, so
// that it comes to an end however slowly the moves are carried out.
func (p *placement) mend() {
	for p.bad > 0 {
		point, to, least := p.bestMove()
		if least >= p.bad {
			return
		}
		p.put(point, to)
	}
}

// bestMove is the move of one point that leaves the fewest bad meetings.
func (p *placement) bestMove() (point, to, least int) {
	least, to = len(p.meetings)+1, unplaced
	for at, from := range p.zone {
		if from == unplaced {
			continue
		}
		p.put(at, unplaced)
		for zone, room := range p.room {
			if zone == from || room < 1 {
				continue
			}
			if bad, _ := p.cost(at, zone); p.bad+bad < least {
				least, point, to = p.bad+bad, at, zone
			}
		}
		p.put(at, from)
	}
	return point, to, least
}

// placePoints finds zones for all points of a design, as evenly as the room in the
// zones allows, such that no meeting lies in one zone; ok tells whether it has, and
// else the placement is one with few that do. It is nil where there is too little
// room. It gives the same for the same room.
func placePoints(d *design, room []int) (zone []int, ok bool) {
	sizes := even(d.points, room)
	if sizes == nil {
		return nil, false
	}
	key := fmt.Sprint(d.name(), sizes)
	found, known := placements.Load(key)
	if !known {
		zone, ok := searchPlaces(d, sizes)
		if !ok {
			p := newPlacement(d, slices.Repeat([]int{unplaced}, d.points), sizes)
			p.fill(p.zone)
			zone = p.zone
		}
		found, _ = placements.LoadOrStore(key, foundPlaces{zone, ok})
	}
	zone = slices.Clone(found.(foundPlaces).zone)
	return zone, found.(foundPlaces).ok
}

type foundPlaces struct {
	zone []int
	ok   bool
}

// placements remembers what placePoints found: it depends on nothing else, and
// every plan asks again.
var placements sync.Map

// searchPlaces is a local search: points that are in bad meetings change places with
// the best of the others.
func searchPlaces(d *design, sizes []int) (zone []int, ok bool) {
	if most := slices.Max(sizes); len(sizes) > 1 && (d.meet == 1 || d.meet == 2 && most > 1 || most == d.points) {
		// A point, or each two points, are all that some two blocks share.
		return nil, false
	}
	random := uint32(1)
	for range placementStarts {
		start := make([]int, 0, d.points)
		for z, size := range sizes {
			start = append(start, slices.Repeat([]int{z}, size)...)
		}
		for i := len(start) - 1; i > 0; i-- {
			random = random*1664525 + 1013904223
			j := int(random>>8) % (i + 1)
			start[i], start[j] = start[j], start[i]
		}
		p := newPlacement(d, start, make([]int, len(sizes)))
		for move := 0; p.bad > 0 && move < placementMoves; move++ {
			random = random*1664525 + 1013904223
			p.exchange(int(random >> 8))
		}
		if p.bad == 0 {
			return p.zone, true
		}
	}
	return nil, false
}

// exchange takes one point of a bad meeting and lets it change places with the
// point of another zone that leaves the fewest bad meetings, better or not.
func (p *placement) exchange(random int) {
	var points []int
	for m, meeting := range p.meetings {
		if slices.Max(p.inside[m]) == len(meeting) {
			points = append(points, meeting...)
		}
	}
	point := points[random%len(points)]
	from := p.zone[point]
	best, least := unplaced, 0
	p.put(point, unplaced)
	// Begin anywhere, so that equals are not always decided the same way.
	for i := range p.zone {
		other := (i + random) % len(p.zone)
		to := p.zone[other]
		if other == point || to == from {
			continue
		}
		p.put(other, unplaced)
		p.put(point, to)
		back, _ := p.cost(other, from)
		total := p.bad + back
		p.put(point, unplaced)
		p.put(other, to)
		if best == unplaced || total < least {
			best, least = other, total
		}
	}
	to := p.zone[best]
	p.put(best, unplaced)
	p.put(point, to)
	p.put(best, from)
}

// even deals points out over zones, as evenly as their room allows; nil where it
// is too little.
func even(points int, room []int) []int {
	sizes := make([]int, len(room))
	for range points {
		best := unplaced
		for zone := range room {
			if sizes[zone] < room[zone] && (best == unplaced || sizes[zone] < sizes[best]) {
				best = zone
			}
		}
		if best == unplaced {
			return nil
		}
		sizes[best]++
	}
	return sizes
}
