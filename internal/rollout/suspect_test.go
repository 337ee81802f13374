package rollout_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/sessions"
)

// replacedWithin is by when the replacement of a dead reflector must work: BGP's hold
// time is 240 s, and the first route was measured to be lost after 170 s.
const replacedWithin = 150 * time.Second

// deaths are ways in which a reflector dies while Kubernetes takes its node for ready.
var deaths = map[string]func(*virtual, string){
	"power":             (*virtual).kill,
	"link":              func(v *virtual, name string) { v.kill(name); delete(v.notice, name) },
	"BIRD stuck":        (*virtual).wedge,
	"BIRD ended":        (*virtual).endBIRD,
	"calico-node ended": (*virtual).endAgent,
}

// soon are the ways of which "make test" tries those that take long: one that others do not
// notice, and one that closes their sessions.
var soon = map[string]bool{"link": true, "calico-node ended": true}

// soonOf are the same of many reflectors.
var soonOf = map[string]bool{
	"link Single of 9": true, "link Multi of 13": true, "calico-node ended Multi of 9": true, "calico-node ended Single of 13": true,
}

// reports tells whether a node is asked for its sessions.
func (v *virtual) reports(name string) bool {
	return slices.ContainsFunc(v.statuses, func(s calico.CalicoNodeStatus) bool { return s.Spec.Node == name })
}

// TestSilentDeath: however a reflector dies, it is replaced before its neighbors lose
// the routes that they have from it.
//
// Reports move: the dead one is asked, its place goes to its replacement, and what was
// seen last before the death is looked at once more, of up to nine others.
func TestSilentDeath(t *testing.T) {
	for name, die := range deaths {
		for setting, start := range map[string]func() *virtual{
			"Single": func() *virtual { return standsIn(t, 140, 40, 3, v1alpha1.TopologySingle) },
			"Multi":  func() *virtual { return standsIn(t, 140, 40, 3, v1alpha1.TopologyMulti) },
			// As many as may report, and more.
			"Single of 9":  func() *virtual { return standsIn(t, 140, 40, 3, v1alpha1.TopologySingle, exactly(9, 1)) },
			"Multi of 9":   func() *virtual { return standsIn(t, 140, 40, 3, v1alpha1.TopologyMulti, exactly(9, 1)) },
			"Single of 13": func() *virtual { return standsIn(t, 140, 40, 3, v1alpha1.TopologySingle, exactly(13, 1)) },
			"Multi of 13":  func() *virtual { return standsIn(t, 140, 40, 3, v1alpha1.TopologyMulti, exactly(13, 1)) },
		} {
			if strings.Contains(setting, " of ") && !soonOf[name+" "+setting] && os.Getenv("TAPETUM_LARGE") == "" {
				continue // costly; "make faults" tries all of them
			}
			t.Run(name+" "+setting, func(t *testing.T) {
				t.Parallel()
				v := start()
				before := v.reflectors()
				dead := before[1]
				if i := slices.IndexFunc(before, func(name string) bool { return !v.reports(name) }); i >= 0 {
					dead = before[i]
				}
				die(v, dead)
				died := v.now
				for !v.replaced(before, 1) && v.now.Sub(died) < replacedWithin {
					v.passes()
					v.advance()
				}
				if !v.replaced(before, 1) {
					t.Fatalf("%s is not replaced after %v: %v; steps:\n%s", dead, v.now.Sub(died), v.last.Status.Conditions, v.story())
				}
				t.Logf("replaced after %v", v.now.Sub(died))
				v.runFor(10 * time.Minute)
				v.noLoss()
				count := v.count()
				if n := count[rollout.CreateStatus] + count[rollout.PatchStatus] + count[rollout.DeleteStatus]; n > mostReportWrites {
					t.Errorf("%d writes of reports, at most %d are expected; steps:\n%s", n, mostReportWrites, v.story())
				}
				if slices.Contains(v.reflectors(), dead) || len(v.reflectors()) != len(before) {
					t.Errorf("reflectors %v, were %v, dead is %s; steps:\n%s", v.reflectors(), before, dead, v.story())
				}
				// It comes back, and nothing happens for that.
				v.revive(dead)
				v.reset()
				v.runFor(5 * time.Minute)
				if n := v.count()[rollout.SetRole] + v.count()[rollout.ClearRole]; n > 0 {
					t.Errorf("its return costs role changes:\n%s", v.story())
				}
				v.noLoss()
			})
		}
	}
}

