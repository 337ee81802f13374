package rollout_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/topology"
)

func to(topology v1alpha1.Topology) change {
	return func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = topology }
}

// grouped makes small clusters have groups: two reflectors a client of more.
func grouped(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.ReflectorsPerClient = 2 }

var every = []v1alpha1.Topology{
	v1alpha1.TopologyMesh, v1alpha1.TopologySingle, v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy,
}

// move runs the cluster to a topology and asserts what every move must keep to.
func (v *virtual) move(topology v1alpha1.Topology) {
	v.t.Helper()
	v.reset()
	v.set(to(topology))
	start := v.now
	v.run(30 * time.Minute)
	v.t.Logf("to %s: %d steps, %v; %.0f route-seconds of changing nodes", topology, len(v.steps), v.now.Sub(start), v.fabric.Account().Changing.RouteTime.Seconds())
	v.noLoss()
	v.inForce(topology)
	for _, step := range v.steps {
		if step.Repair {
			v.t.Errorf("nobody has undone anything: %s", step)
		}
	}
}

// inForce asserts that the topology stands, keeps its promise and has left nothing
// of others behind.
func (v *virtual) inForce(topology v1alpha1.Topology) {
	v.t.Helper()
	status := v.last.Status
	if status.Topology != topology || status.Plan.Topology != topology {
		v.t.Errorf("%s is in force and %s planned, want %s; steps:\n%s", status.Topology, status.Plan.Topology, topology, v.story())
	}
	if p := status.Promise; !p.Complete || !p.AnyReflector || !p.AnyZone || p.MaxPaths > v.autoscaler.Spec.WithDefaults().Limits.PathsPerRoute {
		v.t.Errorf("%s promises %+v", topology, *p)
	}
	tiers := map[string]int{}
	for _, name := range v.reflectors() {
		tiers[v.node(name).Labels[v1alpha1.ReflectorLabel]]++
	}
	homes := 0
	for _, node := range v.nodes {
		if node.Labels[v1alpha1.HomeLabel] != "" {
			homes++
		}
	}
	peers := map[string]bool{}
	for _, peer := range v.peers {
		peers[peer.Name] = true
	}
	switch topology {
	case v1alpha1.TopologyMesh:
		if len(tiers)+len(peers)+homes+len(v.filters)+len(v.statuses) > 0 {
			v.t.Errorf("left over: %v %v, %d homes, %d filters, %d reports", tiers, peers, homes, len(v.filters), len(v.statuses))
		}
	case v1alpha1.TopologySingle:
		if m := tiers["core"]; len(tiers) != 1 || len(peers) != 1+m*(m-1)/2*v.families() || homes+len(v.filters) > 0 {
			v.t.Errorf("left over: %v %v, %d homes, %d filters", tiers, peers, homes, len(v.filters))
		}
	case v1alpha1.TopologyMulti:
		if len(tiers) != 1 || tiers["multi"] == 0 || !peers["tapetum-reflectors"] || len(v.filters) != 1 {
			v.t.Errorf("%v %v, %d filters", tiers, peers, len(v.filters))
		}
	case v1alpha1.TopologyQuorum:
		if len(tiers) != 1 || tiers["quorum"] == 0 || !peers["tapetum-reflectors"] || len(v.filters) != 0 {
			v.t.Errorf("%v %v, %d filters", tiers, peers, len(v.filters))
		}
	case v1alpha1.TopologyHierarchy:
		if len(tiers) != 2 || tiers["core"] == 0 || tiers["rack"] == 0 || !peers["tapetum-racks"] || peers["tapetum-reflectors"] || len(v.filters) != 0 {
			v.t.Errorf("%v %v, %d filters", tiers, peers, len(v.filters))
		}
	}
	v.asPlanned()
	// At rest: nothing more is written.
	v.reset()
	v.runFor(2 * time.Minute)
	if len(v.steps) > 0 {
		v.t.Errorf("%s is not at rest:\n%s", topology, v.story())
	}
	v.resting()
}

// asPlanned asserts that everything of ours is as a plan from what stands says.
func (v *virtual) asPlanned() {
	v.t.Helper()
	var plan topology.Plan
	rollout.NextBy(v.input(), func(request topology.Request) topology.Plan {
		request.Load = map[string]int{}
		plan = topology.Make(request)
		return plan
	})
	for _, want := range plan.Reflectors {
		node := v.node(want.Node)
		labels := render.RoleLabels(want.Tier, want.Serves)
		for key, value := range node.Labels {
			if render.IsRoleLabel(key) && labels[key] != value {
				v.t.Errorf("%s has %s=%s, which is not planned", node.Name, key, value)
			}
		}
		if node.ClusterID != want.ClusterID || node.Labels[v1alpha1.ReflectorLabel] != want.Tier {
			v.t.Errorf("%s is %s %s, planned %+v", node.Name, node.Labels[v1alpha1.ReflectorLabel], node.ClusterID, want)
		}
	}
	for _, peer := range v.peers {
		if want := render.CatchAll(plan.Groups); peer.Name == render.ClientsName && peer.Spec.NodeSelector != want {
			v.t.Errorf("the catch-all is %s, want %s", peer.Spec.NodeSelector, want)
		}
	}
}

