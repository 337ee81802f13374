package lab

import (
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// roles tells which nodes have changed their role. The fabric, which knows nothing of
// Tapetum, sees a cluster ID come, go or change; a reflector may also pass from one
// tier to another under the same ID.
type roles struct {
	tiers map[string]string
	moved map[string]bool
}

func (r *roles) meet(nodes []inventory.Node) {
	tiers := make(map[string]string, len(nodes))
	for i := range nodes {
		node := &nodes[i]
		tiers[node.Name] = node.Labels[v1alpha1.ReflectorLabel]
		if before, known := r.tiers[node.Name]; known && before != tiers[node.Name] {
			if r.moved == nil {
				r.moved = map[string]bool{}
			}
			r.moved[node.Name] = true
		}
	}
	r.tiers = tiers
}

// ResetAccount starts a new account of lost routes: nodes whose role changes from now
// on count as changing it, all others as ordinary.
func (c *Cluster) ResetAccount() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roles.moved = nil
	c.fabric.ResetAccount(time.Now(), func(node string) bool { return c.roles.moved[node] })
}
