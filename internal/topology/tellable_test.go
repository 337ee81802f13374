package topology_test

import (
	"fmt"
	"testing"

	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

// TestTellable: what passes can be told in a selector that Calico takes.
func TestTellable(t *testing.T) {
	t.Parallel()
	var groups []topology.Group
	passed := 0
	for n := range 100 {
		name := fmt.Sprintf("rack-%04d", n)
		groups = append(groups, topology.Group{Name: name, Label: "example.org/rack", Value: name})
		if !topology.Tellable(groups) {
			break
		}
		passed = n + 1
		if length := len(render.CatchAll(groups)); length > render.MaxSelector {
			t.Fatalf("%d racks make a selector of %d characters", passed, length)
		}
	}
	if passed < 40 || passed > 99 {
		t.Errorf("%d racks pass", passed)
	}
}
