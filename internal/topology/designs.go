package topology

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"sync"
)

// design is a symmetric block design: as many blocks as points, every block of as
// many points, and each two blocks meet in as many points. In Quorum the points
// are reflectors, and the clients of a group peer with the points of one block.
type design struct {
	points, block, meet int
	// blocks are the points of each block, sorted.
	blocks [][]int
}

// name tells the designs apart, such as 15-7.
func (d *design) name() string { return fmt.Sprintf("%d-%d", d.points, d.block) }

// designs are all that are in reach of scaling.max, the fewest points first, then
// the smallest block. Left out are blocks of more than half of the points (rounded
// up): every reflector would have nearly every client, as in Single.
//
// Sources: the difference sets are the classical ones of Singer (projective
// geometries), Paley (quadratic residues), Stanton and Sprott (twin primes) and
// Lehmer (quartic residues modulo 37); 45-12 is McFarland's; 56-11 is the Gewirtz
// graph with loops. 16-6, 25-9, 31-10, 71-15 and 79-13 (Aschbacher's) come from searches of
// our own for designs with an automorphism of order 4, 3, 7, 7 and 11. The test counts every meeting of every design.
var designs = sync.OnceValue(func() []design {
	out := []design{
		// Lines of projective planes.
		cyclic(7, 0, 1, 3),
		cyclic(13, 0, 1, 3, 9),
		cyclic(21, 0, 1, 4, 14, 16),
		cyclic(31, 0, 1, 3, 8, 12, 18),
		cyclic(57, 0, 1, 3, 13, 32, 36, 43, 52),
		cyclic(73, 0, 1, 3, 7, 15, 31, 36, 54, 63),
		cyclic(91, 0, 1, 3, 9, 27, 49, 56, 61, 77, 81),
		// Planes of projective spaces.
		cyclic(15, 0, 1, 2, 4, 5, 8, 10),
		cyclic(40, 1, 2, 3, 9, 17, 19, 24, 26, 29, 30, 35, 38, 39),
		// Two blocks meet in two points.
		developed(16, 4, []int{0, 6, 10, 12, 13, 15}, []int{0, 4, 5, 7, 10, 14}, []int{0, 6, 8, 9, 11, 14}, []int{0, 1, 2, 5, 9, 13}),
		cyclic(37, 1, 7, 9, 10, 12, 16, 26, 33, 34),
		gewirtz(),
		developed(79, 11, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 77, 78}, []int{11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 77, 78},
			[]int{0, 11, 23, 32, 36, 41, 46, 53, 60, 61, 70, 73, 77}, []int{0, 11, 25, 27, 37, 42, 45, 49, 58, 59, 67, 75, 78},
			[]int{0, 4, 16, 21, 39, 43, 45, 47, 48, 50, 56, 70, 71}, []int{0, 1, 15, 19, 23, 26, 51, 52, 56, 58, 62, 64, 69},
			[]int{0, 3, 12, 13, 31, 34, 36, 57, 65, 69, 71, 75, 76}, []int{0, 9, 14, 17, 26, 27, 30, 31, 38, 47, 53, 72, 74},
			[]int{0, 5, 18, 20, 24, 29, 34, 35, 37, 38, 48, 60, 64}),
		// In three.
		developed(25, 3, []int{0, 1, 2, 3, 4, 5, 6, 7, 8},
			[]int{0, 1, 3, 12, 14, 17, 19, 20, 21}, []int{3, 4, 7, 13, 16, 17, 20, 23, 24},
			[]int{0, 6, 8, 10, 13, 14, 20, 22, 24}, []int{3, 4, 6, 10, 11, 13, 18, 19, 21},
			[]int{0, 4, 8, 11, 12, 16, 21, 22, 23}, []int{0, 6, 7, 9, 15, 16, 18, 20, 21},
			[]int{0, 5, 7, 10, 11, 12, 13, 15, 17}, []int{0, 1, 4, 9, 10, 15, 19, 23, 24}),
		developed(31, 7,
			[]int{0, 1, 7, 8, 14, 17, 21, 23, 25, 28}, []int{0, 1, 10, 12, 18, 20, 23, 26, 27, 29},
			[]int{0, 3, 11, 13, 15, 18, 23, 24, 25, 30}, []int{0, 2, 4, 9, 12, 13, 16, 17, 18, 21},
			[]int{0, 1, 2, 3, 4, 5, 6, 28, 29, 30}, []int{7, 8, 9, 10, 11, 12, 13, 28, 29, 30},
			[]int{14, 15, 16, 17, 18, 19, 20, 28, 29, 30}),
		mcFarland(),
		developed(71, 7,
			[]int{0, 7, 28, 29, 35, 37, 42, 46, 53, 55, 57, 61, 65, 66, 70}, []int{0, 7, 15, 16, 18, 22, 23, 25, 31, 41, 47, 52, 62, 68, 70},
			[]int{8, 9, 11, 15, 16, 18, 33, 38, 48, 51, 55, 60, 61, 64, 66}, []int{3, 5, 6, 15, 16, 18, 28, 30, 35, 39, 42, 43, 54, 59, 69},
			[]int{0, 10, 12, 20, 24, 25, 35, 38, 41, 43, 46, 48, 59, 60, 67}, []int{0, 10, 13, 19, 22, 27, 29, 30, 33, 42, 47, 48, 50, 64, 69},
			[]int{0, 12, 13, 17, 23, 26, 28, 31, 33, 37, 38, 39, 51, 54, 58}, []int{0, 3, 11, 14, 22, 24, 39, 45, 48, 49, 53, 54, 55, 62, 63},
			[]int{0, 6, 8, 14, 23, 27, 33, 34, 43, 49, 56, 57, 59, 61, 68}, []int{0, 5, 9, 14, 25, 26, 30, 38, 40, 52, 56, 63, 65, 66, 69},
			[]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 70}),
		twinPrimes(5),
	}
	for _, prime := range []int{11, 19, 23, 31, 43, 47} {
		out = append(out, cyclic(prime, residues(prime)...))
	}
	for _, d := range out {
		if 2*d.block+1 == d.points {
			out = append(out, d.complement())
		}
	}
	slices.SortFunc(out, func(a, b design) int {
		return cmp.Or(cmp.Compare(a.points, b.points), cmp.Compare(a.block, b.block))
	})
	return out
})