const mostReportWrites = 30

// replaced tells whether there is a reflector that was not there before, and all its
// sessions are up but for those with so many that are dead.
func (v *virtual) replaced(before []string, dead int) bool {
	for _, name := range v.reflectors() {
		if slices.Contains(before, name) {
			continue
		}
		bgp := v.fabric.Status(name)
		return bgp.NumberEstablishedV4 > 0 && bgp.NumberNotEstablishedV4 <= dead
	}
	return false
}

// TestSuspicionOfTheLiving: what looks like a death for a moment costs two or three
// reports, and no role.
func TestSuspicionOfTheLiving(t *testing.T) {
	looks := map[string]func(vital *rollout.Vital, now time.Time){
		"Lease": func(vital *rollout.Vital, now time.Time) { vital.Heartbeat = now.Add(-25 * time.Second) },
		"pod":   func(vital *rollout.Vital, now time.Time) { vital.AgentNotReady = now.Add(-time.Second) },
	}
	for name, look := range looks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := standsIn(t, 141, 40, 3, v1alpha1.TopologySingle)
			for incident := range 3 {
				suspect, end := v.reflectors()[1], v.now.Add(40*time.Second)
				v.reset()
				v.mislead = func(vitals map[string]rollout.Vital) {
					if vital := vitals[suspect]; v.now.Before(end) {
						look(&vital, v.now)
						vitals[suspect] = vital
					}
				}
				v.runFor(3 * time.Minute)
				if len(v.steps) == 0 || len(v.steps) > 3 {
					t.Errorf("incident %d: %d writes, want 1 to 3:\n%s", incident, len(v.steps), v.story())
				}
				for _, step := range v.steps {
					if step.NodeStatus == nil {
						t.Errorf("incident %d: %s", incident, step)
					}
				}
				v.noLoss()
				v.resting()
			}
		})
	}
}

// TestRestartOfCalicoNode: while neighbors keep the routes of a reflector whose
// calico-node was started anew nothing is asked and nothing moved.
func TestRestartOfCalicoNode(t *testing.T) {
	v := standsIn(t, 142, 40, 3, v1alpha1.TopologySingle)
	start := v.now
	v.mislead = func(vitals map[string]rollout.Vital) {
		for name, vital := range vitals {
			if v.now.Sub(start) < 80*time.Second {
				vital.AgentNotReady = start
			}
			vital.AgentStarted = start
			vitals[name] = vital
		}
	}
	v.runFor(5 * time.Minute)
	if len(v.steps) > 0 {
		t.Errorf("a restart of calico-node costs writes:\n%s", v.story())
	}
}

// TestAllHeartbeatsLate: nobody is suspected, and nothing is taken away.
func TestAllHeartbeatsLate(t *testing.T) {
	v := standsIn(t, 143, 40, 3, v1alpha1.TopologySingle)
	v.mislead = func(vitals map[string]rollout.Vital) {
		for name, vital := range vitals {
			vital.Heartbeat = v.now.Add(-time.Minute)
			vitals[name] = vital
		}
	}
	v.node(v.reflectors()[0]).Unschedulable = true
	v.runFor(5 * time.Minute)
	count := v.count()
	if n := count[rollout.ClearRole] + count[rollout.DeletePeer]; n > 0 || v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonHeartbeats {
		t.Errorf("Degraded %s; steps:\n%s", v.reason(v1alpha1.ConditionDegraded), v.story())
	}
	v.mislead = nil
	v.run(10 * time.Minute)
	v.noLoss()
}

