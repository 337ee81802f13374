package topology

import (
	"cmp"
	"slices"
)

// catchAllBlock is the block whose reflectors serve the clients that have no group
// yet: like every block it meets all others.
const catchAllBlock = 0

// dealer gives every group a block.
type dealer struct {
	d *design
	// held are the points that a standing reflector of the design has; served, by
	// group, those of them that serve it. Those that are moving here from another
	// point serve the groups of both: only what they do not serve tells anything.
	held, moving []bool
	served       map[string][]int
	// load is the number of clients of each point, used the number of groups of
	// each block.
	load, used []int
}

// strides are by how many blocks the next group, by name, is further on. The groups
// of a zone are of one size and follow each other: which stride spreads them best
// depends on the design.
var strides = []int{1, 2, 3, 4, 5, 7, 8, 9}

// deal gives every group a block. From nothing the groups are dealt out in the order
// of their names; and as long as who stands serves what that asks for, it stays so: a
// change that is carried out in part leads on to the same, and whatever else the
// reflectors still serve does not matter. After groups have come or gone the standing
// reflectors tell the blocks of the others; new ones get those with the fewest
// groups, then the least load.
func (q *quorumPlanner) deal(result *quorumResult) {
	w := newDealer(result)
	result.block = nil
	for _, stride := range strides {
		if result.d.points%stride == 0 && stride > 1 {
			continue
		}
		block := map[string]int{}
		for i, group := range result.shares.groups {
			block[group.Name] = i * result.d.points / len(result.shares.groups) * stride % result.d.points
		}
		if most := w.most(block, result.shares.size); w.agrees(block) && (result.block == nil || most < result.most) {
			result.block, result.most = block, most
		}
	}
	if result.block == nil {
		result.block = w.follow(result.shares)
		result.most = w.most(result.block, result.shares.size)
	}
}

// most is the greatest number of sessions that a reflector has.
func (w *dealer) most(block, size map[string]int) int {
	clear(w.load)
	clear(w.used)
	for name, b := range block {
		w.give(b, size[name])
	}
	return slices.Max(w.load) + w.d.points - 1
}

func newDealer(result *quorumResult) *dealer {
	d := result.d
	w := &dealer{
		d: d, held: make([]bool, d.points), moving: make([]bool, d.points), served: map[string][]int{},
		load: make([]int, d.points), used: make([]int, d.points),
	}
	for point, c := range result.at {
		if c == nil {
			continue
		}
		if slices.Contains(pointsOf(d, c.node), point) {
			w.held[point], w.moving[point] = true, moves(c.node)
			for _, group := range servedBy(c.node) {
				w.served[group] = append(w.served[group], point)
			}
		}
	}
	return w
}

// agrees tells whether every standing reflector serves what its point asks for.
func (w *dealer) agrees(block map[string]int) bool {
	for group, b := range block {
		for _, point := range w.d.blocks[b] {
			if w.held[point] && !slices.Contains(w.served[group], point) {
				return false
			}
		}
	}
	return true
}

// follow takes the blocks from who serves the groups.
func (w *dealer) follow(shares partition) map[string]int {
	clear(w.load)
	clear(w.used)
	out := map[string]int{}
	var open []string
	choices := map[string][]int{}
	for _, group := range shares.groups {
		likely := w.likely(group.Name)
		if len(likely) > 1 {
			choices[group.Name] = likely
			open = append(open, group.Name)
			continue
		}
		out[group.Name] = likely[0]
		w.give(likely[0], shares.size[group.Name])
	}
	for _, name := range open {
		out[name] = slices.MinFunc(choices[name], func(a, b int) int {
			return cmp.Or(cmp.Compare(w.used[a], w.used[b]), cmp.Compare(w.peak(a), w.peak(b)),
				cmp.Compare(w.sum(a), w.sum(b)), cmp.Compare(a, b))
		})
		w.give(out[name], shares.size[name])
	}
	return out
}

// likely are the blocks that agree best with who serves the group.
func (w *dealer) likely(group string) []int {
	var out []int
	best := 0
	for b, block := range w.d.blocks {
		// Who is on the block and serves it, less who is and does not.
		agreement := 0
		for _, point := range block {
			switch {
			case !w.held[point]:
			case !slices.Contains(w.served[group], point):
				agreement--
			case !w.moving[point]:
				agreement++
			}
		}
		if len(out) == 0 || agreement > best {
			out, best = out[:0], agreement
		}
		if agreement == best {
			out = append(out, b)
		}
	}
	return out
}

func (w *dealer) give(block, size int) {
	w.used[block]++
	for _, point := range w.d.blocks[block] {
		w.load[point] += size
	}
}

// peak is the load of the block's busiest point, sum that of all.
func (w *dealer) peak(block int) int {
	peak := 0
	for _, point := range w.d.blocks[block] {
		peak = max(peak, w.load[point])
	}
	return peak
}

func (w *dealer) sum(block int) int {
	sum := 0
	for _, point := range w.d.blocks[block] {
		sum += w.load[point]
	}
	return sum
}
