package rollout_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// TestReportDeletedForEver: a clean-up job that deletes a report again and again stops
// neither the replacement of dead reflectors nor makes a write each time.
func TestReportDeletedForEver(t *testing.T) {
	v := settled(t, 61, 40, 3, 1)
	v.reset()
	name := v.statuses[0].Name
	created := 0
	for range 60 {
		v.dropStatus(name)
		v.runFor(30 * time.Second)
	}
	for _, step := range v.steps {
		if step.Action == rollout.CreateStatus {
			created++
		}
	}
	// Three in each ten minutes, but for the last of the first contest's window.
	if created < 3 || created > 12 {
		t.Errorf("put back %d times in 30 min; steps:\n%s", created, v.story())
	}
	if got := v.reason(v1alpha1.ConditionDegraded); got != rollout.ReasonContested {
		t.Errorf("Degraded for the reason %s", got)
	}
	before := v.reflectors()
	v.kill(before[1])
	v.runFor(15 * time.Minute)
	if !v.replaced(before, 1) {
		t.Errorf("%s is not replaced; steps:\n%s", before[1], v.story())
	}
}

// insist has somebody do the same thing again and again.
func (v *virtual) insist(times int, every time.Duration, do func(*virtual)) {
	for range times {
		do(v)
		v.sync()
		v.runFor(every)
	}
}

func (v *virtual) dropStatus(name string) {
	for i := range v.statuses {
		if v.statuses[i].Name == name {
			v.statuses = append(v.statuses[:i:i], v.statuses[i+1:]...)
			return
		}
	}
}

// TestReplacementUnderContest: while somebody contests an object, dead reflectors are
// replaced as far as clients have too few, and nothing else is written.
func TestReplacementUnderContest(t *testing.T) {
	v := settled(t, 61, 40, 3, 1)
	contested, at := "node-0039", metav1.NewTime(v.now) // not one that is next
	v.autoscaler.Status.Reverts = []v1alpha1.Revert{{Object: "Node/" + contested, Manager: "kubectl", Times: []metav1.Time{at, at, at}}}
	v.runFor(time.Minute)
	if got := v.reason(v1alpha1.ConditionDegraded); got != rollout.ReasonContested {
		t.Fatalf("Degraded for the reason %s", got)
	}
	v.reset()
	before := v.reflectors()
	for _, dead := range before {
		v.kill(dead)
		v.runFor(15 * time.Minute)
	}
	for _, step := range v.writes() {
		if step.Object == "Node/"+contested || step.Subtractive {
			t.Errorf("%s", step)
		}
	}
	living := 0
	for _, name := range v.reflectors() {
		if !v.dead[name] {
			living++
		}
	}
	if living < 2 {
		t.Errorf("%d living reflectors, want 2; steps:\n%s", living, v.story())
	}
	if n, sample := v.fabric.MissingPairs(); n > 0 {
		t.Errorf("%d pairs without a route, such as %v", n, sample)
	}
}
