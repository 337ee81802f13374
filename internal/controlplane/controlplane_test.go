package controlplane_test

import (
	"context"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/controlplanetest"
)

func clients(t *testing.T, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestControlPlane(t *testing.T) {
	c := controlplanetest.ForTest(t, controlplane.Options{})
	ctx, admin := t.Context(), clients(t, c.Config())

	t.Run("kubeconfig", func(t *testing.T) {
		info, err := os.Stat(c.Kubeconfig())
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("kubeconfig has mode %v, want 0600", mode)
		}
		config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := clients(t, config).CoreV1().Namespaces().Get(ctx, "kube-system", metav1.GetOptions{}); err != nil {
			t.Errorf("with the kubeconfig: %v", err)
		}
	})

	t.Run("strangers are refused", func(t *testing.T) {
		_, err := clients(t, rest.AnonymousClientConfig(c.Config())).CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
			t.Errorf("a user without credentials lists nodes: error %v, want one that refuses", err)
		}
	})

	t.Run("a service account has its own rights only", func(t *testing.T) {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "nobody"}}
		if _, err := admin.CoreV1().ServiceAccounts("default").Create(ctx, account, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		config, err := c.ServiceAccountConfig(ctx, "default", "nobody")
		if err != nil {
			t.Fatal(err)
		}
		_, err = clients(t, config).CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if !apierrors.IsForbidden(err) {
			t.Errorf("an account without a role lists nodes: error %v, want Forbidden", err)
		}
		if _, err := c.ServiceAccountConfig(ctx, "default", "missing"); !apierrors.IsNotFound(err) {
			t.Errorf("token of an account that is not there: error %v, want NotFound", err)
		}
	})

	t.Run("nodes and pods stay as created", func(t *testing.T) {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
		node, err := admin.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(node.Spec.Taints) > 0 {
			t.Errorf("a new node has taints %v, and nobody here would remove them", node.Spec.Taints)
		}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "p1"},
			Spec:       corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Name: "c", Image: "i"}}},
		}
		if _, err := admin.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			t.Errorf("a pod without service account: %v", err)
		}
	})

	t.Run("the API goes away and comes back", func(t *testing.T) {
		before, err := admin.CoreV1().Nodes().Get(ctx, "n1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.StopAPI(); err != nil {
			t.Fatal(err)
		}
		if err := c.StopAPI(); err != nil {
			t.Errorf("stopped twice: %v", err)
		}
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if _, err := admin.CoreV1().Nodes().Get(short, "n1", metav1.GetOptions{}); err == nil {
			t.Error("the API answers although it is stopped")
		}
		if err := c.StartAPI(); err != nil {
			t.Fatal(err)
		}
		after, err := admin.CoreV1().Nodes().Get(ctx, "n1", metav1.GetOptions{})
		if err != nil {
			t.Fatalf("the same client after the restart: %v", err)
		}
		if after.UID != before.UID || after.ResourceVersion != before.ResourceVersion {
			t.Errorf("node is %s at %s after the restart, was %s at %s",
				after.UID, after.ResourceVersion, before.UID, before.ResourceVersion)
		}
	})
}