// TestSymptoms: what makes a reflector suspected, one decision each.
func TestSymptoms(t *testing.T) {
	v := standsIn(t, 145, 30, 3, v1alpha1.TopologySingle)
	suspect := v.reflectors()[0]
	report := func(v *virtual) *calico.CalicoNodeStatus {
		v.statuses = slices.Clone(v.statuses)
		i := slices.IndexFunc(v.statuses, func(s calico.CalicoNodeStatus) bool { return s.Spec.Node == suspect })
		return &v.statuses[i]
	}
	for name, test := range map[string]struct {
		do     func(in *rollout.Input)
		probed bool
	}{
		"well":                      {func(*rollout.Input) {}, false},
		"Lease of 15 s":             {vital(suspect, rollout.Vital{Heartbeat: v.now.Add(-15 * time.Second)}), false},
		"Lease of 25 s":             {vital(suspect, rollout.Vital{Heartbeat: v.now.Add(-25 * time.Second)}), true},
		"nothing is known":          {vital(suspect, rollout.Vital{}), false},
		"pod not ready":             {vital(suspect, rollout.Vital{Heartbeat: v.now, AgentNotReady: v.now}), true},
		"pod started anew":          {vital(suspect, rollout.Vital{Heartbeat: v.now, AgentNotReady: v.now, AgentStarted: v.now.Add(-60 * time.Second)}), false},
		"pod started and not ready": {vital(suspect, rollout.Vital{Heartbeat: v.now, AgentNotReady: v.now, AgentStarted: v.now.Add(-100 * time.Second)}), true},
		"no sessions at all": {func(in *rollout.Input) {
			status := report(v).DeepCopy()
			status.Status.BGP = calico.NodeBGPStatus{}
			in.Statuses = append(slices.DeleteFunc(in.Statuses, func(s calico.CalicoNodeStatus) bool { return s.Spec.Node == suspect }), *status)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := v.input()
			test.do(&in)
			out := rollout.Next(in)
			probed := out.Step != nil && out.Step.NodeStatus != nil && out.Step.NodeStatus.Spec.Node == suspect
			if probed != test.probed || out.Step != nil && !probed {
				t.Errorf("step %v, want a probe: %v", out.Step, test.probed)
			}
		})
	}
}

func vital(name string, vital inventory.Vital) func(*rollout.Input) {
	return func(in *rollout.Input) { in.Vitals[name] = vital }
}

// TestDisruptionIsNotAwaitedForEver: a node that is on its way out and gone from BGP
// holds a rollout up as long as configured, and no longer; any other does.
func TestDisruptionIsNotAwaitedForEver(t *testing.T) {
	const configured, soon = 600 * time.Second, 400 * time.Second
	for name, test := range map[string]struct {
		do    func(v *virtual, node *inventory.Node)
		waits bool
	}{
		"drained":                  {func(_ *virtual, node *inventory.Node) { node.Unschedulable = true }, false},
		"being deleted":            {func(_ *virtual, node *inventory.Node) { node.Deleting = true }, false},
		"disrupted by Karpenter":   {func(_ *virtual, node *inventory.Node) { node.Taints = []string{"karpenter.sh/disrupted"} }, false},
		"its calico-node is going": {func(v *virtual, node *inventory.Node) { v.leavingAgent(node.Name) }, false},
		"nobody takes it away":     {func(*virtual, *inventory.Node) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := int32(configured / time.Second)
			v := standsIn(t, 146, 30, 3, v1alpha1.TopologySingle, func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
				s.Rollout.DisruptionTimeoutSeconds = &timeout
			})
			gone := v.nodes[len(v.nodes)-1].Name
			v.dead[gone] = true
			v.fabric.Kill(v.now, gone) // its calico-node is gone, and the node still ready
			v.runFor(5 * time.Minute)  // nobody has its session any more
			test.do(v, v.node(gone))
			leaving := v.reflectors()[0]
			v.node(leaving).Unschedulable = true
			v.runFor(soon)
			if !slices.Contains(v.reflectors(), leaving) {
				t.Errorf("%s was not waited for; steps:\n%s", gone, v.story())
			}
			v.runFor(configured)
			if slices.Contains(v.reflectors(), leaving) != test.waits {
				t.Errorf("role of %s: %v, want %v: %v; steps:\n%s", leaving, !test.waits, test.waits, v.last.Status.Conditions, v.story())
			}
		})
	}
}

