package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

func ratio(nodes int32) func(*v1alpha1.RouteReflectorAutoscalerSpec) {
	return func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		window := int32(10)
		s.Scaling.NodesPerReflector = &nodes
		s.Scaling.ScaleDownStabilizationSeconds = &window
	}
}

func (v *virtual) set(changes ...func(*v1alpha1.RouteReflectorAutoscalerSpec)) {
	for _, change := range changes {
		change(&v.autoscaler.Spec)
	}
	v.autoscaler.Generation++
}

// count counts the steps since the last reset by action.
func (v *virtual) count() map[rollout.Action]int {
	out := map[rollout.Action]int{}
	for _, step := range v.steps {
		out[step.Action]++
	}
	return out
}

// TestWholeStory is the story of the demo, in virtual time.
func TestWholeStory(t *testing.T) {
	for _, dual := range []bool{false, true} {
		t.Run(fmt.Sprintf("dual stack %v", dual), func(t *testing.T) {
			v := newVirtual(t, 7, 60, 3)
			if dual {
				v.dualStack()
				v.sync()
				v.idle(40 * time.Second)
				v.reset()
			}
			families := 1
			if dual {
				families = 2
			}
			v.set(ratio(20), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
				limit := int32(50)
				s.MeshUpTo = &limit
			})

			v.run(5 * time.Minute)
			v.noLoss()
			if got := v.reflectors(); len(got) != 3 {
				t.Fatalf("reflectors %v, want 3; steps:\n%s", got, v.story())
			}
			if got, want := len(v.peers), 1+3*families; got != want {
				t.Errorf("%d BGPPeers, want %d", got, want)
			}
			if v.last.Status.Mesh != v1alpha1.MeshOff {
				t.Errorf("mesh %s", v.last.Status.Mesh)
			}
			promise := v.last.Status.Promise
			want := &v1alpha1.Promise{Complete: true, AnyReflector: true, AnyZone: true, MaxSessions: 59, MaxPaths: 3}
			if diff := cmp.Diff(want, promise); diff != "" {
				t.Error("promise (-want +got):\n", diff)
			}

			// Promotions with pins interrupt nobody, not even the node itself.
			noOwnLoss := func(event string) {
				t.Helper()
				if lost := v.fabric.Account().Changing; lost.RouteTime != 0 {
					t.Errorf("%s: nodes changing role lost %+v; steps:\n%s", event, lost, v.story())
				}
			}

			t.Log("grow")
			v.reset()
			v.add(40, 3)
			if dual {
				v.dualStack()
			}
			v.sync()
			v.run(5 * time.Minute)
			v.noLoss()
			if got := v.reflectors(); len(got) != 5 {
				t.Fatalf("reflectors %v, want 5; steps:\n%s", got, v.story())
			}

			noOwnLoss("grow")

			t.Log("a reflector dies")
			v.reset()
			dead := v.reflectors()[0]
			v.kill(dead)
			v.runFor(60 * time.Second)
			v.run(10 * time.Minute)
			v.noLoss()
			if got := v.reflectors(); len(got) != 5 || slices.Contains(got, dead) {
				t.Fatalf("reflectors %v without %s, want 5; steps:\n%s", got, dead, v.story())
			}
			count := v.count()
			if nodes, pins := count[rollout.SetRole]+count[rollout.ClearRole], count[rollout.CreatePeer]+count[rollout.PatchPeer]+count[rollout.DeletePeer]; nodes != 2 || pins > 2*4*families {
				t.Errorf("%d node patches and %d pin writes, want 2 and at most %d; steps:\n%s", nodes, pins, 2*4*families, v.story())
			}

			noOwnLoss("a reflector dies")

			t.Log("a zone is cordoned")
			v.reset()
			for i := range v.nodes {
				if v.nodes[i].Labels["topology.kubernetes.io/zone"] == "zone-b" {
					v.nodes[i].Unschedulable = true
				}
			}
			v.run(10 * time.Minute)
			v.noLoss()
			for _, name := range v.reflectors() {
				if v.node(name).Unschedulable {
					t.Errorf("%s is cordoned and still a reflector; steps:\n%s", name, v.story())
				}
			}

			t.Log("scale down")
			v.reset()
			gone := []string{dead}
			for _, node := range v.nodes {
				if len(gone) < 41 && !slices.Contains(v.reflectors(), node.Name) && node.Name != dead {
					gone = append(gone, node.Name)
				}
			}
			v.remove(gone...)
			v.run(10 * time.Minute)
			v.noLoss()
			if got := v.reflectors(); len(got) != 3 {
				t.Fatalf("reflectors %v, want 3; steps:\n%s", got, v.story())
			}

			t.Log("mesh again")
			v.reset()
			v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologyMesh })
			v.run(10 * time.Minute)
			v.noLoss()
			if len(v.reflectors()) != 0 || len(v.peers) != 0 || len(v.statuses) != 0 || len(v.autoscaler.Annotations) != 0 {
				t.Errorf("left over: reflectors %v, %d BGPPeers, %d CalicoNodeStatuses, annotations %v; steps:\n%s",
					v.reflectors(), len(v.peers), len(v.statuses), v.autoscaler.Annotations, v.story())
			}
		})
	}
}

