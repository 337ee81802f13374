package faults

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// History is a random story: so many events, each drawn from the seed and its own
// number, so that those that are left out change nothing about the others.
type History struct {
	Config
	Events int
	// Only these events happen; nil: all.
	Only []int
	// Gap is the longest time between two of them.
	Gap time.Duration
}

// Play plays it to its end: everything broken comes back, the cluster comes to rest.
// The world is closed; told lists the events that happened, by number.
func (h History) Play() (w *World, told []string) {
	w = New(h.Config)
	defer w.Close()
	w.Settle(time.Hour)
	for i := range h.Events {
		r := rand.New(rand.NewPCG(h.Seed, uint64(i))) //nolint:gosec // a simulation wants a seed
		gap := time.Duration(r.Int64N(int64(h.Gap)))
		if h.Only == nil || contains(h.Only, i) {
			if what := w.Happen(Acts, r); what != "" {
				told = append(told, fmt.Sprintf("%d at %s: %s", i, w.now.Format("15:04:05"), what))
			}
		}
		w.Run(gap)
		w.CheckRoutes()
		w.closeAccount()
		if len(w.violations) > 0 {
			return w, told
		}
	}
	w.Heal()
	w.Settle(2 * time.Hour)
	w.Rest(2 * time.Minute)
	w.CheckRoutes()
	w.CheckComplete()
	return w, told
}

func contains(list []int, n int) bool {
	for _, m := range list {
		if m == n {
			return true
		}
	}
	return false
}

// closeAccount begins a new account when all is quiet, so that nodes whose role has
// changed count again.
func (w *World) closeAccount() {
	if w.ready() && w.now.Sub(w.lastWrite) > quiet && w.check.handAt.IsZero() {
		w.resetAccount()
	}
}

// Heal brings everything back that is broken.
func (w *World) Heal() {
	for _, name := range w.NodeNames() {
		w.Revive(name)
	}
	w.Uncordon()
}

// Shrink leaves out events of a history that fails, as long as it fails, and returns
// the fewest it finds within so many tries.
func (h History) Shrink(tries int) []int {
	only := h.Only
	if only == nil {
		for i := range h.Events {
			only = append(only, i)
		}
	}
	for size := len(only) / 2; size > 0 && tries > 0; {
		smaller := false
		for at := 0; at+size <= len(only) && tries > 0; {
			h.Only = append(append([]int{}, only[:at]...), only[at+size:]...)
			tries--
			if w, _ := h.Play(); len(w.violations) > 0 {
				only, smaller = h.Only, true
			} else {
				at += size
			}
		}
		if !smaller || size > len(only)/2 {
			size /= 2
		}
	}
	return only
}

// Events in the form in which they are asked for again.
func eventList(only []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(only), " ", ","), "[]")
}
