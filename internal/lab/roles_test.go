package lab

import (
	"testing"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

func TestRolesThatChange(t *testing.T) {
	t.Parallel()
	node := func(name, tier string) inventory.Node {
		n := inventory.Node{Name: name, Labels: map[string]string{}}
		if tier != "" {
			n.Labels[v1alpha1.ReflectorLabel] = tier
		}
		return n
	}
	var r roles
	r.meet([]inventory.Node{node("was-there", "core"), node("promoted", ""), node("other-tier", "core"), node("ordinary", "")})
	r.meet([]inventory.Node{node("was-there", "core"), node("promoted", "core"), node("other-tier", "quorum"), node("ordinary", ""), node("joined", "")})
	r.meet([]inventory.Node{node("was-there", "core"), node("promoted", ""), node("other-tier", "quorum")})
	for name, want := range map[string]bool{"was-there": false, "promoted": true, "other-tier": true, "ordinary": false, "joined": false} {
		if got := r.moved[name]; got != want {
			t.Errorf("%s: moved %v, want %v", name, got, want)
		}
	}
}