func TestSteadyWritesNothing(t *testing.T) {
	v := newVirtual(t, 1, 30, 3)
	v.set(ratio(11), single)
	v.run(5 * time.Minute)
	v.reset()
	before := v.last.Status
	v.runFor(10 * time.Minute)
	if len(v.steps) > 0 {
		t.Errorf("a steady cluster gets writes:\n%s", v.story())
	}
	if diff := cmp.Diff(before, v.last.Status); diff != "" {
		t.Error("a steady status changes:\n", diff)
	}
	v.add(1, 3)
	v.sync()
	v.runFor(time.Minute)
	if len(v.steps) > 0 {
		t.Errorf("a new ordinary node costs writes:\n%s", v.story())
	}
}

func single(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Topology = v1alpha1.TopologySingle }

func TestDryRunAndPausedWriteNothing(t *testing.T) {
	for _, mode := range []v1alpha1.Mode{v1alpha1.ModeDryRun, v1alpha1.ModePaused} {
		v := newVirtual(t, 1, 30, 3)
		v.set(ratio(10), single, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Mode = mode })
		v.runFor(2 * time.Minute)
		if len(v.steps) > 0 {
			t.Errorf("%s writes:\n%s", mode, v.story())
		}
		if mode == v1alpha1.ModeDryRun && len(v.last.Status.Plan.Reflectors) != 3 {
			t.Errorf("the plan is not in the status: %+v", v.last.Status.Plan)
		}
	}
}

func TestDeletion(t *testing.T) {
	v := newVirtual(t, 3, 30, 3)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	now := metav1.NewTime(v.now)
	v.autoscaler.DeletionTimestamp = &now
	for range 4 * 300 {
		v.passes()
		v.advance()
		if len(v.autoscaler.Finalizers) == 0 {
			break
		}
	}
	v.idle(30 * time.Second) // the last reflector's own sessions
	v.noLoss()
	if len(v.autoscaler.Finalizers) > 0 || len(v.reflectors()) > 0 || len(v.peers) > 0 || len(v.statuses) > 0 || v.last.Status.Mesh != v1alpha1.MeshOn {
		t.Errorf("left over: %v %v %d %d %s; steps:\n%s", v.autoscaler.Finalizers, v.reflectors(), len(v.peers), len(v.statuses), v.last.Status.Mesh, v.story())
	}
}

func TestDeletionRefusedAndAbandoned(t *testing.T) {
	v := newVirtual(t, 3, 30, 3)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	limit := int32(20)
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.MeshUpTo = &limit })
	now := metav1.NewTime(v.now)
	v.autoscaler.DeletionTimestamp = &now
	v.runFor(time.Minute)
	if len(v.steps) > 0 || v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonDeletionRefused {
		t.Errorf("reason %s, steps:\n%s", v.reason(v1alpha1.ConditionDegraded), v.story())
	}
	v.autoscaler.Annotations[v1alpha1.AbandonAnnotation] = "true"
	v.runFor(time.Second)
	if len(v.autoscaler.Finalizers) > 0 || len(v.reflectors()) != 3 {
		t.Errorf("not abandoned: %v, reflectors %v", v.autoscaler.Finalizers, v.reflectors())
	}
	v.noLoss()
}

func TestUnmanagedMeshIsNeverTouched(t *testing.T) {
	v := newVirtual(t, 3, 30, 3)
	v.set(ratio(10), single, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.NodeMesh = v1alpha1.NodeMeshUnmanaged })
	v.run(5 * time.Minute)
	if c := v.count(); c[rollout.MeshOff]+c[rollout.MeshOn]+c[rollout.SaveMesh] > 0 || len(v.reflectors()) != 3 {
		t.Errorf("steps:\n%s", v.story())
	}
	v.noLoss()
	for _, c := range v.last.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady && !strings.Contains(c.Message, "nodeToNodeMeshEnabled: false") {
			t.Errorf("does not say what it would need: %s", c.Message)
		}
	}
}

func TestBrake(t *testing.T) {
	v := newVirtual(t, 3, 30, 3)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	// A storm: ten of thirty nodes, two reflectors among them, look not ready.
	storm := append([]string{}, v.reflectors()[:1]...)
	for _, node := range v.nodes {
		if len(storm) < 10 && !slices.Contains(v.reflectors(), node.Name) {
			storm = append(storm, node.Name)
		}
	}
	for _, name := range storm {
		node := v.node(name)
		node.Ready, node.ReadySince = false, v.now
	}
	v.runFor(5 * time.Minute)
	for _, step := range v.steps {
		if step.Subtractive || step.Action == rollout.SetRole {
			t.Errorf("under the brake: %s", step)
		}
	}
	if v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonBrake {
		t.Errorf("Degraded reason %q", v.reason(v1alpha1.ConditionDegraded))
	}
	for _, name := range storm {
		node := v.node(name)
		node.Ready, node.ReadySince = true, v.now
	}
	v.run(2 * time.Minute)
	v.noLoss()
}

