package demo

import (
	"fmt"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// Leg is what the way from one topology to another took.
type Leg struct {
	From v1alpha1.Topology `json:"from"`
	To   v1alpha1.Topology `json:"to"`
	// Reached: the topology stood and was at rest in time; Problem says why not.
	Reached bool   `json:"reached"`
	Problem string `json:"problem,omitempty"`
	Result
	// NodeWrites are those of Writes that went to Node objects; StatusWrites are
	// reports, not counted in Writes.
	NodeWrites   int `json:"nodeWrites"`
	StatusWrites int `json:"statusWrites"`
	// What stands at the end: BGPPeers, BGP sessions of both address families, and
	// the cluster IDs of the reflectors. MaxSessions and MaxPaths are what the
	// controller says of it.
	Peers       int   `json:"peers"`
	Sessions    int   `json:"sessions"`
	ClusterIDs  int   `json:"clusterIDs"`
	MaxSessions int32 `json:"maxSessions"`
	MaxPaths    int32 `json:"maxPaths"`
}

// WalkReport is a whole walk.
type WalkReport struct {
	Nodes int   `json:"nodes"`
	Zones int   `json:"zones"`
	Racks int   `json:"racks"`
	Legs  []Leg `json:"legs"`
}

func (r *WalkReport) lostOrdinary() float64 {
	sum := 0.0
	for i := range r.Legs {
		sum += r.Legs[i].LostOrdinarySeconds
	}
	return sum
}

// legs prints the report for people.
func (w *walk) legs(r *WalkReport) {
	s := w.screen
	s.line("")
	s.line(s.style(bold, "What each leg took, and what stands at its end"))
	s.line("")
	const row = "%-22s %10s %4s %5s %8s %5s %6s %6s %6s %8s %14s %14s"
	s.line(s.style(dim, fmt.Sprintf(row, "", "", "", "", "", "", "", "", "of them", "", "route-seconds", "route-seconds")))
	s.line(s.style(dim, fmt.Sprintf(row, "", "", "", "BGP", "", "", "", "", "to", "", "lost by", "lost by nodes")))
	s.line(s.style(dim, fmt.Sprintf(row, "from and to", "reflectors", "IDs", "Peers", "sessions", "paths", "steps", "writes", "nodes",
		"seconds", "ordinary nodes", "changing role")))
	for i := range r.Legs {
		l := &r.Legs[i]
		code, mark := green, ""
		if l.LostOrdinarySeconds > 0 {
			code = red
		}
		if !l.Reached {
			mark = s.style(red, "  stuck")
		}
		s.line(fmt.Sprintf("%-22s %10s %4d %5d %8d %5d %6d %6d %6d %8.1f ", fmt.Sprintf("%s to %s", l.From, l.To),
			fmt.Sprintf("%d → %d", l.ReflectorsBefore, l.ReflectorsAfter), l.ClusterIDs, l.Peers, l.Sessions, l.MaxPaths,
			l.Steps, l.Writes, l.NodeWrites, l.Seconds) +
			s.style(code, fmt.Sprintf("%14.2f", l.LostOrdinarySeconds)) + fmt.Sprintf(" %14.2f", l.LostChangingSeconds) + mark)
	}
}
