package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/topology"
)

// replanned makes the plan as it is now, changed, the plan from now on.
func (v *virtual) replanned(change func(*topology.Plan, topology.Request)) {
	var fixed *topology.Plan
	v.plan = func(request topology.Request) topology.Plan {
		if fixed == nil {
			plan := topology.Make(request)
			change(&plan, request)
			fixed = &plan
		}
		return *fixed
	}
}

// TestShardGivenUp: its clients come back into the catch-all before they get another
// home, and leave it when that has been seen to serve them.
func TestShardGivenUp(t *testing.T) {
	v := standsIn(t, 120, 40, 0, v1alpha1.TopologyMulti)
	v.replanned(func(plan *topology.Plan, _ topology.Request) {
		plan.Groups = slices.DeleteFunc(plan.Groups, func(g topology.Group) bool { return g.Name == "none-1" })
		for name, home := range plan.Homes {
			if home == "none-1" {
				plan.Homes[name] = "none-2"
			}
		}
		for i := range plan.Reflectors {
			serves := &plan.Reflectors[i].Serves
			*serves = slices.DeleteFunc(slices.Clone(*serves), func(group string) bool { return group == "none-1" })
		}
	})
	v.run(10 * time.Minute)
	v.noLoss()
	for _, node := range v.nodes {
		if home := node.Labels[v1alpha1.HomeLabel]; home == "none-1" || home != node.Labels[v1alpha1.SettledLabel] {
			t.Errorf("%s has home %q, settled %q", node.Name, home, node.Labels[v1alpha1.SettledLabel])
		}
	}
	for _, peer := range v.peers {
		if peer.Name == render.GroupPrefix+"none-1" {
			t.Error("the BGPPeer of the group that is given up is left")
		}
	}
	var homes []int
	for _, step := range v.steps {
		if step.Action == rollout.SetHomes {
			homes = append(homes, len(step.Homes))
		}
	}
	if len(homes) != 3 {
		t.Errorf("homes written in steps of %v nodes, want three: out of settled, the new home, settled:\n%s", homes, v.story())
	}
}

// TestGroupHandedOver: one reflector takes a group up, and only then another leaves it.
func TestGroupHandedOver(t *testing.T) {
	v := standsIn(t, 129, 40, 0, v1alpha1.TopologyMulti)
	var from, into string
	v.replanned(func(plan *topology.Plan, _ topology.Request) {
		for i := range plan.Reflectors {
			r := &plan.Reflectors[i]
			r.Serves = slices.Clone(r.Serves)
			switch at := slices.Index(r.Serves, "none-1"); {
			case at >= 0 && from == "":
				from, r.Serves = r.Node, slices.Delete(r.Serves, at, at+1)
			case at < 0 && into == "":
				into, r.Serves = r.Node, append(r.Serves, "none-1")
			}
		}
	})
	v.run(10 * time.Minute)
	v.noLoss()
	if w := v.writes(); len(w) != 2 || w[0].Object != "Node/"+into || w[1].Object != "Node/"+from || !w[1].Subtractive {
		t.Errorf("%s takes over from %s; steps:\n%s", into, from, v.story())
	}
	if slices.Contains(v.servesOf(from), v1alpha1.ServesLabelPrefix+"none-1") {
		t.Errorf("%s has not left the group", from)
	}
}

// TestGroupToldByAnotherLabel: groups of zones become groups by home.
func TestGroupToldByAnotherLabel(t *testing.T) {
	v := standsIn(t, 121, 60, 3, v1alpha1.TopologyMulti)
	v.replanned(func(plan *topology.Plan, request topology.Request) {
		for i := range plan.Groups {
			plan.Groups[i].Label, plan.Groups[i].Value = "", ""
		}
		for i := range request.Nodes {
			plan.Homes[request.Nodes[i].Name] = request.Nodes[i].Labels["topology.kubernetes.io/zone"]
		}
	})
	v.run(10 * time.Minute)
	v.noLoss()
	for _, peer := range v.peers {
		if strings.HasPrefix(peer.Name, render.GroupPrefix) && !strings.Contains(peer.Spec.NodeSelector, v1alpha1.HomeLabel) {
			t.Errorf("%s is still %s", peer.Name, peer.Spec.NodeSelector)
		}
	}
	for _, step := range v.steps {
		if step.Repair {
			t.Errorf("nobody has undone anything: %s", step)
		}
	}
}

// TestHomesBeforeReflectors: from the mesh clients are settled before there is anybody
// in the catch-all to peer with, in one write each.
func TestHomesBeforeReflectors(t *testing.T) {
	v := standsIn(t, 122, 70, 0, v1alpha1.TopologyMesh)
	v.set(to(v1alpha1.TopologyMulti))
	v.run(10 * time.Minute)
	v.noLoss()
	written, reflectors := 0, 0
	for _, step := range v.steps {
		switch step.Action {
		case rollout.SetHomes:
			written += len(step.Homes)
			if reflectors > 0 {
				t.Errorf("behind a reflector: %s", step)
			}
			if len(step.Homes) > 50 {
				t.Errorf("%d homes in one step", len(step.Homes))
			}
		case rollout.SetRole:
			reflectors++
		}
	}
	if written != 70-len(v.reflectors()) {
		t.Errorf("%d homes written for %d clients", written, 70-len(v.reflectors()))
	}
}

