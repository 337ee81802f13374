package conformance

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
)

// counters say how much was compared, so that nobody takes a run in which nothing
// happened for a proof.
type counters struct {
	mutex sync.Mutex
	of    map[string]int
}

var statistics = counters{of: map[string]int{}}

func (c *counters) add(what string, n int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.of[what] += n
}

func TestMain(m *testing.M) {
	code := m.Run()
	if testing.Verbose() {
		for _, what := range slices.Sorted(maps.Keys(statistics.of)) {
			fmt.Printf("%8d %s\n", statistics.of[what], what)
		}
	}
	os.Exit(code)
}
