package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// brakes sets the brakes.
func brakes(set func(*v1alpha1.Brakes)) change {
	return func(s *v1alpha1.RouteReflectorAutoscalerSpec) { set(&s.Brakes) }
}

func number(n int32) *int32 { return &n }

// notReady makes nodes look not ready; their BIRDs work on.
func (v *virtual) notReady(names ...string) {
	for _, name := range names {
		node := v.node(name)
		node.Ready, node.ReadySince, node.Taints = false, v.now, []string{"node.kubernetes.io/unreachable"}
	}
}

func (v *virtual) readyAgain(names ...string) {
	for _, name := range names {
		node := v.node(name)
		node.Ready, node.ReadySince, node.Taints = true, v.now, nil
	}
}

// clients are so many nodes without the role.
func (v *virtual) clients(n int) []string {
	var out []string
	for _, node := range v.nodes {
		if len(out) < n && !slices.Contains(v.reflectors(), node.Name) {
			out = append(out, node.Name)
		}
	}
	return out
}

// brakesOn are the reasons in the status.
func (v *virtual) brakesOn() []string {
	var out []string
	if status := v.autoscaler.Status.Brakes; status != nil {
		for _, on := range status.Active {
			out = append(out, on.Reason)
		}
	}
	return out
}

func (v *virtual) message(condition string) string {
	for _, c := range v.autoscaler.Status.Conditions {
		if c.Type == condition {
			return c.Message
		}
	}
	return ""
}

// held asserts that nothing was written, that Degraded names the brake, and that the
// status has it since when it came.
func (v *virtual) heldBy(reason string, since time.Time) {
	v.t.Helper()
	for _, step := range v.steps {
		if step.Subtractive || step.Action == rollout.SetRole || step.Action == rollout.ClearRole {
			v.t.Errorf("under %s: %s", reason, step)
		}
	}
	if got := v.reason(v1alpha1.ConditionDegraded); got != reason {
		v.t.Errorf("Degraded reason %q, want %q: %s", got, reason, v.message(v1alpha1.ConditionDegraded))
	}
	status := v.autoscaler.Status.Brakes
	if status == nil || len(status.Active) == 0 || status.Active[0].Reason != reason {
		v.t.Fatalf("status.brakes %+v, want %s first", status, reason)
	}
	if at := status.Active[0].Since.Time; at.Before(since) || at.After(since.Add(time.Minute)) {
		v.t.Errorf("%s since %v, it came at %v", reason, at, since)
	}
}

// TestZoneGone: one zone of ten is a tenth of the nodes, no mass, and none of them is
// replaced until it is back.
func TestZoneGone(t *testing.T) {
	v := newVirtual(t, 31, 40, 10)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	zone := v.node(v.reflectors()[0]).Labels["topology.kubernetes.io/zone"]
	var gone []string
	for _, node := range v.nodes {
		if node.Labels["topology.kubernetes.io/zone"] == zone {
			gone = append(gone, node.Name)
			v.kill(node.Name)
		}
	}
	since := v.now.Add(40 * time.Second)
	v.runFor(20 * time.Minute)
	v.heldBy(rollout.ReasonZone, since)
	if text := v.message(v1alpha1.ConditionDegraded); !strings.Contains(text, zone) || !strings.Contains(text, "4 of 4 nodes") {
		t.Errorf("the message does not name the zone: %s", text)
	}
	for _, name := range gone {
		v.revive(name)
	}
	v.run(5 * time.Minute)
	v.noLoss()
	if on := v.brakesOn(); len(on) > 0 {
		t.Errorf("still on: %v", on)
	}
	if n := v.count(); n[rollout.SetRole]+n[rollout.ClearRole] > 0 {
		t.Errorf("roles moved; steps:\n%s", v.story())
	}
}

// TestZoneOfNodesThatWentOneByOne is none that is gone: its reflector is replaced.
func TestZoneOfNodesThatWentOneByOne(t *testing.T) {
	v := newVirtual(t, 32, 40, 10)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	zone := v.node(v.reflectors()[0]).Labels["topology.kubernetes.io/zone"]
	for i := range v.nodes {
		if v.nodes[i].Labels["topology.kubernetes.io/zone"] == zone {
			v.kill(v.nodes[i].Name)
			v.runFor(3 * time.Minute)
		}
	}
	v.run(20 * time.Minute)
	if on := v.brakesOn(); len(on) > 0 || v.count()[rollout.ClearRole] != 1 {
		t.Errorf("brakes %v; steps:\n%s", on, v.story())
	}
}

// TestHeartbeatsLost: kubelets drop out one by one, too slowly for a mass, and their
// BIRDs are well. Nobody is replaced, however long that lasts.
func TestHeartbeatsLost(t *testing.T) {
	v := newVirtual(t, 33, 40, 4)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	lost := append(v.clients(12), v.reflectors()[0])
	var since time.Time
	for i, name := range lost {
		if i == 8 {
			since = v.now // nine of forty are more than 20 %
		}
		v.notReady(name)
		v.runFor(25 * time.Second)
	}
	v.runFor(30 * time.Minute)
	v.heldBy(rollout.ReasonHeartbeats, since)
	for _, reflector := range v.autoscaler.Status.Reflectors {
		if reflector.State == v1alpha1.ReflectorLost {
			t.Errorf("%s is taken for lost", reflector.Name)
		}
	}
	v.readyAgain(lost...)
	v.run(5 * time.Minute)
	v.noLoss()
	if n := v.count(); n[rollout.SetRole]+n[rollout.ClearRole] > 0 {
		t.Errorf("roles moved; steps:\n%s", v.story())
	}
}

