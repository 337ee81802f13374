package rollout_test

import (
	"fmt"
	"slices"
	"strings"
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

// order of a roll: by name, or zone by zone, or the reflectors last or first.
func (v *virtual) rollOrder(kind string) []string {
	var out []string
	for _, node := range v.nodes {
		out = append(out, node.Name)
	}
	key := func(name string) string {
		switch reflector := slices.Contains(v.reflectors(), name); {
		case kind == "zone by zone":
			return v.node(name).Labels["topology.kubernetes.io/zone"]
		case kind == "reflectors first" && !reflector, kind == "reflectors last" && reflector:
			return "later"
		}
		return ""
	}
	slices.SortStableFunc(out, func(a, b string) int { return strings.Compare(key(a), key(b)) })
	return out
}

// rolled upgrades all nodes of a cluster at rest, and asserts that roles change no more
// often than twice a reflector and so many times more.
func (v *virtual) rolled(order string, replaced bool, more int) {
	v.t.Helper()
	for i := range v.nodes {
		v.nodes[i].KubeletVersion = "v1.34.9"
	}
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.ScaleDownStabilizationSeconds = nil })
	v.run(10 * time.Minute)
	m := len(v.reflectors())
	v.reset()
	v.roll(v.rollOrder(order), replaced)
	v.run(20 * time.Minute)
	v.t.Logf("%d role changes, m %d, %d steps", v.moves, m, len(v.steps))
	if v.moves > 2*m+more {
		v.t.Errorf("%d role changes, at most %d are needed; steps:\n%s", v.moves, 2*m+more, v.roleStory())
	}
	if now := len(v.reflectors()); now != m {
		v.t.Errorf("%d reflectors before, %d after; steps:\n%s", m, now, v.roleStory())
	}
	if account := v.fabric.Account(); account.Ordinary.RouteTime != 0 {
		v.t.Errorf("ordinary nodes lost routes: %v", account)
	}
}

func TestRollingUpgrade(t *testing.T) {
	for _, order := range []string{"reflectors first", "reflectors last", "by name"} {
		for _, replaced := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, replaced %v", order, replaced), func(t *testing.T) {
				t.Parallel()
				v := newVirtual(t, 71, 21, 3)
				v.set(ratio(7), single)
				v.run(10 * time.Minute)
				v.rolled(order, replaced, 0)
			})
		}
	}
}

// TestRollingUpgradeInGroups: what TestRolls of internal/topology asserts of plans, with the
// steps between them. In Hierarchy the spine needs each of its reflectors at any time: the first that
// is cordoned before any node has been upgraded costs two more.
func TestRollingUpgradeInGroups(t *testing.T) {
	third := func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.ReflectorsPerClient = 3 }
	for _, c := range []struct {
		topology v1alpha1.Topology
		change   change
		nodes    int
		order    string
		replaced bool
		more     int
	}{
		{v1alpha1.TopologyMulti, third, 24, "reflectors first", false, 0},
		{v1alpha1.TopologyMulti, third, 24, "zone by zone", true, 0},
		{v1alpha1.TopologyMulti, ratio(5), 24, "reflectors first", true, 0},
		{v1alpha1.TopologyQuorum, third, 24, "reflectors first", false, 0},
		{v1alpha1.TopologyHierarchy, third, 24, "reflectors first", false, 2},
		{v1alpha1.TopologyHierarchy, third, 24, "zone by zone", true, 2},
		{v1alpha1.TopologyHierarchy, third, 24, "reflectors last", false, 0},
	} {
		t.Run(fmt.Sprintf("%s, %s, replaced %v", c.topology, c.order, c.replaced), func(t *testing.T) {
			t.Parallel()
			standsIn(t, 71, c.nodes, 3, c.topology, c.change).rolled(c.order, c.replaced, c.more)
		})
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
