package seed

import "math"

// Bounds of scaling.nodesPerReflector.
const (
	leastNodesPerReflector = 1
	mostNodesPerReflector  = 10_000
)

// nodesPerReflector returns the whole number r for which ceil(n/r) comes closest
// to the seed's ceil(n·ratio): the one whose 1/r is nearest to the ratio. Of two
// equally near the smaller, which gives more reflectors. A ratio of one and more,
// every node, is 1. One of nothing or less leaves the number to min, so it is
// the greatest r there is.
func nodesPerReflector(ratio float64) int32 {
	switch {
	case ratio >= 1/float64(leastNodesPerReflector):
		return leastNodesPerReflector
	case ratio <= 1/float64(mostNodesPerReflector):
		return mostNodesPerReflector
	}
	// 1/ratio is not exact, so it may lie on the wrong side of a whole number; the
	// two whole numbers around it then still hold the nearest.
	low := math.Floor(1 / ratio)
	high := low + 1
	if ratio-1/high < 1/low-ratio {
		return int32(high)
	}
	return int32(low)
}

// asked reads the ratio of reflectors to nodes.
func (v *values) asked() *int32 {
	ratio := v.number("ratio", defaultRatio)
	r := nodesPerReflector(ratio)
	switch {
	case ratio > 1:
		v.note("ratio %v is more than one reflector a node: scaling.nodesPerReflector is 1", ratio)
	case ratio <= 0:
		v.note("ratio %v asks for no reflectors: scaling.min decides (scaling.nodesPerReflector is %d)", ratio, r)
	case math.Abs(1/float64(r)-ratio) > ratio/1000:
		v.note("ratio %v is one reflector for %.4g nodes, not a whole number: scaling.nodesPerReflector is %d", ratio, 1/ratio, r)
	}
	return &r
}