// TestGroupWithoutClients is left though a gate is shut.
func TestGroupWithoutClients(t *testing.T) {
	v := standsIn(t, 123, 40, 0, v1alpha1.TopologyMulti)
	v.fabric.Kill(v.now, v.ordinaryNode()) // Ready for Kubernetes, but mute
	v.runFor(5 * time.Minute)
	labels := v.node(v.reflectors()[0]).Labels
	labels[v1alpha1.ServesLabelPrefix+"none-77"] = "true"
	v.sync()
	v.runFor(20 * time.Second)
	if labels = v.node(v.reflectors()[0]).Labels; labels[v1alpha1.ServesLabelPrefix+"none-77"] != "" || len(v.steps) != 1 {
		t.Errorf("still served; steps:\n%s", v.story())
	}
}

// TestMuteNewNode holds nothing up but Ready, and is named in the end.
func TestMuteNewNode(t *testing.T) {
	v := standsIn(t, 124, 40, 0, v1alpha1.TopologyMulti)
	v.add(2, 0)
	mute, speaks := v.nodes[len(v.nodes)-2].Name, v.nodes[len(v.nodes)-1].Name
	v.fabric.Kill(v.now, mute)
	v.sync()
	v.fabric.Kill(v.now, mute)
	v.runFor(time.Minute)
	if v.node(speaks).Labels[v1alpha1.SettledLabel] == "" {
		t.Errorf("%s is not settled; steps:\n%s", speaks, v.story())
	}
	if v.node(mute).Labels[v1alpha1.SettledLabel] != "" || v.reason(v1alpha1.ConditionReady) != rollout.ReasonSessions {
		t.Errorf("%s is settled, or not waited for: %s", mute, v.reason(v1alpha1.ConditionReady))
	}
	v.runFor(6 * time.Minute)
	for _, c := range v.autoscaler.Status.Conditions {
		if c.Type == v1alpha1.ConditionDegraded && (c.Reason != rollout.ReasonSessionTimeout || !strings.Contains(c.Message, mute)) {
			t.Errorf("%s: %s", c.Reason, c.Message)
		}
	}
}

// TestForeignFilter of the same name is not touched.
func TestForeignFilter(t *testing.T) {
	v := newVirtual(t, 125, 30, 3)
	foreign := *render.Filter()
	foreign.Labels, foreign.Spec.ExportV4 = nil, nil
	v.filters = append(v.filters, foreign)
	v.set(ratio(10), grouped, to(v1alpha1.TopologyMulti))
	v.runFor(2 * time.Minute)
	if v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonForeignFilter || len(v.steps) > 0 || v.filters[0].Spec.ExportV4 != nil {
		t.Errorf("Degraded reason %s; steps:\n%s", v.reason(v1alpha1.ConditionDegraded), v.story())
	}
	v.noLoss()
}

// TestWithoutTagFilter: up to three reflectors with IDs of their own do without, and
// nothing names the filter.
func TestWithoutTagFilter(t *testing.T) {
	v := newVirtual(t, 126, 40, 3)
	v.tagFilter = topology.TagFilterSupport{Why: "Calico is older than v3.32"}
	v.set(ratio(20), grouped)
	for _, topology := range []v1alpha1.Topology{v1alpha1.TopologySingle, v1alpha1.TopologyMulti, v1alpha1.TopologySingle} {
		v.reset()
		v.set(to(topology))
		v.run(20 * time.Minute)
		v.noLoss()
		if v.last.Status.Topology != topology || len(v.filters) > 0 {
			t.Errorf("%s, %d filters; steps:\n%s", v.last.Status.Topology, len(v.filters), v.story())
		}
	}
}

// TestDelayGateInGroups: without reports, the settle time alone.
func TestDelayGateInGroups(t *testing.T) {
	v := newVirtual(t, 127, 40, 0)
	settle := int32(30)
	v.set(ratio(12), grouped, to(v1alpha1.TopologySingle), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Rollout.Gate, s.Rollout.SettleSeconds = v1alpha1.GateDelay, &settle
	})
	v.run(10 * time.Minute)
	v.set(to(v1alpha1.TopologyMulti))
	v.run(30 * time.Minute)
	v.add(3, 0)
	v.sync()
	v.run(10 * time.Minute)
	v.noLoss()
	if homes, settled := v.homed(); homes != settled || homes == 0 || len(v.statuses) > 0 {
		t.Errorf("%d homes, %d settled, %d reports", homes, settled, len(v.statuses))
	}
}

// TestDeletionFromEachTopology leaves nothing.
func TestDeletionFromEachTopology(t *testing.T) {
	for _, topology := range every[1:] {
		for _, after := range []int{8, 1000} {
			v := newVirtual(t, 128, 40, 3)
			v.set(ratio(12), grouped, to(topology))
			for len(v.steps) < after && !v.is(v1alpha1.ConditionReady) {
				v.pass()
				v.advance()
			}
			v.deleteAndWait()
			if homes, settled := v.homed(); homes+settled+len(v.filters) > 0 {
				t.Errorf("%s: %d homes, %d settled, %d filters left", topology, homes, settled, len(v.filters))
			}
		}
	}
}
