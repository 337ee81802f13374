package rollout_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// suspected asserts that Ready and Degraded tell of many suspects, and that no role changed but
// for so many that were given.
func (v *virtual) suspected(given int) {
	v.t.Helper()
	if v.is(v1alpha1.ConditionReady) || v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonSuspected {
		v.t.Errorf("Ready %v, Degraded %s; steps:\n%s", v.is(v1alpha1.ConditionReady), v.reason(v1alpha1.ConditionDegraded), v.story())
	}
	for _, step := range v.writes() {
		if step.Subtractive {
			v.t.Errorf("%s", step)
		}
	}
	if n := v.count()[rollout.SetRole]; n != given {
		v.t.Errorf("%d roles given, want %d; steps:\n%s", n, given, v.story())
	}
}

// TestManySuspects: more at once than die of themselves may be a wrong view. Those that
// answer keep their roles.
func TestManySuspects(t *testing.T) {
	v := standsIn(t, 144, 40, 3, v1alpha1.TopologySingle)
	suspects := v.reflectors()[:len(v.reflectors())/2+1]
	v.mislead = func(vitals map[string]rollout.Vital) {
		for _, name := range suspects {
			vitals[name] = rollout.Vital{Heartbeat: v.now.Add(-time.Minute)}
		}
	}
	v.runFor(3 * time.Minute)
	v.suspected(0)
	if len(v.writes()) > 0 || len(v.steps) > 3*len(suspects) {
		t.Errorf("want reports only, three a suspect at most; steps:\n%s", v.story())
	}
	v.resting() // they have answered
	v.mislead = nil
	v.run(5 * time.Minute)
	v.noLoss()
}

// TestManyDead: where most reflectors die at once, clients are given as many as they are to
// have, before they lose a route of the last one; and nothing is taken away.
func TestManyDead(t *testing.T) {
	for name, die := range deaths {
		if !soon[name] && os.Getenv("TAPETUM_LARGE") == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := settled(t, 148, 40, 3, 1)
			before := v.reflectors()
			for _, dead := range before[:2] {
				die(v, dead)
				delete(v.notice, dead)
			}
			died := v.now
			for !v.replaced(before, 2) && v.now.Sub(died) < replacedWithin {
				v.passes()
				v.advance()
			}
			if !v.replaced(before, 2) {
				t.Fatalf("nobody replaces them: %v; steps:\n%s", v.last.Status.Conditions, v.story())
			}
			v.runFor(5 * time.Minute)
			v.suspected(1)
			die(v, before[2])
			delete(v.notice, before[2])
			v.runFor(10 * time.Minute)
			v.suspected(2)
			v.noLoss()
			for _, dead := range before {
				v.revive(dead)
			}
			v.mislead = nil
			v.run(30 * time.Minute)
			v.noLoss()
			v.expect(3)
		})
	}
}

// TestManyMute: most reflectors, or all, cannot reach the API server while BGP goes on. Some
// nodes are given the role; it costs no other node a route, and ends when those that take
// the place of the others seem dead as well.
func TestManyMute(t *testing.T) {
	for name, test := range map[string]struct {
		is    func(v *virtual, before []string, name string) bool
		given int
	}{
		"two of three": {func(_ *virtual, before []string, name string) bool { return slices.Contains(before[:2], name) }, 1},
		"all three":    {func(_ *virtual, before []string, name string) bool { return slices.Contains(before, name) }, 2},
		"whoever gets the role": {func(v *virtual, _ []string, name string) bool {
			return v.node(name).Labels[v1alpha1.ReflectorLabel] != ""
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := settled(t, 149, 40, 3, 1)
			before := v.reflectors()
			v.mislead = func(vitals map[string]rollout.Vital) {
				for _, node := range v.nodes {
					if v.dead[node.Name] = test.is(v, before, node.Name); v.dead[node.Name] {
						vitals[node.Name] = rollout.Vital{Heartbeat: v.now.Add(-time.Minute)}
					}
				}
			}
			v.runFor(20 * time.Minute)
			v.suspected(test.given)
			v.mislead, v.dead = nil, map[string]bool{}
			v.run(30 * time.Minute)
			v.noLoss()
			v.expect(3)
		})
	}
}

// TestDeafAndMany: where nobody is heard of, nobody has failed to answer.
func TestDeafAndMany(t *testing.T) {
	v := settled(t, 150, 40, 3, 1)
	v.mislead = func(vitals map[string]rollout.Vital) {
		for name := range vitals {
			vitals[name] = rollout.Vital{Heartbeat: v.now.Add(-time.Minute), AgentNotReady: v.now.Add(-time.Minute)}
		}
	}
	for _, name := range v.reflectors() {
		v.dead[name] = true
	}
	v.runFor(10 * time.Minute)
	if n := v.count()[rollout.SetRole] + v.count()[rollout.ClearRole]; n > 0 || v.is(v1alpha1.ConditionReady) {
		t.Errorf("Ready %v; steps:\n%s", v.is(v1alpha1.ConditionReady), v.story())
	}
	v.noLoss()
}

// TestSuspectThatCannotBeAsked: more die at once than there may be reports. Those of whom
// nobody can ask are named.
func TestSuspectThatCannotBeAsked(t *testing.T) {
	v := settled(t, 151, 40, 13, 1)
	for _, dead := range v.reflectors()[:11] {
		v.wedge(dead)
	}
	v.runFor(5 * time.Minute)
	told := meta.FindStatusCondition(v.autoscaler.Status.Conditions, v1alpha1.ConditionDegraded)
	if told == nil || !strings.Contains(told.Message, "cannot be asked") {
		t.Errorf("%v; steps:\n%s", told, v.story())
	}
	v.noLoss()
}
