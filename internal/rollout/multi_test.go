package rollout_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/rollout"
)

// standsIn is a cluster at rest in a topology.
func standsIn(t *testing.T, seed uint64, nodes, zones int, topology v1alpha1.Topology, changes ...change) *virtual {
	t.Helper()
	v := newVirtual(t, seed, nodes, zones)
	v.set(append([]change{ratio(12), grouped, to(topology)}, changes...)...)
	v.run(20 * time.Minute)
	v.noLoss()
	v.reset()
	return v
}

// homed tells how many nodes have a home.
func (v *virtual) homed() (homes, settled int) {
	for _, node := range v.nodes {
		if node.Labels[v1alpha1.HomeLabel] != "" {
			homes++
		}
		if node.Labels[v1alpha1.SettledLabel] != "" {
			settled++
		}
	}
	return homes, settled
}

// TestNewNodeInGroups: where a label of the cluster's tells the groups nothing is
// written for a new node; else its home, and that it is settled.
func TestNewNodeInGroups(t *testing.T) {
	for zones, want := range map[int]int{0: 2, 3: 0} {
		t.Run(fmt.Sprintf("%d zones", zones), func(t *testing.T) {
			v := standsIn(t, 110, 40, zones, v1alpha1.TopologyMulti)
			if homes, _ := v.homed(); (homes > 0) != (zones == 0) {
				t.Fatalf("%d homes with %d zones; steps:\n%s", homes, zones, v.story())
			}
			v.add(1, zones)
			v.sync()
			name := v.nodes[len(v.nodes)-1].Name
			// It has all routes before Tapetum has done anything.
			v.runFor(30 * time.Second)
			v.run(5 * time.Minute)
			v.noLoss()
			if len(v.steps) != want {
				t.Errorf("%d writes, want %d:\n%s", len(v.steps), want, v.story())
			}
			for _, step := range v.steps {
				if step.Action != rollout.SetHomes || len(step.Homes) != 1 || step.Homes[0].Node != name || step.Repair {
					t.Errorf("%s", step)
				}
			}
			if homes, settled := v.homed(); homes != settled {
				t.Errorf("%d homes, %d settled", homes, settled)
			}
		})
	}
}

// TestNewNodeIsServedWithoutTapetum: the catch-all carries it while Tapetum is away.
func TestNewNodeIsServedWithoutTapetum(t *testing.T) {
	for _, topology := range []v1alpha1.Topology{v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum} {
		v := standsIn(t, 111, 40, 0, topology, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Placement.Pinned = nil })
		v.add(3, 0)
		v.sync()
		v.idle(time.Minute)
		if n, sample := v.fabric.MissingPairs(); n > 0 {
			t.Errorf("%s: %d pairs without a route, such as %v", topology, n, sample)
		}
	}
}

// TestLostReflectorOfMany: its replacement takes over its groups; no client is written.
func TestLostReflectorOfMany(t *testing.T) {
	for _, zones := range []int{0, 3} {
		for _, topology := range []v1alpha1.Topology{v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy} {
			if zones == 0 && topology == v1alpha1.TopologyHierarchy {
				continue // no racks
			}
			t.Run(fmt.Sprintf("%s %d zones", topology, zones), func(t *testing.T) {
				t.Parallel()
				v := standsIn(t, 112, 60, zones, topology)
				count := len(v.reflectors())
				dead := v.reflectors()[count-1]
				served := v.servesOf(dead)
				reports := slices.ContainsFunc(v.statuses, func(s calico.CalicoNodeStatus) bool { return s.Spec.Node == dead })
				v.kill(dead)
				v.runFor(60 * time.Second)
				v.run(20 * time.Minute)
				v.noLoss()
				if got := v.reflectors(); len(got) != count || slices.Contains(got, dead) {
					t.Errorf("reflectors %v without %s, want %d", got, dead, count)
				}
				// Asked whether it is alive, replaced, and the reports. One that has none is
				// asked in the place of another.
				most := 5
				if !reports {
					most++
				}
				if len(v.steps) > most {
					t.Errorf("%d writes:\n%s", len(v.steps), v.story())
				}
				for _, step := range v.steps {
					if step.Action == rollout.SetHomes {
						t.Errorf("a client is written: %s", step)
					}
					if step.Action != rollout.SetRole {
						continue
					}
					if got := v.servesOf(step.Role.Node); !slices.Equal(got, served) {
						t.Errorf("%s serves %v, the lost one served %v", step.Role.Node, got, served)
					}
				}
			})
		}
	}
}

// TestCordonedReflectorOfMany is replaced by one other, which takes over its groups.
func TestCordonedReflectorOfMany(t *testing.T) {
	for _, topology := range every[1:] {
		t.Run(string(topology), func(t *testing.T) {
			t.Parallel()
			v := standsIn(t, 117, 60, 3, topology)
			count := len(v.reflectors())
			cordoned := v.reflectors()[count-1]
			v.node(cordoned).Unschedulable = true
			v.run(20 * time.Minute)
			v.noLoss()
			v.expect(count)
			if n := v.count()[rollout.ClearRole]; n != 1 || slices.Contains(v.reflectors(), cordoned) {
				t.Errorf("%d roles taken, want that of %s; steps:\n%s", n, cordoned, v.story())
			}
		})
	}
}

