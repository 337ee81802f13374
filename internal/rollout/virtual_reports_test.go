package rollout_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/sessions"
)

// report lets the nodes that are asked answer, as calico-node does: at once what is new
// or asks for something else, then by its period, and written only when it says
// something new.
func (v *virtual) report() {
	if v.asked == nil {
		v.asked = map[string]asked{}
	}
	there := map[string]bool{}
	for i := range v.statuses {
		status := &v.statuses[i]
		there[status.Name] = true
		last, known := v.asked[status.Name]
		if status.Spec.UpdatePeriodSeconds == nil || v.mute(status.Spec.Node) {
			continue
		}
		period := time.Duration(*status.Spec.UpdatePeriodSeconds) * time.Second
		if known && last.period == period && last.classes == len(status.Spec.Classes) && v.now.Sub(last.at) < period {
			continue
		}
		v.asked[status.Name] = asked{at: v.now, period: period, classes: len(status.Spec.Classes)}
		v.answer(status)
	}
	maps.DeleteFunc(v.asked, func(name string, _ asked) bool { return !there[name] })
}

// asked is when a report was last due, and what it was asked for.
type asked struct {
	at      time.Time
	period  time.Duration
	classes int
}

func (v *virtual) mute(name string) bool {
	return v.dead[name] || !slices.ContainsFunc(v.nodes, func(n inventory.Node) bool { return n.Name == name })
}

func (v *virtual) answer(status *calico.CalicoNodeStatus) {
	said := status.Status
	said.BGP = v.fabric.Status(status.Spec.Node)
	if slices.Contains(status.Spec.Classes, calico.ClassAgent) {
		said.Agent.BIRDV4.State, said.Agent.BIRDV6.State = calico.DaemonReady, calico.DaemonReady
		if v.birdless[status.Spec.Node] {
			said.Agent.BIRDV4.State = calico.DaemonNotReady
		}
	}
	if !said.LastUpdated.IsZero() && fmt.Sprint(said) == fmt.Sprint(status.Status) {
		return
	}
	said.LastUpdated = metav1.NewTime(v.now)
	status.Status = said
}

// fewReports asserts that no more reports are asked for than all nodes can bear.
func (v *virtual) fewReports() {
	v.t.Helper()
	if n := len(v.statuses); n > sessions.MaxReports {
		v.t.Fatalf("%d CalicoNodeStatuses, at most %d; steps:\n%s", n, sessions.MaxReports, v.story())
	}
}

// writes are the steps but for those about reports, which change nothing in BGP.
func (v *virtual) writes() []*rollout.Step {
	return slices.DeleteFunc(slices.Clone(v.steps), func(step *rollout.Step) bool { return step.NodeStatus != nil })
}

// resting asserts that nobody is asked more often than rest allows.
func (v *virtual) resting() {
	v.t.Helper()
	for i := range v.statuses {
		if period := v.statuses[i].Spec.UpdatePeriodSeconds; *period < sessions.RestSeconds {
			v.t.Errorf("%s reports every %d s at rest; steps:\n%s", v.statuses[i].Name, *period, v.story())
		}
	}
}

// vitals are what is known early of the reflectors and of two other nodes a zone: kubelets
// renew their Leases every 10 s, and a pod fails its third readiness probe after 30 s.
func (v *virtual) vitals() map[string]rollout.Vital {
	out := map[string]rollout.Vital{}
	others := map[string]int{}
	for _, node := range v.nodes {
		if _, reflector := node.Labels[v1alpha1.ReflectorLabel]; !reflector {
			zone := node.Labels["topology.kubernetes.io/zone"]
			if others[zone]++; others[zone] > 2 {
				continue
			}
		}
		at := v.now
		if since, silent := v.silent[node.Name]; silent {
			at = since
		}
		vital := rollout.Vital{Heartbeat: at.Truncate(10 * time.Second)}
		if since, wedged := v.wedged[node.Name]; wedged && v.now.Sub(since) >= 30*time.Second {
			vital.AgentNotReady = since.Add(30 * time.Second)
		}
		out[node.Name] = vital
	}
	if v.mislead != nil {
		v.mislead(out)
	}
	return out
}

// wedge stops a node's BIRD where it is; Kubernetes takes the node for ready.
func (v *virtual) wedge(name string) {
	v.dead[name], v.wedged[name] = true, v.now
	v.fabric.Kill(v.now, name)
}

// endBIRD ends a node's BIRD, which is not started again: its connections close.
func (v *virtual) endBIRD(name string) {
	v.birdless[name], v.wedged[name] = true, v.now
	v.fabric.Crash(v.now, name)
}

// endAgent ends a node's calico-node, which does not come back: its image cannot be pulled.
func (v *virtual) endAgent(name string) {
	ended := v.now
	v.dead[name] = true
	v.fabric.Crash(v.now, name)
	before := v.mislead
	v.mislead = func(vitals map[string]rollout.Vital) {
		if before != nil {
			before(vitals)
		}
		if vital := vitals[name]; v.dead[name] {
			vital.AgentNotReady, vital.AgentStarted = ended, ended
			vitals[name] = vital
		}
	}
}