func (v *virtual) families() int {
	if v.nodes[0].IPv6.IsValid() {
		return 2
	}
	return 1
}

// TestRefusedHalfway: a policy that is refused in the middle of a change stops it, and
// the status says what stands, not what the change was to lead to; also where the plan
// that keeps it finds nothing left to do.
func TestRefusedHalfway(t *testing.T) {
	rested := 0
	for fresh := 1; fresh <= 4; fresh++ {
		v := standsIn(t, 171, 24, 3, v1alpha1.TopologySingle)
		tiers := func() map[string]int {
			out := map[string]int{}
			for _, name := range v.reflectors() {
				out[v.node(name).Labels[v1alpha1.ReflectorLabel]]++
			}
			return out
		}
		v.set(to(v1alpha1.TopologyMulti))
		for end := v.now.Add(20 * time.Minute); tiers()[topology.TierMulti] < fresh && v.now.Before(end); v.advance() {
			v.pass()
		}
		v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Min, s.Scaling.Max = 9, 8 })
		v.runFor(time.Minute)
		stand := tiers()
		if stand[topology.TierCore] == 0 {
			break // the change was over
		}
		if v.is(v1alpha1.ConditionReady) {
			t.Errorf("Ready under a policy that is refused, with %v", stand)
		}
		v.reset()
		v.runFor(30 * time.Second)
		if len(v.writes()) == 0 {
			rested++
		}
		if got := v.last.Status.Topology; got != v1alpha1.TopologySingle {
			t.Errorf("%s is in force with %v, want Single", got, stand)
		}
	}
	if rested == 0 {
		t.Error("none of these is at rest")
	}
}

// TestEveryTransition walks each topology to each other.
func TestEveryTransition(t *testing.T) {
	for _, from := range every {
		for _, into := range every {
			if from == into {
				continue
			}
			t.Run(fmt.Sprintf("%s to %s", from, into), func(t *testing.T) {
				t.Parallel()
				v := newVirtual(t, 100, 60, 3)
				v.set(ratio(12), grouped)
				v.move(from)
				v.move(into)
			})
		}
	}
}

// TestTransitionsDualStack walks a few of them in both address families.
func TestTransitionsDualStack(t *testing.T) {
	v := newVirtual(t, 101, 40, 3)
	v.dualStack()
	v.sync()
	v.idle(40 * time.Second)
	v.reset()
	v.set(ratio(12), grouped)
	for _, topology := range []v1alpha1.Topology{
		v1alpha1.TopologySingle, v1alpha1.TopologyMulti, v1alpha1.TopologyHierarchy, v1alpha1.TopologyMulti, v1alpha1.TopologySingle,
	} {
		v.move(topology)
	}
}

// TestEveryTransitionLarge walks each topology to each other at 600 nodes, one after
// the other on one cluster.
func TestEveryTransitionLarge(t *testing.T) {
	if testing.Short() || os.Getenv("TAPETUM_LARGE") == "" {
		t.Skip("takes minutes: set TAPETUM_LARGE=1")
	}
	v := newVirtual(t, 102, 600, 3)
	limit := int32(1000)
	v.set(ratio(120), grouped, func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.MeshUpTo, s.Limits.SessionsPerReflector = &limit, 700
	})
	for _, topology := range circuit(every) {
		v.move(topology)
	}
}

// circuit visits every ordered pair of all once, and begins where a new cluster is.
func circuit(all []v1alpha1.Topology) []v1alpha1.Topology {
	left := map[v1alpha1.Topology][]v1alpha1.Topology{}
	for _, from := range all {
		for _, into := range all {
			if from != into {
				left[from] = append(left[from], into)
			}
		}
	}
	var out []v1alpha1.Topology
	stack := []v1alpha1.Topology{all[0]}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		if next := left[at]; len(next) > 0 {
			left[at] = next[1:]
			stack = append(stack, next[0])
			continue
		}
		out = append(out, at)
		stack = stack[:len(stack)-1]
	}
	slices.Reverse(out)
	return out[1:]
}