// newDesign sorts the blocks' points and counts what two blocks share.
func newDesign(points int, blocks [][]int) design {
	for _, block := range blocks {
		slices.Sort(block)
	}
	return design{points, len(blocks[0]), len(common(blocks[0], blocks[1])), blocks}
}

// cyclic is the design whose blocks are the translates of a difference set.
func cyclic(points int, set ...int) design { return developed(points, points, set) }

// developed turns base blocks modulo p: the points are rows of p, of which each is
// turned in itself, and points left over, which stay. A block that turns into
// itself is there once.
func developed(points, p int, bases ...[]int) design {
	turned := points - points%p
	var blocks [][]int
	for _, base := range bases {
		for shift := range p {
			var block []int
			for _, point := range base {
				if point < turned {
					point = point/p*p + (point%p+shift)%p
				}
				block = append(block, point)
			}
			slices.Sort(block)
			if shift == 0 || !slices.Equal(block, blocks[len(blocks)-1]) {
				blocks = append(blocks, block)
			}
		}
	}
	return newDesign(points, blocks)
}

// complement has the points that are not in a block as its blocks.
func (d *design) complement() design {
	blocks := make([][]int, d.points)
	for i, block := range d.blocks {
		for point := range d.points {
			if !slices.Contains(block, point) {
				blocks[i] = append(blocks[i], point)
			}
		}
	}
	return newDesign(d.points, blocks)
}

// residues are the squares modulo a prime.
func residues(prime int) []int {
	var out []int
	for i := 1; i <= prime/2; i++ {
		out = append(out, i*i%prime)
	}
	return out
}

// twinPrimes is the design of a prime and the next odd number, a prime too:
// numbers that are squares modulo both, or modulo neither, or 0 modulo the larger.
func twinPrimes(prime int) design {
	twin := prime + 2
	var set []int
	for i := range prime * twin {
		square := slices.Contains(residues(prime), i%prime) == slices.Contains(residues(twin), i%twin)
		if i%twin == 0 || i%prime != 0 && square {
			set = append(set, i)
		}
	}
	return cyclic(prime*twin, set...)
}

// mcFarland is the design 45-12: the plane over three elements times five, and in
// four of the five layers a line through the origin, each of another slope.
func mcFarland() design {
	lines := [][2]int{{0, 1}, {1, 0}, {1, 1}, {1, 2}}
	var blocks [][]int
	for move := range 45 {
		var block []int
		for layer, line := range lines {
			for i := range 3 {
				x, y := (i*line[0]+move/3)%3, (i*line[1]+move)%3
				block = append(block, (layer+move/9)%5*9+x*3+y)
			}
		}
		blocks = append(blocks, block)
	}
	return newDesign(45, blocks)
}

// gewirtz is the design 56-11. Its points are the octads of the extended binary
// Golay code through two of its places and not through a third; the block of a
// point are the octads that share just the two with it, and itself.
func gewirtz() design {
	const generator = 0b101011100011 // of the cyclic Golay code of length 23
	var octads []uint32
	for message := range uint32(1 << 12) {
		var word uint32
		for i := range 12 {
			word ^= (message >> i & 1) * (generator << i)
		}
		word |= uint32(bits.OnesCount32(word)&1) << 23
		if bits.OnesCount32(word) == 8 && word&0b111 == 0b011 {
			octads = append(octads, word)
		}
	}
	blocks := make([][]int, len(octads))
	for i, a := range octads {
		for j, b := range octads {
			if i == j || a&b == 0b011 {
				blocks[i] = append(blocks[i], j)
			}
		}
	}
	return newDesign(len(octads), blocks)
}

// common are the points that are in both sorted lists.
func common(a, b []int) []int {
	var out []int
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			out = append(out, a[i])
			i, j = i+1, j+1
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return out
}
