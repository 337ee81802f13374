package controller

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
)

func pod(name, node string, hostNetwork bool) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec: corev1.PodSpec{
			NodeName: node, HostNetwork: hostNetwork,
			Containers: []corev1.Container{{Name: "c", Image: "i"}},
		},
	}
}

func TestReadLoad(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		block := func(name, node string) client.Object {
			spec := map[string]any{"state": "confirmed", "node": node, "cidr": "10.244.0.0/26", "type": "host"}
			if c.group == calico.GroupV1 {
				spec["deleted"] = "false" // required there, and a string
			}
			return &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": c.group.String(), "kind": "BlockAffinity",
				"metadata": map[string]any{"name": name}, "spec": spec,
			}}
		}
		for n := range 4 {
			c.create(newNode(n))
		}
		c.create(
			block("b0", "n000"), block("b1", "n001"), block("b2", "n002"),
			pod("p1", "n001", false), pod("p2", "n001", false), pod("host", "n001", true),
			pod("p3", "n003", false), // without a block: cannot be of the pod network
		)
		finished := pod("finished", "n002", false)
		c.create(finished)
		finished.Status.Phase = corev1.PodSucceeded
		c.must(c.client.Status().Update(t.Context(), finished))

		want := map[string]int{"n000": 0, "n001": 2, "n002": 0, "n003": 0}
		got := c.reconciler().readLoad(t.Context(), []string{"n000", "n001", "n002", "n003"})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("load (-want +got):\n%s", diff)
		}
	})
}

func TestReadLoadWithoutPermission(t *testing.T) {
	c := ownV3(t)
	c.create(newNode(1), pod("p1", "n001", false))
	restricted := func(name string, rules ...rbacv1.PolicyRule) *Reconciler {
		t.Helper()
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}}
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: "default"}},
		}
		c.create(account, role, binding)
		t.Cleanup(func() {
			for _, object := range []client.Object{account, role, binding} {
				c.must(c.client.Delete(context.Background(), object))
			}
		})
		config, err := c.plane.ServiceAccountConfig(t.Context(), "default", name)
		c.must(err)
		r := c.reconciler()
		r.Live = c.newClient(config)
		return r
	}
	pods := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}

	if got := restricted("load-nothing").readLoad(t.Context(), []string{"n001"}); len(got) > 0 {
		t.Errorf("without any permission the load is %v, want none: not known", got)
	}
	r := restricted("load-pods", pods)
	c.eventually("the load by pods alone", func() (bool, string) { // the API server takes in roles after a moment
		got := r.readLoad(t.Context(), []string{"n001"})
		return cmp.Equal(map[string]int{"n001": 1}, got), fmt.Sprint(got)
	})
}
