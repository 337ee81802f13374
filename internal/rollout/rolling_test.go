package rollout_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
)

// roll upgrades all nodes, one after the other: each is cordoned, drained for three minutes,
// away for a minute, and back with a newer kubelet; as the same node or as a new one of
// the same name.
func (v *virtual) roll(order []string, replaced bool) {
	for _, name := range order {
		node := v.node(name)
		node.Unschedulable = true
		v.sync()
		v.coast(3 * time.Minute)
		if _, still := v.node(name).Labels[v1alpha1.ReflectorLabel]; still {
			v.t.Errorf("the pods of %s go while it is a route reflector; steps:\n%s", name, v.roleStory())
		}
		v.dead[name] = true
		v.fabric.Kill(v.now, name)
		if replaced {
			v.renew(name)
			v.coast(time.Minute)
			continue
		}
		v.coast(20 * time.Second)
		v.notReady(name)
		v.coast(40 * time.Second)
		v.revive(name)
		node = v.node(name)
		node.Unschedulable, node.KubeletVersion = false, "v1.35.1"
		v.sync()
		v.coast(20 * time.Second)
	}
}

// renew deletes a node and adds another one of its name and address.
func (v *virtual) renew(name string) {
	old := *v.node(name)
	v.remove(name)
	v.coast(30 * time.Second)
	delete(v.dead, name)
	v.serial++
	fresh := inventory.Node{
		Name: name, UID: fmt.Sprintf("uid-%d", v.serial), OS: "linux", Created: v.now, Ready: true, ReadySince: v.now,
		IPv4: old.IPv4, IPv6: old.IPv6, KubeletVersion: "v1.35.1", Labels: map[string]string{},
	}
	for key, value := range old.Labels {
		if key == "kubernetes.io/hostname" || key == "topology.kubernetes.io/zone" {
			fresh.Labels[key] = value
		}
	}
	v.nodes = append(v.nodes, fresh)
	slices.SortFunc(v.nodes, func(a, b inventory.Node) int { return slices.Compare([]byte(a.Name), []byte(b.Name)) })
	v.sync()
}

// order of a roll: by name, the reflectors last or first.
func (v *virtual) rollOrder(reflectors string) []string {
	var out []string
	for _, node := range v.nodes {
		if reflectors == "by name" || !slices.Contains(v.reflectors(), node.Name) {
			out = append(out, node.Name)
		}
	}
	switch reflectors {
	case "first":
		return slices.Concat(v.reflectors(), out)
	case "last":
		return slices.Concat(out, v.reflectors())
	}
	return out
}

func TestRollingUpgrade(t *testing.T) {
	for _, order := range []string{"first", "last", "by name"} {
		for _, replaced := range []bool{false, true} {
			t.Run(fmt.Sprintf("reflectors %s, replaced %v", order, replaced), func(t *testing.T) {
				t.Parallel()
				v := newVirtual(t, 71, 21, 3)
				for i := range v.nodes {
					v.nodes[i].KubeletVersion = "v1.34.9"
				}
				v.set(ratio(7), single, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.ScaleDownStabilizationSeconds = nil })
				v.run(10 * time.Minute)
				m := len(v.reflectors())
				v.reset()
				v.roll(v.rollOrder(order), replaced)
				v.run(20 * time.Minute)
				t.Logf("%d role changes, m %d, %d steps", v.roles(), m, len(v.steps))
				if v.roles() > 2*m {
					t.Errorf("%d role changes; steps:\n%s", v.roles(), v.roleStory())
				}
				if account := v.fabric.Account(); account.Ordinary.RouteTime != 0 {
					t.Errorf("ordinary nodes lost routes: %v", account)
				}
			})
		}
	}
}

// roleStory is the part of the story that moves roles.
func (v *virtual) roleStory() string {
	out := ""
	for _, step := range v.steps {
		if step.Action == rollout.SetRole || step.Action == rollout.ClearRole {
			out += fmt.Sprintf("  %-10s %-16s %s\n", step.Action, step.Object, step.Why)
		}
	}
	return out
}

// TestCalicoNodeRoll restarts calico-node on one node after the other. BIRD on it is
// away for up to 120 s, which graceful restart bridges, and its Node stays ready: no
// role moves.
func TestCalicoNodeRoll(t *testing.T) {
	v := standsIn(t, 72, 24, 3, v1alpha1.TopologySingle)
	for _, name := range v.rollOrder("by name") {
		v.dead[name] = true
		v.fabric.Kill(v.now, name)
		v.coast(115 * time.Second)
		delete(v.dead, name)
		v.fabric.Revive(v.now, name)
		v.coast(15 * time.Second)
	}
	if v.roles() > 0 {
		t.Errorf("roles moved; steps:\n%s", v.story())
	}
}
