package rollout

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// clockUnreliable plus a node: when it was last lost as a reflector.
const clockUnreliable = "Unreliable/"

const (
	// trustedAfter is how long a node must have been ready since before it is trusted
	// again.
	trustedAfter = time.Hour
	// mostUnreliable is how many are remembered, those that were lost last.
	mostUnreliable = 100
)

// Unreliable reads out of the clocks of a status which nodes were lost as reflectors
// not long ago, and when.
func Unreliable(clocks map[string]time.Time) map[string]time.Time {
	out := map[string]time.Time{}
	for name, since := range clocks {
		if node, ours := strings.CutPrefix(name, clockUnreliable); ours {
			out[node] = since
		}
	}
	return out
}

// Clocks are those of a status, by name.
func Clocks(status *v1alpha1.RouteReflectorAutoscalerStatus) map[string]time.Time {
	out := map[string]time.Time{}
	for _, clock := range status.Clocks {
		out[clock.Name] = clock.Since.Time
	}
	return out
}

// remember finds out which nodes were lost as reflectors not long ago. Such a one is
// replaced, and stays so: were it trusted as soon as it is ready again, each time that
// it fails would cost two role changes. Under a brake nobody counts as lost.
func (s *state) remember() {
	s.unreliable = Unreliable(s.oldClocks())
	for name, since := range s.unreliable {
		if !s.distrusts(s.nodes[name], since) {
			delete(s.unreliable, name)
		}
	}
	for _, name := range s.standing.Reflectors {
		node := s.nodes[name]
		if node == nil || s.brake != "" || !s.lost(name) {
			continue
		}
		if s.fails[name] != "" {
			s.unreliable[name] = s.since(clockSuspected + name)
			continue
		}
		if node.Ready {
			continue
		}
		if node.ReadySince.After(s.unreliable[name]) {
			s.unreliable[name] = node.ReadySince
		}
	}
	s.forgetOldest()
	for name, since := range s.unreliable {
		s.clocks[clockUnreliable+name] = since
	}
}

// distrusts: it is still not ready, or not for long. A node that has joined since then
// is another one.
func (s *state) distrusts(node *inventory.Node, since time.Time) bool {
	if node == nil || node.Created.After(since) {
		return false
	}
	if !node.Ready {
		return true
	}
	end := node.ReadySince.Add(trustedAfter)
	if since.After(node.ReadySince) { // it has failed though Kubernetes took it for ready
		end = since.Add(trustedAfter)
	}
	s.wakeAt(end)
	return end.After(s.in.Now)
}

func (s *state) forgetOldest() {
	if len(s.unreliable) <= mostUnreliable {
		return
	}
	order := slices.SortedFunc(maps.Keys(s.unreliable), func(a, b string) int {
		return cmp.Or(s.unreliable[b].Compare(s.unreliable[a]), strings.Compare(a, b))
	})
	for _, name := range order[mostUnreliable:] {
		delete(s.unreliable, name)
	}
}