func (v *virtual) servesOf(name string) []string {
	var out []string
	for key := range v.node(name).Labels {
		if strings.HasPrefix(key, v1alpha1.ServesLabelPrefix) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// TestHandsInGroups: whatever somebody changes of what makes the groups is put back,
// with few writes.
func TestHandsInGroups(t *testing.T) {
	client := func(v *virtual) map[string]string {
		for i := range v.nodes {
			if _, reflector := v.nodes[i].Labels[v1alpha1.ReflectorLabel]; !reflector {
				v.changed[v.nodes[i].Name] = true
				v.nodes[i].Labels = maps.Clone(v.nodes[i].Labels)
				return v.nodes[i].Labels
			}
		}
		return nil
	}
	role := func(v *virtual) map[string]string {
		node := v.node(v.reflectors()[0])
		v.changed[node.Name] = true
		node.Labels = maps.Clone(node.Labels)
		return node.Labels
	}
	peer := func(v *virtual, prefix string) *calico.BGPPeer {
		v.peers = slices.Clone(v.peers)
		i := slices.IndexFunc(v.peers, func(p calico.BGPPeer) bool { return strings.HasPrefix(p.Name, prefix) })
		return &v.peers[i]
	}
	without := func(v *virtual, prefix string) {
		name := peer(v, prefix).Name
		v.peers = slices.DeleteFunc(v.peers, func(p calico.BGPPeer) bool { return p.Name == name })
	}
	for name, hand := range map[string]struct {
		do     func(*virtual)
		writes int
		// repair: it is counted as undone by somebody.
		repair bool
	}{
		"filter deleted": {func(v *virtual) { v.filters = nil }, 1, true},
		"filter edited": {func(v *virtual) {
			v.filters = []calico.BGPFilter{*v.filters[0].DeepCopy()}
			v.filters[0].Spec.ExportV4 = nil
		}, 1, true},
		"filter off the peering": {func(v *virtual) { peer(v, render.ReflectorsName).Spec.Filters = nil }, 1, true},
		"reflectors' peering edited": {func(v *virtual) {
			peer(v, render.ReflectorsName).Spec.PeerSelector = "all()"
		}, 1, true},
		"reflectors' peering deleted": {func(v *virtual) { without(v, render.ReflectorsName) }, 1, true},
		"group's peering deleted":     {func(v *virtual) { without(v, render.GroupPrefix) }, 1, true},
		"group's peering edited": {func(v *virtual) {
			peer(v, render.GroupPrefix).Spec.NodeSelector = "has(nothing)"
		}, 1, true},
		"group's peering made one-sided": {func(v *virtual) {
			peer(v, render.GroupPrefix).Spec.ReversePeering = "Manual"
		}, 1, true},
		"catch-all deleted":  {func(v *virtual) { without(v, render.ClientsName) }, 1, true},
		"catch-all edited":   {func(v *virtual) { peer(v, render.ClientsName).Spec.NodeSelector = "has(nothing)" }, 1, true},
		"catch-all narrowed": {func(v *virtual) { peer(v, render.ClientsName).Spec.NodeSelector += " && !(a in {'b'})" }, 1, true},
		"catch-all widened":  {func(v *virtual) { peer(v, render.ClientsName).Spec.NodeSelector = render.EveryClient }, 1, false},
		"home removed":       {func(v *virtual) { delete(client(v), v1alpha1.HomeLabel) }, 1, true},
		"settled removed":    {func(v *virtual) { delete(client(v), v1alpha1.SettledLabel) }, 1, false},
		"home of no group":   {func(v *virtual) { client(v)[v1alpha1.HomeLabel] = "nowhere" }, 20, false},
		"serves more":        {func(v *virtual) { role(v)[v1alpha1.ServesLabelPrefix+"none-77"] = "true" }, 1, false},
		"tier removed":       {func(v *virtual) { delete(role(v), v1alpha1.ReflectorLabel) }, 1, true},
		"tier changed":       {func(v *virtual) { role(v)[v1alpha1.ReflectorLabel] = "core" }, 1, true},
		"tier unknown":       {func(v *virtual) { role(v)[v1alpha1.ReflectorLabel] = "top" }, 1, true},
		"cluster ID removed": {func(v *virtual) { role(v); v.node(v.reflectors()[0]).ClusterID = "" }, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := standsIn(t, 113, 40, 0, v1alpha1.TopologyMulti)
			before := v.snapshot()
			hand.do(v)
			v.sync()
			v.run(10 * time.Minute)
			if n, sample := v.fabric.MissingPairs(); n > 0 {
				t.Errorf("%d pairs without a route, such as %v", n, sample)
			}
			if after := v.snapshot(); after != before && name != "home of no group" {
				t.Errorf("not as before:\n%s\nbefore:\n%s\nsteps:\n%s", after, before, v.story())
			}
			writes := v.writes()
			if len(writes) > hand.writes {
				t.Errorf("%d writes, want %d:\n%s", len(writes), hand.writes, v.story())
			}
			if len(writes) > 0 && writes[0].Repair != hand.repair {
				t.Errorf("repair %v: %s", writes[0].Repair, writes[0])
			}
		})
	}
}

// snapshot says all of ours.
func (v *virtual) snapshot() string {
	var out []string
	for _, node := range v.nodes {
		for key, value := range node.Labels {
			if strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) {
				out = append(out, node.Name+" "+key+"="+value)
			}
		}
		if node.ClusterID != "" {
			out = append(out, node.Name+" "+node.ClusterID)
		}
	}
	for _, peer := range v.peers {
		out = append(out, fmt.Sprint(peer.Name, peer.Spec))
	}
	for _, filter := range v.filters {
		out = append(out, fmt.Sprint(filter.Name, len(filter.Spec.ExportV4)))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// TestContestsInGroups: what somebody keeps undoing is given up.
func TestContestsInGroups(t *testing.T) {
	for name, undo := range map[string]func(*virtual){
		"filter": func(v *virtual) { v.filters = nil },
		"group": func(v *virtual) {
			v.peers = slices.DeleteFunc(slices.Clone(v.peers), func(p calico.BGPPeer) bool { return p.Name == render.GroupPrefix+"none-1" })
		},
		"home": func(v *virtual) {
			for i := range v.nodes {
				if v.nodes[i].Labels[v1alpha1.SettledLabel] != "" {
					delete(v.nodes[i].Labels, v1alpha1.HomeLabel)
					return
				}
			}
		},
		"settled": func(v *virtual) {
			for i := range v.nodes {
				if v.nodes[i].Labels[v1alpha1.SettledLabel] != "" {
					delete(v.nodes[i].Labels, v1alpha1.SettledLabel)
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := standsIn(t, 114, 40, 0, v1alpha1.TopologyMulti)
			v.insist(8, 40*time.Second, undo)
			if v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonContested {
				t.Errorf("Degraded reason %q; steps:\n%s", v.reason(v1alpha1.ConditionDegraded), v.story())
			}
		})
	}
}

// TestServesRemovedByHand is put back at once, and given up when somebody insists.
func TestServesRemovedByHand(t *testing.T) {
	v := standsIn(t, 116, 60, 3, v1alpha1.TopologyHierarchy)
	before := v.snapshot()
	undo := func() {
		for _, name := range v.reflectors() {
			if labels := v.node(name).Labels; labels[v1alpha1.ReflectorLabel] == "core" {
				v.changed[name] = true
				delete(labels, v1alpha1.ServesLabelPrefix+"all")
				v.sync()
				return
			}
		}
	}
	undo()
	v.run(5 * time.Minute)
	if len(v.steps) != 1 || !v.steps[0].Repair || v.snapshot() != before {
		t.Errorf("one repair mends it; steps:\n%s", v.story())
	}
	for range 4 {
		undo()
		v.runFor(40 * time.Second)
	}
	if v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonContested {
		t.Errorf("Degraded reason %q; steps:\n%s", v.reason(v1alpha1.ConditionDegraded), v.story())
	}
}

// TestProtection follows the policy and goes with the role.
func TestProtection(t *testing.T) {
	v := standsIn(t, 115, 30, 3, v1alpha1.TopologySingle)
	protected := func() int {
		n := 0
		for _, node := range v.nodes {
			n += len(node.Protected)
		}
		return n
	}
	m := len(v.reflectors())
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Placement.ProtectFrom = []v1alpha1.NodeAutoscaler{v1alpha1.Karpenter, v1alpha1.ClusterAutoscaler}
	})
	v.run(5 * time.Minute)
	if len(v.steps) != m || protected() != 2*m {
		t.Errorf("%d annotations on %d reflectors; steps:\n%s", protected(), m, v.story())
	}
	// Somebody else uses one of them on a node.
	v.reset()
	other := v.node(v.reflectors()[0])
	other.ProtectedOtherwise, other.Protected = []string{v1alpha1.DoNotDisruptAnnotation}, []string{v1alpha1.ScaleDownDisabledAnnotation}
	v.run(5 * time.Minute)
	if len(v.steps) > 0 {
		t.Errorf("steps:\n%s", v.story())
	}
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Placement.ProtectFrom = nil })
	v.run(5 * time.Minute)
	if len(v.steps) != m || protected() != 0 {
		t.Errorf("%d annotations left; steps:\n%s", protected(), v.story())
	}
	v.noLoss()
	// What is left on a node without the role goes.
	v.reset()
	v.node(v.ordinaryNode()).Protected = []string{v1alpha1.DoNotDisruptAnnotation}
	v.run(5 * time.Minute)
	if len(v.steps) != 1 || protected() != 0 {
		t.Errorf("%d annotations left; steps:\n%s", protected(), v.story())
	}
}
