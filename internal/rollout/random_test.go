package rollout_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// TestRandomHistories plays random events, many of them before the last one has
// settled, and asserts that no ordinary node ever loses a route and that the
// cluster comes to rest. A failure prints its seed; TAPETUM_SEED runs one seed,
// TAPETUM_SEEDS more of them.
func TestRandomHistories(t *testing.T) {
	count := 12
	if testing.Short() {
		count = 4
	}
	forSeeds(t, count, func(t *testing.T, seed uint64) {
		history{newVirtual(t, seed, 12+int(seed%3)*8, 1+int(seed%4)), rand.New(rand.NewPCG(seed, 1))}.play()
	})
}

// forSeeds runs a test for so many seeds, or those that the environment asks for.
func forSeeds(t *testing.T, count int, test func(*testing.T, uint64)) {
	first := uint64(1)
	if n, err := strconv.Atoi(os.Getenv("TAPETUM_SEEDS")); err == nil {
		count = n
	}
	if seed, err := strconv.ParseUint(os.Getenv("TAPETUM_SEED"), 10, 64); err == nil {
		first, count = seed, 1
	}
	for seed := first; seed < first+uint64(count); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			test(t, seed)
		})
	}
}

type history struct {
	*virtual
	rng *rand.Rand
}

func (h history) play() {
	if h.rng.IntN(4) == 0 {
		h.dualStack()
		h.sync()
		h.idle(40 * time.Second)
		h.reset()
	}
	limit := int32(10)
	h.set(ratio(8), grouped, func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.MeshUpTo = &limit
		// A reflector for each five nodes is more than Quorum can be left or reached with
		// within the default.
		s.Limits.PathsPerRoute = 60
	})
	h.events(90, h.event)
}

// events lets twelve things happen, one up to so many seconds after the other, often
// before the last one has settled. In the end everything that is broken comes back,
// changes are made to the policy, and the cluster must come to rest.
func (h history) events(seconds int, event func() string, changes ...change) {
	var told []string
	for range 12 {
		told = append(told, fmt.Sprintf("%s %s", h.now.Format("15:04:05"), event()))
		h.sync()
		h.runFor(time.Duration(h.rng.IntN(seconds)) * time.Second)
		if account := h.fabric.Account(); account.Ordinary.RouteTime > 0 {
			h.t.Fatalf("ordinary nodes lost %+v after:\n%v\nsteps:\n%s", account.Ordinary, told, h.story())
		}
	}
	for name := range h.dead {
		h.revive(name)
	}
	for i := range h.nodes {
		h.nodes[i].Unschedulable = false
	}
	if len(changes) > 0 {
		h.set(changes...)
	}
	h.sync()
	h.run(30 * time.Minute)
	h.noLoss()
	if h.t.Failed() {
		h.t.Logf("events:\n%v", told)
	}
}

// event changes something, and tells what.
func (h history) event() string {
	kinds := []func() string{
		h.grow, h.grow, h.shrink, h.killReflector, h.killOrdinary, h.reviveOne, h.cordonZone, h.uncordon,
		h.rescale, h.retopology, h.unlabel, h.removeReflector,
	}
	for {
		if told := kinds[h.rng.IntN(len(kinds))](); told != "" {
			return told
		}
	}
}

func (h history) grow() string {
	n := 1 + h.rng.IntN(6)
	if len(h.nodes)+n > 45 {
		return ""
	}
	dual := h.nodes[0].IPv6.IsValid()
	h.add(n, 1+h.rng.IntN(4))
	if dual {
		h.dualStack()
	}
	return fmt.Sprintf("+%d nodes", n)
}

func (h history) ordinary() []string {
	reflectors := h.reflectors()
	var out []string
	for _, node := range h.nodes {
		if !slices.Contains(reflectors, node.Name) && node.ClusterID == "" && !h.dead[node.Name] {
			out = append(out, node.Name)
		}
	}
	return out
}

// mayLose: another reflector may go only while enough others work, and no two
// are down at a time: more than that nobody promises.
func (h history) mayLose() bool {
	living := 0
	for _, name := range h.reflectors() {
		if h.dead[name] {
			return false
		}
		living++
	}
	return living >= 3
}

func (h history) shrink() string {
	ordinary := h.ordinary()
	if len(ordinary) < 10 {
		return ""
	}
	gone := ordinary[:1+h.rng.IntN(4)]
	h.remove(gone...)
	return fmt.Sprintf("-%v", gone)
}

func (h history) killReflector() string {
	if !h.mayLose() {
		return ""
	}
	all := h.reflectors()
	name := all[h.rng.IntN(len(all))]
	h.kill(name)
	return "power of reflector " + name
}

func (h history) killOrdinary() string {
	ordinary := h.ordinary()
	if len(ordinary) < 10 || len(h.dead) > 2 {
		return ""
	}
	name := ordinary[h.rng.IntN(len(ordinary))]
	h.kill(name)
	return "power of " + name
}

func (h history) reviveOne() string {
	for _, node := range h.nodes {
		if h.dead[node.Name] {
			h.revive(node.Name)
			return "power back at " + node.Name
		}
	}
	return ""
}

func (h history) removeReflector() string {
	if !h.mayLose() {
		return ""
	}
	all := h.reflectors()
	name := all[h.rng.IntN(len(all))]
	h.remove(name)
	return "Node of reflector " + name + " deleted"
}

func (h history) cordonZone() string {
	zone := fmt.Sprintf("zone-%c", 'a'+h.rng.IntN(4))
	for i := range h.nodes {
		if h.nodes[i].Labels["topology.kubernetes.io/zone"] == zone {
			h.nodes[i].Unschedulable = true
		}
	}
	return "cordon " + zone
}

func (h history) uncordon() string {
	for i := range h.nodes {
		h.nodes[i].Unschedulable = false
	}
	return "uncordon all"
}

func (h history) rescale() string {
	n := int32(4 + h.rng.IntN(10))
	h.set(ratio(n))
	return fmt.Sprintf("nodesPerReflector %d", n)
}

func (h history) retopology() string {
	all := append([]v1alpha1.Topology{v1alpha1.TopologyAuto}, every...)
	topology := all[h.rng.IntN(len(all))]
	h.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = topology })
	return "topology " + string(topology)
}

// unlabel is somebody's hand: the node's own routes are that hand's doing.
func (h history) unlabel() string {
	if !h.mayLose() {
		return ""
	}
	all := h.reflectors()
	node := h.node(all[h.rng.IntN(len(all))])
	h.changed[node.Name] = true
	delete(node.Labels, v1alpha1.ReflectorLabel)
	return "label of " + node.Name + " removed by hand"
}