func TestHandRemovedRoleIsPutBack(t *testing.T) {
	for _, part := range []string{"label", "annotation", "serves"} {
		t.Run(part, func(t *testing.T) {
			v := newVirtual(t, 3, 30, 3)
			v.set(ratio(10), single)
			v.run(5 * time.Minute)
			want := v.reflectors()
			v.reset()
			node := v.node(want[1])
			v.changed[node.Name] = true
			switch part {
			case "label":
				delete(node.Labels, v1alpha1.ReflectorLabel)
			case "serves":
				delete(node.Labels, v1alpha1.ServesLabelPrefix+"all")
			default:
				node.ClusterID = ""
			}
			v.sync()
			v.run(5 * time.Minute)
			v.noLoss()
			if diff := cmp.Diff(want, v.reflectors()); diff != "" || node.ClusterID == "" {
				t.Errorf("(-want +got):\n%s; steps:\n%s", diff, v.story())
			}
			if count := v.count(); count[rollout.SetRole] != 1 || len(v.steps) != 1 {
				t.Errorf("one write mends it; steps:\n%s", v.story())
			}
		})
	}
}

func TestContested(t *testing.T) {
	v := newVirtual(t, 3, 30, 3)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	name := v.reflectors()[1]
	for range 6 {
		delete(v.node(name).Labels, v1alpha1.ReflectorLabel)
		v.sync()
		v.runFor(30 * time.Second)
	}
	if n := v.count()[rollout.SetRole]; n != 3 {
		t.Errorf("%d repairs, want 3; steps:\n%s", n, v.story())
	}
	if v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonContested {
		t.Errorf("Degraded reason %q", v.reason(v1alpha1.ConditionDegraded))
	}
	// Paused and back: a person's word to try again.
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Mode = v1alpha1.ModePaused })
	v.runFor(time.Second)
	v.set(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Mode = v1alpha1.ModeApply })
	v.run(5 * time.Minute)
	if n := v.count()[rollout.SetRole]; n != 4 {
		t.Errorf("%d repairs after the pause, want 4", n)
	}
}

func TestGateHoldsOnTimeout(t *testing.T) {
	v := newVirtual(t, 3, 30, 3)
	v.set(ratio(10), single)
	// A node that is Ready for Kubernetes and speaks no BGP.
	mute := "node-0029"
	v.fabric.Kill(v.now, mute)
	v.runFor(20 * time.Minute)
	if v.last.Status.Mesh != v1alpha1.MeshOn {
		t.Errorf("the mesh is off though %s has no session; steps:\n%s", mute, v.story())
	}
	// What would be taken away is not proved without its session, and the message says so.
	if v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonNotProved {
		t.Errorf("Degraded reason %q", v.reason(v1alpha1.ConditionDegraded))
	}
	for _, c := range v.autoscaler.Status.Conditions {
		if c.Type == v1alpha1.ConditionDegraded && !strings.Contains(c.Message, mute) {
			t.Errorf("the message does not name %s: %s", mute, c.Message)
		}
	}
	// Not ready for long enough, and seen by nobody: left out, by name.
	node := v.node(mute)
	node.Ready, node.ReadySince = false, v.now
	v.runFor(15 * time.Minute)
	if v.last.Status.Mesh != v1alpha1.MeshOff {
		t.Errorf("still waits for %s: %+v", mute, v.last.Status.Conditions)
	}
}

func TestDatastoreNotReadyPausesWrites(t *testing.T) {
	v := newVirtual(t, 3, 30, 3)
	v.set(ratio(10), single)
	v.ready = false
	v.runFor(time.Minute)
	if len(v.steps) > 0 || v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonDatastoreNotReady {
		t.Errorf("reason %s, steps:\n%s", v.reason(v1alpha1.ConditionDegraded), v.story())
	}
}

func TestDelayGateNeedsNoReports(t *testing.T) {
	v := newVirtual(t, 3, 30, 3)
	settle := int32(30)
	v.set(ratio(10), single, func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Rollout.Gate, s.Rollout.SettleSeconds = v1alpha1.GateDelay, &settle
	})
	v.run(10 * time.Minute)
	if len(v.statuses) > 0 || len(v.reflectors()) != 3 || v.last.Status.Mesh != v1alpha1.MeshOff {
		t.Errorf("%d statuses, reflectors %v, mesh %s; steps:\n%s", len(v.statuses), v.reflectors(), v.last.Status.Mesh, v.story())
	}
}
