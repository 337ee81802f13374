package rollout

import (
	"fmt"
	"slices"
	"time"
)

// The brake: when many nodes turn not ready at once, it is more likely that the
// view is wrong (a network split, an overloaded API server) than that the nodes
// are. Then nothing is taken away.
const (
	brakeWindow       = 60 * time.Second
	brakeNodesPercent = 20
)

// applyBrake says why the brake is on; "" when off. It stays on while the nodes
// that turned not ready together are still not ready.
func (s *state) applyBrake() string {
	var nodes, reflectors []time.Time
	total := 0
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		if !node.HasBGP() {
			continue
		}
		total++
		if node.Ready {
			continue
		}
		nodes = append(nodes, node.ReadySince)
		if slices.Contains(s.standing.Reflectors, node.Name) {
			reflectors = append(reflectors, node.ReadySince)
		}
	}
	if n := s.mass(nodes); n*100 > total*brakeNodesPercent {
		return fmt.Sprintf("%d of %d nodes turned not ready within %v", n, total, brakeWindow)
	}
	if n := s.mass(reflectors); n*3 > len(s.standing.Reflectors) {
		return fmt.Sprintf("%d of %d route reflectors turned not ready within %v", n, len(s.standing.Reflectors), brakeWindow)
	}
	return ""
}

// mass is how many turned not ready together. In a small cluster one node may be
// more than the brake allows; but alone, and after the time after which gates go
// on without it, it is no wrong view any more: it is dead, and must be replaced.
func (s *state) mass(moments []time.Time) int {
	n := together(moments)
	if n != 1 {
		return n
	}
	last := moments[len(moments)-1].Add(time.Duration(*s.spec.Rollout.IgnoreNotReadyAfterSeconds) * time.Second)
	if !last.After(s.in.Now) {
		return 0
	}
	s.wakeAt(last)
	return n
}

// together is the greatest number of moments within one window.
func together(moments []time.Time) int {
	slices.SortFunc(moments, time.Time.Compare)
	most, start := 0, 0
	for end := range moments {
		for moments[end].Sub(moments[start]) > brakeWindow {
			start++
		}
		most = max(most, end-start+1)
	}
	return most
}

// brakesPromotion: under the brake a reflector is added only where clients are
// left with fewer living ones than may fail.
func (s *state) brakesPromotion() bool {
	return s.brake != "" && len(s.living()) >= int(*s.spec.Limits.ReflectorFailures)+1
}

func (s *state) braked(before string) *verdict {
	return waitFor(ReasonBrake, "%s waits: %s; nothing is taken away until they are back or deleted", before, s.brake)
}
