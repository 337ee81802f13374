package rollout_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// TestMeddledHistories plays random histories in which people edit the policy in
// the middle of a rollout, undo what was written, and nodes join again under their
// names. TAPETUM_SEED runs one seed, TAPETUM_SEEDS more of them.
func TestMeddledHistories(t *testing.T) {
	forSeeds(t, 10, func(t *testing.T, seed uint64) {
		meddled{history{newVirtual(t, seed, 12+int(seed%3)*4, 1+int(seed%4)), rand.New(rand.NewPCG(seed, 2))}}.play()
	})
}

type meddled struct{ history }

func (m meddled) play() {
	m.set(ratio(6), single, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Max = 4 })
	m.run(10 * time.Minute)
	m.reset()
	m.events(60, m.meddle, func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Mode, s.Placement.Exclude, s.NodeMesh = v1alpha1.ModeApply, nil, v1alpha1.NodeMeshManaged
	})
}

// meddle does one thing, and tells what.
func (m meddled) meddle() string {
	kinds := []func() string{
		m.event, m.event, m.event, m.newID, m.newGate, m.newZones, m.newMode, m.exclude, m.joinAgain, m.newAddress,
		m.dropReport, m.dropPin, m.newSettle, m.newMeshUpTo,
	}
	for {
		if told := kinds[m.rng.IntN(len(kinds))](); told != "" {
			return told
		}
	}
}

func (m meddled) edit(told string, change change) string {
	m.set(change)
	return told
}

func (m meddled) newID() string {
	id := fmt.Sprintf("10.0.0.%d", 1+m.rng.IntN(3))
	return m.edit("cluster ID "+id, clusterID(id))
}

func (m meddled) newGate() string {
	gate, settle := v1alpha1.GateSessions, int32(5)
	if m.rng.IntN(3) == 0 {
		gate, settle = v1alpha1.GateDelay, 40
	}
	return m.edit("gate "+string(gate), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Rollout.Gate, s.Rollout.SettleSeconds = gate, &settle
	})
}

func (m meddled) newSettle() string {
	seconds := int32(m.rng.IntN(4) * 3)
	if m.autoscaler.Spec.Rollout.Gate == v1alpha1.GateDelay {
		return ""
	}
	return m.edit(fmt.Sprintf("settle %d s", seconds), func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Rollout.SettleSeconds = &seconds })
}

func (m meddled) newZones() string {
	label := []string{"", "kubernetes.io/hostname", "none/of-these"}[m.rng.IntN(3)]
	return m.edit("zone label "+label, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.ZoneLabel = label })
}

func (m meddled) newMode() string {
	mode := []v1alpha1.Mode{v1alpha1.ModeApply, v1alpha1.ModePaused, v1alpha1.ModeDryRun}[m.rng.IntN(3)]
	return m.edit("mode "+string(mode), func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Mode = mode })
}

func (m meddled) newMeshUpTo() string {
	limit := int32(5 + m.rng.IntN(25))
	return m.edit(fmt.Sprintf("mesh up to %d", limit), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Topology, s.MeshUpTo = v1alpha1.TopologyAuto, &limit
	})
}

// exclude keeps some reflectors, or all nodes, from the role.
func (m meddled) exclude() string {
	all := m.reflectors()
	if len(all) == 0 {
		return ""
	}
	term := metav1.LabelSelector{}
	if m.rng.IntN(4) > 0 {
		term.MatchLabels = map[string]string{"kubernetes.io/hostname": all[m.rng.IntN(len(all))]}
	}
	return m.edit(fmt.Sprintf("exclude %v", term.MatchLabels), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Placement.Exclude = []metav1.LabelSelector{term}
	})
}

// joinAgain: a node goes and comes back under its name, perhaps elsewhere.
func (m meddled) joinAgain() string {
	node := m.nodes[m.rng.IntN(len(m.nodes))]
	if m.dead[node.Name] || !m.mayLose() {
		return ""
	}
	var address netip.Addr
	if m.rng.IntN(2) == 0 {
		address = netip.AddrFrom4([4]byte{10, 8, byte(m.rng.IntN(250)), 1})
	}
	m.changed[node.Name] = true
	m.recreate(node.Name, address, time.Duration(m.rng.IntN(3))*time.Second)
	m.node(node.Name).Labels["kubernetes.io/hostname"] = node.Name
	return fmt.Sprintf("%s joins again %v", node.Name, address)
}

func (m meddled) newAddress() string {
	if !m.mayLose() {
		return ""
	}
	node := &m.nodes[m.rng.IntN(len(m.nodes))]
	m.changed[node.Name] = true
	node.IPv4 = netip.AddrFrom4([4]byte{10, 9, byte(m.rng.IntN(250)), 1})
	return node.Name + " has another address"
}

func (m meddled) dropReport() string {
	if len(m.statuses) == 0 {
		return ""
	}
	i := m.rng.IntN(len(m.statuses))
	told := "deleted " + m.statuses[i].Name
	m.statuses = slices.Delete(slices.Clone(m.statuses), i, i+1)
	return told
}

// dropPin deletes a pin: the two reflectors lose each other until it is back.
func (m meddled) dropPin() string {
	for i := range m.peers {
		if a, b := m.peers[i].Spec.Node, m.peers[i].Spec.PeerIP; a != "" && b != "" {
			told := "deleted " + m.peers[i].Name
			m.changed[a] = true
			m.peers = slices.Delete(slices.Clone(m.peers), i, i+1)
			return told
		}
	}
	return ""
}
