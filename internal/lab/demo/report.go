package demo

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"tapetum.dev/tapetum/internal/lab"
	"tapetum.dev/tapetum/internal/lab/fabric"
)

// Result is what one event took. Writes are the controller's, without status,
// lease and events.
type Result struct {
	Name                string  `json:"name"`
	Steps               int     `json:"steps"`
	Writes              int     `json:"writes"`
	Seconds             float64 `json:"seconds"`
	ReflectorsBefore    int     `json:"reflectorsBefore"`
	ReflectorsAfter     int     `json:"reflectorsAfter"`
	LostOrdinarySeconds float64 `json:"lostOrdinarySeconds"`
	LostChangingSeconds float64 `json:"lostChangingSeconds"`

	statusWrites, nodeWrites int
}

// Report is the whole story.
type Report struct {
	Events []Result `json:"events"`
}

// LostOrdinary is the sum over all events.
func (r *Report) LostOrdinary() float64 {
	sum := 0.0
	for i := range r.Events {
		sum += r.Events[i].LostOrdinarySeconds
	}
	return sum
}

func writeReport(path string, r any) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil { //nolint:gosec // no secret
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func (r *Result) account(a fabric.Account, w lab.Writes, took time.Duration) {
	r.Writes, r.statusWrites, r.nodeWrites = w.Objects, w.Status, w.Nodes
	r.Seconds = round(took.Seconds())
	r.LostOrdinarySeconds = round(a.Ordinary.RouteTime.Seconds())
	r.LostChangingSeconds = round(a.Changing.RouteTime.Seconds())
}

// round to hundredths, the grain of the simulation, but never to nothing.
func round(seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return math.Ceil(seconds*100-1e-6) / 100
}

// table prints the report for people.
func (d *demo) table(r *Report) {
	s := d.screen
	s.line("")
	s.line(s.style(bold, "What it took"))
	s.line("")
	const row = "%-22s %10s %6s %7s %7s %8s %14s %14s"
	s.line(s.style(dim, fmt.Sprintf(row, "", "", "", "API", "status", "", "route-seconds", "route-seconds")))
	s.line(s.style(dim, fmt.Sprintf(row, "", "", "", "writes", "writes", "", "lost by", "lost by nodes")))
	s.line(s.style(dim, fmt.Sprintf(row, "event", "reflectors", "steps", "", "", "seconds", "ordinary nodes", "changing role")))
	for i := range r.Events {
		e := &r.Events[i]
		code := green
		if e.LostOrdinarySeconds > 0 {
			code = red
		}
		s.line(fmt.Sprintf("%-22s %10s %6d %7d %7d %8.1f ", e.Name, fmt.Sprintf("%d → %d", e.ReflectorsBefore, e.ReflectorsAfter),
			e.Steps, e.Writes, e.statusWrites, e.Seconds) + s.style(code, fmt.Sprintf("%14.2f", e.LostOrdinarySeconds)) +
			fmt.Sprintf(" %14.2f", e.LostChangingSeconds))
	}
	s.line("")
	s.wrapped("", "", dim, "A route-second is one (node, destination) pair without a route for one second. Pairs with a node without power do not count, "+
		"nor do those of a node that is still joining. Writes are the API server's own count (its audit log) of what the controller wrote to objects; "+
		"its reports on the RouteReflectorAutoscaler stand apart, lease renewals and events are left out.")
}