// TestDeadReflectorsAreNotBelieved: two of three lose their power. Their last reports,
// and for 240 s that of the third, still show everything up: they are replaced all the
// same, in time.
func TestDeadReflectorsAreNotBelieved(t *testing.T) {
	v := newVirtual(t, 34, 30, 3)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	died := v.now
	for _, name := range v.reflectors()[:2] {
		v.kill(name)
	}
	v.runFor(2 * time.Minute)
	if n := v.count()[rollout.SetRole]; n == 0 {
		t.Errorf("not replaced %v after their death; steps:\n%s", v.now.Sub(died), v.story())
	}
	v.runFor(20 * time.Minute)
	if n, sample := v.fabric.MissingPairs(); n > 0 {
		t.Errorf("%d pairs without a route, such as %v", n, sample)
	}
}

// TestAPIBack: the API server was away, and what it says first is old.
func TestAPIBack(t *testing.T) {
	v := newVirtual(t, 35, 40, 4)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	v.idle(10 * time.Minute)
	v.apiBack = v.now
	name := v.reflectors()[0]
	v.notReady(name)
	v.runFor(40 * time.Second)
	v.heldBy(rollout.ReasonAPIBack, v.apiBack)
	v.readyAgain(name)
	v.runFor(5 * time.Minute)
	if len(v.steps) > 0 || len(v.brakesOn()) > 0 {
		t.Errorf("brakes %v; steps:\n%s", v.brakesOn(), v.story())
	}
	v.idle(time.Minute)
	v.apiBack = v.now
	v.kill(name)
	v.notReady(name)
	v.runFor(time.Minute + 30*time.Second)
	if n := v.count()[rollout.SetRole]; n != 1 {
		t.Errorf("one that is really dead is replaced after the minute; steps:\n%s", v.story())
	}
}

// TestBrakesOff: a policy without brakes replaces at once.
func TestBrakesOff(t *testing.T) {
	v := newVirtual(t, 36, 40, 4)
	v.set(ratio(10), single, brakes(func(b *v1alpha1.Brakes) {
		b.NotReadyPercent, b.ReflectorsNotReadyPercent, b.ZonePercent = number(0), number(0), number(0)
	}))
	v.run(5 * time.Minute)
	v.reset()
	zone := v.node(v.reflectors()[0]).Labels["topology.kubernetes.io/zone"]
	for _, node := range slices.Clone(v.nodes) {
		if node.Labels["topology.kubernetes.io/zone"] == zone {
			v.kill(node.Name)
		}
	}
	v.runFor(90 * time.Second)
	if n := v.count()[rollout.SetRole]; n != 1 || len(v.brakesOn()) > 0 {
		t.Errorf("%d replaced; brakes %v; steps:\n%s", n, v.brakesOn(), v.story())
	}
}

// TestBrakeThresholds: the numbers of the policy count.
func TestBrakeThresholds(t *testing.T) {
	for name, test := range map[string]struct {
		change              func(*v1alpha1.Brakes)
		clients, reflectors int
		apart               time.Duration
		want                bool
	}{
		"fewer than the default":   {func(*v1alpha1.Brakes) {}, 8, 0, 0, false},
		"more than the default":    {func(*v1alpha1.Brakes) {}, 9, 0, 0, true},
		"one of three reflectors":  {func(*v1alpha1.Brakes) {}, 0, 1, 0, false},
		"two of three reflectors":  {func(*v1alpha1.Brakes) {}, 0, 2, 0, true},
		"not within the window":    {func(*v1alpha1.Brakes) {}, 9, 0, 10 * time.Second, false},
		"within a longer window":   {func(b *v1alpha1.Brakes) { b.WindowSeconds = number(120) }, 9, 0, 10 * time.Second, true},
		"less than a higher limit": {func(b *v1alpha1.Brakes) { b.NotReadyPercent = number(30) }, 12, 0, 0, false},
		"more than a lower limit":  {func(b *v1alpha1.Brakes) { b.NotReadyPercent = number(5) }, 3, 0, 0, true},
		"all reflectors allowed":   {func(b *v1alpha1.Brakes) { b.ReflectorsNotReadyPercent = number(100) }, 0, 3, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVirtual(t, 37, 40, 0)
			v.set(ratio(14), single, brakes(test.change))
			v.run(5 * time.Minute)
			for _, name := range slices.Concat(v.clients(test.clients), v.reflectors()[:test.reflectors]) {
				v.kill(name)
				v.notReady(name)
				v.now = v.now.Add(test.apart)
			}
			v.pass()
			if got := slices.Contains(v.brakesOn(), rollout.ReasonBrake); got != test.want {
				t.Errorf("brakes %v: %s", v.brakesOn(), v.message(v1alpha1.ConditionDegraded))
			}
		})
	}
}

// TestLeftByBrake: pins of a node that has lost the role stay under a brake, and so long
// Ready does not say that all is as asked for.
func TestLeftByBrake(t *testing.T) {
	v := settled(t, 75, 12, 4, 1)
	v.set(exactly(3, 1))
	for v.last.Step == nil || v.last.Step.Action != rollout.ClearRole {
		v.pass()
		v.advance()
	}
	v.apiBack = v.now
	v.runFor(30 * time.Second)
	pins := len(v.peers)
	if v.is(v1alpha1.ConditionReady) || v.reason(v1alpha1.ConditionReady) != rollout.ReasonAPIBack {
		t.Errorf("Ready %v, %s", v.is(v1alpha1.ConditionReady), v.reason(v1alpha1.ConditionReady))
	}
	v.run(5 * time.Minute)
	v.noLoss()
	v.expect(3)
	if len(v.peers) != pins-3 {
		t.Errorf("%d BGPPeers of %d are left, want 3 less; steps:\n%s", len(v.peers), pins, v.story())
	}
}
