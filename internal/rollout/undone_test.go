package rollout_test

import (
	"maps"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

// TestAdditionsAreContested: who adds the same thing of ours again and again is in a
// contest as well as who takes something away, and is not answered for ever.
func TestAdditionsAreContested(t *testing.T) {
	labeled := func(v *virtual, name, key, value string) {
		node := v.node(name)
		node.Labels = maps.Clone(node.Labels)
		node.Labels[key] = value
	}
	for name, again := range map[string]func(*virtual){
		"a BGPPeer": func(v *virtual) {
			if extra := *v.peers[0].DeepCopy(); v.peers[len(v.peers)-1].Name != "tapetum-extra" {
				extra.Name = "tapetum-extra"
				v.peers = append(v.peers[:len(v.peers):len(v.peers)], extra)
			}
		},
		"a group":   func(v *virtual) { labeled(v, v.reflectors()[1], v1alpha1.ServesLabelPrefix+"other", "true") },
		"renewed":   func(v *virtual) { labeled(v, v.reflectors()[1], v1alpha1.RenewedLabel, "true") },
		"homes off": withoutHome,
	} {
		for _, topology := range []v1alpha1.Topology{v1alpha1.TopologySingle, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy} {
			t.Run(name+" "+string(topology), func(t *testing.T) {
				t.Parallel()
				v := newVirtual(t, 100, 20, 3)
				for i := range v.nodes {
					v.nodes[i].Created = v.now.Add(-24 * time.Hour)
				}
				v.set(ratio(6), grouped, to(topology))
				v.run(20 * time.Minute)
				v.reset()
				v.insist(20, 30*time.Second, again)
				if n := len(v.writes()); n > 8 {
					t.Errorf("%d writes; Degraded %s; steps:\n%s", n, v.reason(v1alpha1.ConditionDegraded), v.story())
				}
				if n := len(v.writes()); n > 0 && v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonContested {
					t.Errorf("Degraded %s after %d writes; steps:\n%s", v.reason(v1alpha1.ConditionDegraded), n, v.story())
				}
				v.noLoss()
			})
		}
	}
}

// withoutHome takes all of ours from the first client that has a home.
func withoutHome(v *virtual) {
	for i := range v.nodes {
		node := &v.nodes[i]
		if node.ClusterID == "" && (node.Labels[v1alpha1.HomeLabel] != "" || i == len(v.nodes)-1) {
			v.apply(&rollout.NodeRole{Node: node.Name})
			return
		}
	}
}

// TestMeshPasswordIsContested: somebody takes the mesh's password away again and again, on
// the way back to the mesh.
func TestMeshPasswordIsContested(t *testing.T) {
	v := withPassword(t)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.reset()
	v.set(toMesh)
	for range 60 {
		v.runFor(20 * time.Second)
		spec := &v.configurations[0].Spec
		on := spec.NodeToNodeMeshEnabled == nil || *spec.NodeToNodeMeshEnabled
		if on && spec.NodeMeshPassword != nil && len(v.reflectors()) > 0 {
			v.configure(func(s *calico.BGPConfigurationSpec) { s.NodeMeshPassword = nil })
		}
	}
	if n := v.count()[rollout.MeshOn]; n > 4 || v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonContested {
		t.Errorf("written %d times; Degraded %s; steps:\n%s", n, v.reason(v1alpha1.ConditionDegraded), v.story())
	}
}

// TestSomebodysOwnReflector: a node that gets back the cluster ID which went with our role
// is not touched where somebody's BGPPeer makes it a reflector of theirs.
func TestSomebodysOwnReflector(t *testing.T) {
	v, name, id := leftBehind(t, toMesh)
	node := v.node(name)
	node.Labels = maps.Clone(node.Labels)
	node.Labels["route-reflector"], node.ClusterID = "true", id
	theirs := calico.BGPPeer{Spec: calico.BGPPeerSpec{NodeSelector: "all()", PeerSelector: "route-reflector == 'true'"}}
	theirs.Name = "peer-with-route-reflectors"
	v.peers = append(v.peers, theirs)
	v.sync()
	v.runFor(2 * time.Minute)
	if v.node(name).ClusterID != id || len(v.steps) > 0 {
		t.Errorf("somebody's reflector was touched; steps:\n%s", v.story())
	}
}

// TestDeletionKeepsTheNoteOfAPassword: the mesh was turned on by hand without its password,
// and no reflector is left to carry the routes while it comes back. A deletion waits for a
// person: with the object the only note of the password would go.
func TestDeletionKeepsTheNoteOfAPassword(t *testing.T) {
	v := withPassword(t)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	v.configure(func(s *calico.BGPConfigurationSpec) { s.NodeToNodeMeshEnabled = nil })
	v.peers, v.statuses = nil, nil
	for i := range v.nodes {
		v.apply(&rollout.NodeRole{Node: v.nodes[i].Name})
	}
	v.sync()
	v.idle(time.Minute)
	now := metav1.NewTime(v.now)
	v.autoscaler.DeletionTimestamp = &now
	v.runFor(2 * time.Minute)
	if len(v.autoscaler.Finalizers) == 0 || v.reason(v1alpha1.ConditionDegraded) != rollout.ReasonMeshOptions {
		t.Errorf("finalizers %v, Degraded %s; steps:\n%s", v.autoscaler.Finalizers, v.reason(v1alpha1.ConditionDegraded), v.story())
	}
	// A person gives the password back.
	v.configure(func(s *calico.BGPConfigurationSpec) { s.NodeMeshPassword = password("bgp") })
	v.runFor(2 * time.Minute)
	if len(v.autoscaler.Finalizers) > 0 {
		t.Errorf("finalizers %v; steps:\n%s", v.autoscaler.Finalizers, v.story())
	}
}

// TestSuspectsThatAnswer: where nothing tells whether the view is alive, two of three
// reflectors that are suspected and answer are asked once, not for ever.
func TestSuspectsThatAnswer(t *testing.T) {
	for name, also := range map[string]func(*virtual, map[string]rollout.Vital){
		"the API server is back": func(*virtual, map[string]rollout.Vital) {},
		"no Lease can be read":   func(_ *virtual, vitals map[string]rollout.Vital) { clear(vitals) },
	} {
		t.Run(name, func(t *testing.T) {
			v := settled(t, 148, 40, 3, 1)
			suspects, since := v.reflectors()[:2], v.now
			v.apiBack = v.now
			v.mislead = func(vitals map[string]rollout.Vital) {
				also(v, vitals)
				for _, suspect := range suspects {
					vital := vitals[suspect]
					vital.AgentNotReady = since
					vitals[suspect] = vital
				}
			}
			// One step a tick: a loop that asks anew must show.
			for range 500 {
				v.pass()
				v.advance()
			}
			if len(v.steps) > 6 {
				v.steps = v.steps[:6]
				t.Errorf("they are asked again and again:\n%s", v.story())
			}
			v.noLoss()
		})
	}
}

// TestNoRedundancyAskedFor: with limits.reflectorFailures 0 a change of topology must not
// come to where one reflector that is still to change carries clients alone.
func TestNoRedundancyAskedFor(t *testing.T) {
	zero := int32(0)
	v := newVirtual(t, 100, 60, 3)
	v.set(ratio(12), func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.Limits.ReflectorFailures, s.ReflectorsPerClient, s.Limits.PathsPerRoute = &zero, 1, 200
	}, to(v1alpha1.TopologyHierarchy))
	v.run(30 * time.Minute)
	v.reset()
	v.set(to(v1alpha1.TopologyMulti))
	v.run(30 * time.Minute)
	v.noLoss()
	if v.last.Status.Topology != v1alpha1.TopologyMulti {
		t.Errorf("%s is in force; steps:\n%s", v.last.Status.Topology, v.story())
	}
}

// TestUndoneIsCountedOnce: what is put back in the pass that finds it gone was undone once,
// and twice is no contest.
func TestUndoneIsCountedOnce(t *testing.T) {
	zero := int32(0)
	v := standsIn(t, 114, 40, 0, v1alpha1.TopologyMulti, func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Rollout.SettleSeconds = &zero })
	client := ""
	for i := range v.nodes {
		if v.nodes[i].Labels[v1alpha1.SettledLabel] != "" {
			client = v.nodes[i].Name
		}
	}
	v.insist(2, 40*time.Second, func(v *virtual) {
		node := v.node(client)
		node.Labels = maps.Clone(node.Labels)
		delete(node.Labels, v1alpha1.SettledLabel)
	})
	if v.reason(v1alpha1.ConditionDegraded) == rollout.ReasonContested || v.node(client).Labels[v1alpha1.SettledLabel] == "" {
		t.Errorf("Degraded %s; reverts %v; steps:\n%s", v.reason(v1alpha1.ConditionDegraded), v.autoscaler.Status.Reverts, v.story())
	}
}
