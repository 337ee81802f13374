package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// The brakes: when much goes wrong at once, it is more likely that the view is wrong (a
// network split, an overloaded API server) than that the nodes are. Then nothing is
// taken away. A brake is on as long as what it is for is so.

// clockBrake plus a reason: since when the brake has been on.
const clockBrake = "Brake/"

// afterOutage is for how long nothing is believed after the API server has been away:
// kubelets renew their leases every 10 s, after up to 7 s of waiting in between.
const afterOutage = 60 * time.Second

// brake is one that is on.
type brake struct {
	reason string
	// what has happened, and what a person can do about it.
	what, remedy string
	// alone: it is on for a single node, which in a small cluster is many. It is not
	// worth a person's attention until it holds something.
	alone bool
}

// applyBrakes finds out which brakes are on, the weightiest first.
func (s *state) applyBrakes() {
	heard, certain := s.heartbeatsLost()
	for _, one := range []*brake{s.outage(), pick(certain, heard), s.zoneGone(), s.massNotReady(), s.suspicions(), pick(!certain, heard)} {
		on := func(other brake) bool { return other.reason == one.reason }
		if one != nil && !slices.ContainsFunc(s.brakes, on) {
			s.brakes = append(s.brakes, *one)
			s.since(clockBrake + one.reason)
		}
	}
	if len(s.brakes) > 0 {
		s.brake = s.brakes[0].what
	}
}

func pick(is bool, one *brake) *brake {
	if is {
		return one
	}
	return nil
}

// outage: the API server has not been back for long.
func (s *state) outage() *brake {
	back := s.in.APIBackSince
	end := back.Add(afterOutage)
	if back.IsZero() || back.After(s.in.Now) || !end.After(s.in.Now) {
		return nil
	}
	s.wakeAt(end)
	return &brake{
		reason: ReasonAPIBack, what: "the API server was away until " + back.UTC().Format(time.RFC3339),
		remedy: fmt.Sprintf("what it says of nodes may be old: nothing is taken away for %v", afterOutage),
	}
}

// massNotReady: many nodes, or many reflectors, turned not ready together and still
// are so.
func (s *state) massNotReady() *brake {
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
	if n := s.mass(nodes); more(n, total, s.spec.Brakes.NotReadyPercent) {
		return s.massOf(n, total, "nodes")
	}
	standing := len(s.standing.Reflectors)
	if n := s.mass(reflectors); more(n, standing, s.spec.Brakes.ReflectorsNotReadyPercent) {
		return s.massOf(n, standing, "route reflectors")
	}
	return nil
}

func (s *state) massOf(n, total int, what string) *brake {
	return &brake{
		reason: ReasonBrake, what: fmt.Sprintf("%d of %d %s turned not ready within %v", n, total, what, s.window()),
		remedy: "nothing is taken away until they are back or deleted; look at the API server, and at the network between it and the nodes",
		alone:  n == 1,
	}
}

// more tells whether n of total are more than so many whole percent; 0: never.
func more(n, total int, percent *int32) bool {
	return *percent > 0 && total > 0 && n*100/total > int(*percent)
}

func (s *state) window() time.Duration {
	return time.Duration(*s.spec.Brakes.WindowSeconds) * time.Second
}

// mass is how many turned not ready together. In a small cluster one node may be
// more than the brake allows; but alone, and after the time after which gates go
// on without it, it is no wrong view any more: it is dead, and must be replaced.
func (s *state) mass(moments []time.Time) int {
	n := s.together(moments)
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
func (s *state) together(moments []time.Time) int {
	slices.SortFunc(moments, time.Time.Compare)
	most, start := 0, 0
	for end := range moments {
		for moments[end].Sub(moments[start]) > s.window() {
			start++
		}
		most = max(most, end-start+1)
	}
	return most
}

// zoneGone: almost all nodes of a zone are not ready, and most of them turned so
// together. More likely than that they have all died is that it is cut off.
func (s *state) zoneGone() *brake {
	zones := s.zones()
	percent := int(*s.spec.Brakes.ZonePercent)
	if len(zones) < 2 || percent == 0 {
		return nil
	}
	var gone []string
	for _, zone := range zones {
		n := len(zone.moments)
		if most := s.together(zone.moments); zone.nodes > 1 && n*100 >= zone.nodes*percent && most > 1 && most*2 >= n {
			gone = append(gone, fmt.Sprintf("%q (%d of %d nodes)", zone.name, n, zone.nodes))
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return &brake{
		reason: ReasonZone, what: "not ready are the nodes of zone " + names(gone),
		remedy: "nothing is taken away until they are back or deleted; look at what this zone shares: its network, its power",
	}
}

// zoneCount is a zone, and when those of its nodes that are not ready turned so.
type zoneCount struct {
	name    string
	nodes   int
	moments []time.Time
}

// zones with nodes that speak BGP, by name.
func (s *state) zones() []zoneCount {
	var out []zoneCount
	at := map[string]int{}
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		if !node.HasBGP() {
			continue
		}
		name := node.Labels[s.spec.ZoneLabel]
		if _, known := at[name]; !known {
			at[name] = len(out)
			out = append(out, zoneCount{name: name})
		}
		zone := &out[at[name]]
		zone.nodes++
		if !node.Ready {
			zone.moments = append(zone.moments, node.ReadySince)
		}
	}
	slices.SortFunc(out, func(a, b zoneCount) int { return cmp.Compare(a.name, b.name) })
	return out
}

// brakesOn is what the status says of them.
func (s *state) brakesOn() []v1alpha1.BrakeStatus {
	var out []v1alpha1.BrakeStatus
	for _, one := range s.brakes {
		out = append(out, v1alpha1.BrakeStatus{
			Reason: one.reason, Since: metav1.NewMicroTime(s.since(clockBrake + one.reason)),
			Message: one.what + ": " + one.remedy,
		})
	}
	return out
}

// brakeTroubles are the brakes that a person must know of, though they may hold
// nothing yet; without the one that holds what is waited for.
func (s *state) brakeTroubles(w *wait) []trouble {
	var out []trouble
	for _, one := range s.brakes {
		if !one.alone && (w == nil || w.reason != one.reason) {
			out = append(out, trouble{one.reason, one.what + ": " + one.remedy})
		}
	}
	return out
}

func isBrake(reason string) bool {
	return slices.Contains([]string{ReasonBrake, ReasonZone, ReasonHeartbeats, ReasonSuspected, ReasonAPIBack}, reason)
}