// leavingAgent has the calico-node of a node be about to go.
func (v *virtual) leavingAgent(name string) {
	v.mislead = func(vitals map[string]rollout.Vital) {
		vital := vitals[name]
		vital.AgentLeaving = true
		vitals[name] = vital
	}
}

// TestProbeThatWasNotWritten: a node that was never asked has not failed to answer.
func TestProbeThatWasNotWritten(t *testing.T) {
	v := standsIn(t, 147, 30, 3, v1alpha1.TopologySingle)
	suspect := v.reflectors()[0]
	v.mislead = func(vitals map[string]rollout.Vital) {
		vitals[suspect] = rollout.Vital{Heartbeat: v.now.Add(-25 * time.Second)}
	}
	for range 3 {
		out := rollout.Next(v.input())
		if out.Step == nil || out.Step.Action != rollout.PatchStatus || out.Step.NodeStatus.Spec.Node != suspect {
			t.Fatalf("step %v, want that %s is asked", out.Step, suspect)
		}
		v.autoscaler.Status = out.Status // written before the step, and the step is not
		v.now = v.now.Add(30 * time.Second)
	}
}

// TestProbeThatWasForgotten: a dead reflector of which nothing bad was known for a moment,
// after it had been asked, is waited for no longer than any other.
func TestProbeThatWasForgotten(t *testing.T) {
	v := standsIn(t, 148, 40, 3, v1alpha1.TopologySingle)
	before := v.reflectors()
	dead, died := before[1], v.now
	v.mislead = func(vitals map[string]rollout.Vital) {
		if age := v.now.Sub(died); age > 35*time.Second && age < 40*time.Second {
			vital := vitals[dead]
			vital.AgentNotReady = time.Time{}
			vitals[dead] = vital
		}
	}
	v.wedge(dead)
	for !v.replaced(before, 1) && v.now.Sub(died) < replacedWithin {
		v.passes()
		v.advance()
	}
	if !v.replaced(before, 1) {
		t.Fatalf("%s is not replaced: %v; steps:\n%s", dead, v.last.Status.Conditions, v.story())
	}
	v.runFor(10 * time.Minute)
	v.noLoss()
	if slices.Contains(v.reflectors(), dead) {
		t.Errorf("%s still has the role; steps:\n%s", dead, v.story())
	}
}

// TestSuspectWhoseReportIsOff: somebody makes the report of a suspect ask nothing. It is put
// back, not created a second time, which the API server would refuse for ever.
func TestSuspectWhoseReportIsOff(t *testing.T) {
	v := standsIn(t, 152, 40, 3, v1alpha1.TopologyMulti)
	suspect := v.reflectors()[1]
	v.mislead = func(vitals map[string]rollout.Vital) {
		vitals[suspect] = rollout.Vital{Heartbeat: v.now.Add(-time.Minute)}
	}
	v.runFor(time.Minute)
	never := uint32(0)
	for i := range v.statuses {
		if v.statuses[i].Spec.Node == suspect {
			v.statuses[i].Spec.UpdatePeriodSeconds = &never
		}
	}
	v.reset()
	v.runFor(time.Minute)
	names := map[string]int{}
	asks := 0
	for i := range v.statuses {
		names[v.statuses[i].Name]++
		if v.statuses[i].Spec.Node == suspect && sessions.Asks(&v.statuses[i]) {
			asks++
		}
	}
	for name, n := range names {
		if n > 1 {
			t.Errorf("%d objects of the name %s; steps:\n%s", n, name, v.story())
		}
	}
	if asks != 1 || v.count()[rollout.SetRole]+v.count()[rollout.ClearRole] > 0 {
		t.Errorf("%d reports of %s; steps:\n%s", asks, suspect, v.story())
	}
}
