package bgp

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pinned is a cluster of n nodes with m reflectors of one ID that are pinned to
// each other, oldest first, dual stack.
func pinned(n, m int) Input {
	in := newInput(n, 1).dual().selectors("clients", "!has(rr)", "has(rr)")
	for i := range m {
		in = in.role(i, oneID(i), "rr")
		in = in.pinsFrom(i)
	}
	return in
}

// pinsFrom makes the pins from all reflectors before node i to it.
func (in Input) pinsFrom(i int) Input {
	for senior := range i {
		in = in.pin(IPv4, senior, i).pin(IPv6, senior, i)
	}
	return in
}

func TestPinnedRolesRestartNothing(t *testing.T) {
	three := pinned(8, 3)
	four := pinned(8, 4)
	tests := []struct {
		name          string
		before, after Input
	}{
		{"create the pins of a candidate", three, three.pinsFrom(3)},
		{"promote the fourth", three.pinsFrom(3), four},
		{"demote the fourth", four, three.pinsFrom(3)},
		{"delete its pins", three.pinsFrom(3), three},
		{"promote the second", pinned(8, 1).pinsFrom(1), pinned(8, 2)},
		{"promote the second beside the mesh: clients", pinned(8, 2), pinned(8, 2).withMesh(true)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff([]Restart(nil), RestartedSessions(tt.before, tt.after)); diff != "" {
				t.Errorf("restarts (-want +got):\n%s", diff)
			}
			p := Prove(tt.before, tt.after, allUp(tt.before), nil)
			if !p.OK || p.RestartCount != 0 {
				t.Errorf("%d restarts, %+v", p.RestartCount, p)
			}
		})
	}
}
