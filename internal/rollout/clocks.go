package rollout

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// Clocks of a rollout. They live in the status, so that a restart of Tapetum
// forgets nothing; should a status write be lost, a clock starts again, which
// only makes the rollout wait longer.
const (
	// clockGateOpen: since when all expected sessions have been seen up.
	clockGateOpen = "GateOpen"
	// clockMeshOn: since when the mesh has been on.
	clockMeshOn = "MeshOn"
	// clockMeshReverted: since when the mesh is on though we had turned it off.
	clockMeshReverted = "MeshReverted"
	// clockWaiting plus a reason: since when a rollout has waited for it.
	clockWaiting = "Waiting"
	// clockLost plus a node: since when it is not ready while still seen by others.
	clockLost = "Lost/"
	// clockSettle plus a node: since when its sessions with its group are seen up.
	clockSettle = "Settle/"
)

// MeshSettle is how long the mesh must have been on before reflectors are taken
// away for it. Reflectors are not in the mesh, so its sessions between other
// nodes cannot be observed from them; the slowest one measured took 16 s.
const MeshSettle = 30 * time.Second

// lostButSeen is for how long a reflector that is not ready is waited for while
// others still see it: BGP forgets a dead one after its hold time of 240 s.
const lostButSeen = 300 * time.Second

// reportMargin is by how much a report may be older than its period.
const reportMargin = 2 * time.Second

func (s *state) oldClocks() map[string]time.Time {
	out := map[string]time.Time{}
	for _, clock := range s.in.Autoscaler.Status.Clocks {
		// A clock from the future (the machine's clock was set back) starts again.
		if !clock.Since.After(s.in.Now) {
			out[clock.Name] = clock.Since.Time
		}
	}
	return out
}

func (s *state) settleTime() time.Duration {
	return time.Duration(*s.spec.Rollout.SettleSeconds) * time.Second
}

// since keeps a clock running, or starts it.
func (s *state) since(name string) time.Time {
	if at, touched := s.clocks[name]; touched {
		return at
	}
	at, running := s.oldClocks()[name]
	if !running {
		at = s.in.Now
	}
	s.clocks[name] = at
	return at
}

// elapsed keeps a clock running and tells whether so much time has passed.
func (s *state) elapsed(name string, d time.Duration) bool {
	end := s.since(name).Add(d)
	if !end.After(s.in.Now) {
		return true
	}
	s.wakeAt(end)
	return false
}

// keep keeps a clock that runs, and starts none.
func (s *state) keep(name string) (time.Time, bool) {
	at, running := s.oldClocks()[name]
	if running {
		s.clocks[name] = at
	}
	return at, running
}

// wakeAt asks for another decision at that moment at the latest.
func (s *state) wakeAt(at time.Time) {
	if at.IsZero() || !at.After(s.in.Now) {
		return
	}
	if s.requeue.IsZero() || at.Before(s.requeue) {
		s.requeue = at
	}
}

func (s *state) statusClocks() []v1alpha1.Clock {
	var out []v1alpha1.Clock
	for _, name := range slices.Sorted(maps.Keys(s.clocks)) {
		out = append(out, v1alpha1.Clock{Name: name, Since: metav1.NewMicroTime(s.clocks[name])})
	}
	return out
}
