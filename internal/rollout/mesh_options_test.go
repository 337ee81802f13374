package rollout_test

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

func password(key string) *calico.BGPPassword {
	return &calico.BGPPassword{SecretKeyRef: &corev1.SecretKeySelector{Key: key}}
}

// withPassword is a cluster whose mesh has a password.
func withPassword(t *testing.T) *virtual {
	t.Helper()
	v := newVirtual(t, 11, 20, 3)
	v.configure(func(s *calico.BGPConfigurationSpec) { s.NodeMeshPassword = password("bgp") })
	v.idle(40 * time.Second)
	v.reset()
	return v
}

// configure edits BGPConfiguration default.
func (v *virtual) configure(edit func(*calico.BGPConfigurationSpec)) {
	if len(v.configurations) == 0 {
		v.configurations = []calico.BGPConfiguration{{ObjectMeta: metav1.ObjectMeta{Name: "default"}}}
	}
	v.configurations = slices.Clone(v.configurations)
	edit(&v.configurations[0].Spec)
	v.sync()
}

// TestMeshByHand: a person turns the mesh on before the policy asks for it, and so
// without its password. It comes back, and nothing is lost while the sessions restart.
func TestMeshByHand(t *testing.T) {
	v := withPassword(t)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	on := true
	v.configure(func(s *calico.BGPConfigurationSpec) { s.NodeToNodeMeshEnabled = &on })
	v.set(toMesh)
	v.run(5 * time.Minute)
	v.noLoss()
	if got := v.configurations[0].Spec.NodeMeshPassword; got == nil || got.SecretKeyRef.Key != "bgp" {
		t.Errorf("the mesh has the password %v; steps:\n%s", got, v.story())
	}
	if len(v.reflectors()) > 0 || v.autoscaler.Annotations[v1alpha1.MeshAnnotation] != "" {
		t.Errorf("left: reflectors %v, annotations %v", v.reflectors(), v.autoscaler.Annotations)
	}
}

// TestMeshByHandWithoutReflectors: with nobody to carry the routes nothing restarts all
// sessions of the mesh. The person is told.
func TestMeshByHandWithoutReflectors(t *testing.T) {
	v := withPassword(t)
	v.set(ratio(10), single)
	v.run(5 * time.Minute)
	on := true
	v.configure(func(s *calico.BGPConfigurationSpec) { s.NodeToNodeMeshEnabled = &on })
	v.peers, v.statuses = nil, nil
	for i := range v.nodes {
		v.apply(&rollout.NodeRole{Node: v.nodes[i].Name})
	}
	v.sync()
	v.idle(time.Minute)
	v.reset()
	v.set(toMesh)
	v.runFor(2 * time.Minute)
	v.noLoss()
	if got := v.reason(v1alpha1.ConditionDegraded); got != rollout.ReasonMeshOptions || v.autoscaler.Annotations[v1alpha1.MeshAnnotation] == "" {
		t.Errorf("Degraded says %s, annotations %v; steps:\n%s", got, v.autoscaler.Annotations, v.story())
	}
	delete(v.autoscaler.Annotations, v1alpha1.MeshAnnotation)
	v.run(2 * time.Minute)
}

// TestPasswordEditedAfterSave: what comes back is the password that the mesh had last.
func TestPasswordEditedAfterSave(t *testing.T) {
	v := withPassword(t)
	v.set(ratio(10), single)
	for v.autoscaler.Annotations[v1alpha1.MeshAnnotation] == "" {
		if !v.pass() {
			v.advance()
		}
	}
	v.configure(func(s *calico.BGPConfigurationSpec) { s.NodeMeshPassword = password("new") })
	v.run(5 * time.Minute)
	v.set(toMesh)
	v.run(5 * time.Minute)
	if got := v.configurations[0].Spec.NodeMeshPassword; got == nil || got.SecretKeyRef.Key != "new" {
		t.Errorf("the mesh has the password %v; steps:\n%s", got, v.story())
	}
}
