package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// roles counts the changes of who has the role.
func (v *virtual) roles() int {
	n := v.count()
	return n[rollout.SetRole] + n[rollout.ClearRole]
}

// flap makes a node not ready for so long, again and again, for an hour. Its BIRD
// works on, as with a kubelet that fails, or dies with it.
func (v *virtual) flap(name string, away, back time.Duration, dies bool) {
	for end := v.now.Add(time.Hour); v.now.Before(end); {
		if dies {
			v.dead[name] = true
			v.fabric.Kill(v.now, name)
		}
		v.notReady(name)
		v.coast(away)
		if dies {
			v.revive(name)
		}
		v.readyAgain(name)
		v.coast(back)
	}
}

// coast is runFor with a look every five seconds only: long stories take less time.
func (v *virtual) coast(d time.Duration) {
	for end := v.now.Add(d); v.now.Before(end); {
		v.passes()
		v.now = v.now.Add(5*time.Second - tick)
		v.advance()
	}
}

// TestFlappingReflectorIsReplacedOnce: in an hour of flapping, whichever reflector it
// is, one other takes its place.
func TestFlappingReflectorIsReplacedOnce(t *testing.T) {
	for _, topology := range every[1:] {
		for name, which := range map[string]int{"oldest": 0, "newest": -1} {
			t.Run(string(topology)+" "+name, func(t *testing.T) {
				t.Parallel()
				v := standsIn(t, 61, 60, 3, topology)
				count := len(v.reflectors())
				flapping := v.bySeniority(which)
				v.flap(flapping, 40*time.Second, 5*time.Minute, false)
				if n := v.roles(); n > 2 {
					t.Errorf("%d role changes; steps:\n%s", n, v.story())
				}
				v.run(10 * time.Minute)
				v.noLoss()
				v.expect(count)
				if slices.Contains(v.reflectors(), flapping) {
					t.Errorf("%s, which flaps, has the role; steps:\n%s", flapping, v.story())
				}
			})
		}
	}
}

// bySeniority is the reflector that got the role first, or (-1) last.
func (v *virtual) bySeniority(which int) string {
	var order []string
	for _, reflector := range v.autoscaler.Status.Reflectors {
		order = append(order, reflector.Name)
	}
	if which < 0 {
		return order[len(order)-1]
	}
	return order[which]
}

// TestDyingReflectorIsReplacedOnce: one that loses its power every ten minutes.
func TestDyingReflectorIsReplacedOnce(t *testing.T) {
	v := standsIn(t, 62, 40, 3, v1alpha1.TopologySingle)
	flapping := v.reflectors()[0]
	v.flap(flapping, 90*time.Second, 8*time.Minute, true)
	if n := v.roles(); n > 2 {
		t.Errorf("%d role changes; steps:\n%s", n, v.story())
	}
}

// TestTrustedAfterAnHour: who has been ready for an hour can be a reflector again, and
// nothing of it is remembered.
func TestTrustedAfterAnHour(t *testing.T) {
	v := standsIn(t, 63, 30, 3, v1alpha1.TopologySingle)
	name := v.reflectors()[0]
	v.notReady(name)
	v.runFor(time.Minute)
	v.readyAgain(name)
	v.run(10 * time.Minute)
	if slices.Contains(v.reflectors(), name) {
		t.Fatalf("%s was not replaced; steps:\n%s", name, v.story())
	}
	pin := func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Placement.Pinned = []string{name} }
	v.set(pin)
	v.coast(40 * time.Minute)
	if slices.Contains(v.reflectors(), name) {
		t.Error("trusted within the hour")
	}
	v.coast(30 * time.Minute)
	if !slices.Contains(v.reflectors(), name) {
		t.Errorf("not trusted after an hour; steps:\n%s", v.story())
	}
	for _, clock := range v.autoscaler.Status.Clocks {
		if strings.HasPrefix(clock.Name, "Unreliable/") {
			t.Errorf("still remembered: %s", clock.Name)
		}
	}
	v.noLoss()
}

// TestUnreliableIsBetterThanNobody: where no other node can, the one that flaps keeps
// the role, and takes it again.
func TestUnreliableIsBetterThanNobody(t *testing.T) {
	v := newVirtual(t, 64, 12, 3)
	able := []string{"node-0000", "node-0001", "node-0002"}
	v.set(ratio(4), single, func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Placement.Exclude = excluding(able)
	})
	v.run(10 * time.Minute)
	v.reset()
	for range 5 {
		v.notReady(able[1])
		v.coast(time.Minute)
		v.readyAgain(able[1])
		v.coast(5 * time.Minute)
	}
	if got := v.reflectors(); !slices.Equal(got, able) {
		t.Errorf("reflectors %v; steps:\n%s", got, v.story())
	}
	v.noLoss()
}

// TestMassIsNotUnreliable: nobody is distrusted for what befell many at once.
func TestMassIsNotUnreliable(t *testing.T) {
	v := standsIn(t, 65, 30, 3, v1alpha1.TopologySingle)
	before := v.reflectors()
	all := append(v.clients(10), before...)
	for range 5 {
		v.notReady(all...)
		v.coast(2 * time.Minute)
		v.readyAgain(all...)
		v.coast(5 * time.Minute)
	}
	v.run(5 * time.Minute)
	for _, name := range before {
		if !slices.Contains(v.reflectors(), name) {
			t.Errorf("%s lost its role; steps:\n%s", name, v.story())
		}
	}
}

// excluding are terms that leave only these nodes.
func excluding(able []string) []metav1.LabelSelector {
	return []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: "kubernetes.io/hostname", Operator: metav1.LabelSelectorOpNotIn, Values: able,
	}}}}
}
