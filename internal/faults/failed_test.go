package faults

import (
	"testing"
	"time"
)

// TestWhatFailedOnce plays again what once ended badly, each for its own reason.
func TestWhatFailedOnce(t *testing.T) {
	for _, story := range []struct {
		why  string
		tr   transition
		what Disturbance
	}{
		// Three repairs that were never written counted as a contest.
		{"status of a step that is not written", transition{"Mesh", "Single"}, Restart},
		{"status of a step that is not written", transition{"Mesh", "Multi"}, Old},
		// Both ends of a pin had lost the role, and its deletion was never proved.
		{"pin without reflectors", transition{"Single", "Mesh"}, Old},
		// Old lists showed rest where there was none.
		{"rest concluded from old lists", transition{"Single", "Multi"}, Old},
	} {
		t.Run(story.why+", "+story.tr.String(), func(t *testing.T) {
			t.Parallel()
			r := seeded(1, story.tr.String()+story.what.String())
			p := plague{length: 4 * time.Minute, pause: 6 * time.Second, disturb: func(w *World) { w.Disturb(story.what, r) }}
			story.tr.verify(t, begin(1), p, story.what.String())
		})
	}
}
