package rollout

import (
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/internal/inventory"
)

// disrupted: somebody is taking the node away, or its calico-node, or about to.
func (s *state) disrupted(node *inventory.Node) bool {
	return node.Deleting || node.Unschedulable || s.in.Vitals[node.Name].AgentLeaving || slices.ContainsFunc(node.Taints, func(taint string) bool {
		return strings.HasPrefix(taint, "ToBeDeletedBy") || taint == "karpenter.sh/disrupted"
	})
}

// clockDisrupted plus a node: since when it is on its way out, and seen by nobody.
const clockDisrupted = "Disrupted/"

// disruptedLong: it is on its way out, and has not been seen for so long that gates go
// on without it.
func (s *state) disruptedLong(node *inventory.Node) bool {
	if !s.disrupted(node) || slices.Contains(s.standing.Reflectors, node.Name) || len(s.watchers(node.Name)) == 0 || s.seenBySomeone(node.Name) {
		return false
	}
	return s.elapsed(clockDisrupted+node.Name, time.Duration(*s.spec.Rollout.DisruptionTimeoutSeconds)*time.Second)
}
