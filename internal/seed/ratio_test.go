package seed

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestNodesPerReflector(t *testing.T) {
	for ratio, want := range map[float64]int32{
		0.5: 2, 0.25: 4, 0.2: 5, 0.1: 10, 0.05: 20, 0.02: 50, 0.01: 100, 0.005: 200, 0.002: 500, 0.001: 1000, 0.0001: 10_000,
		1.0 / 3: 3, 0.333: 3, 0.3: 3, 0.28: 4, 0.7: 2, 0.65: 2, 0.75: 1, 0.9: 1, 1: 1, 1.0001: 1, 50: 1, math.MaxFloat64: 1,
		0.00009: 10_000, 1e-300: 10_000, math.SmallestNonzeroFloat64: 10_000, 0: 10_000, -1: 10_000, -math.MaxFloat64: 10_000,
	} {
		if got := nodesPerReflector(ratio); got != want {
			t.Errorf("ratio %v: %d nodes a reflector, want %d", ratio, got, want)
		}
	}
}

// The float32 of the seed gives one reflector too many at 20, 40 and 100 nodes for
// 0.05. Whole numbers do not.
func TestRatioCounts(t *testing.T) {
	for _, c := range []struct {
		ratio float64
		num   int // the ratio is num/den
		den   int
	}{{0.05, 1, 20}, {0.005, 1, 200}, {0.001, 1, 1000}, {0.002, 1, 500}, {0.5, 1, 2}, {0.04, 1, 25}} {
		r := int(nodesPerReflector(c.ratio))
		for n := 1; n <= 5000; n++ {
			want := (n*c.num + c.den - 1) / c.den
			if got := (n + r - 1) / r; got != want {
				t.Fatalf("ratio %v, %d nodes: %d reflectors, want %d", c.ratio, n, got, want)
			}
		}
	}
}

// No other whole number comes nearer to the ratio.
func TestRatioIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ratio := rapid.OneOf(
			rapid.Float64Range(0, 1.5),
			rapid.Float64Range(0, 0.01),
			rapid.Custom(func(t *rapid.T) float64 { return 1 / float64(rapid.IntRange(1, 20_000).Draw(t, "r")) }),
		).Draw(t, "ratio")
		got := nodesPerReflector(ratio)
		if got < leastNodesPerReflector || got > mostNodesPerReflector {
			t.Fatalf("%d is out of bounds", got)
		}
		distance := func(r int32) float64 { return math.Abs(1/float64(r) - ratio) }
		for _, other := range []int32{got - 1, got + 1} {
			if other >= leastNodesPerReflector && other <= mostNodesPerReflector && distance(other) < distance(got) {
				t.Fatalf("ratio %v: %d, though %d is nearer", ratio, got, other)
			}
		}
	})
}
