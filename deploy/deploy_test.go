package deploy_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tapetum.dev/tapetum/deploy"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/controlplanetest"
)

// v1 and v3 are the groups in which Calico's kinds may be served.
var (
	v1 = schema.GroupVersion{Group: "crd.projectcalico.org", Version: "v1"}
	v3 = schema.GroupVersion{Group: "projectcalico.org", Version: "v3"}
)

func objects(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	manifests, err := deploy.Manifests()
	if err != nil {
		t.Fatal(err)
	}
	all, err := controlplane.DecodeObjects(manifests)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// shared is the one API server of this test binary.
var shared struct {
	sync.Mutex
	plane *controlplane.ControlPlane
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.plane != nil {
		if err := shared.plane.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// start gives a control plane with Calico's resources in both groups and the
// manifests. Tests share it and write nothing that another could trip over.
func start(t *testing.T) *controlplane.ControlPlane {
	t.Helper()
	controlplanetest.Require(t, controlplane.Options{})
	shared.Lock()
	defer shared.Unlock()
	if shared.plane != nil {
		return shared.plane
	}
	plane, err := controlplane.Start(context.Background(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	shared.plane = plane
	for _, group := range []schema.GroupVersion{v1, v3} {
		set, err := controlplane.OwnCalicoCRDs(group.Group)
		if err != nil {
			t.Fatal(err)
		}
		if err := plane.InstallCRDs(t.Context(), set.Files); err != nil {
			t.Fatal(err)
		}
	}
	if err := controlplane.Apply(t.Context(), plane.Config(), objects(t)); err != nil {
		t.Fatal(err)
	}
	return plane
}

// account is the configuration with exactly the rights of the controller.
func account(t *testing.T, plane *controlplane.ControlPlane) *rest.Config {
	t.Helper()
	config, err := plane.ServiceAccountConfig(t.Context(), deploy.Namespace, deploy.ServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func dynamicClient(t *testing.T, config *rest.Config) dynamic.Interface {
	t.Helper()
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestManifests(t *testing.T) {
	plane := start(t)
	admin, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("applied twice", func(t *testing.T) {
		if err := controlplane.Apply(t.Context(), plane.Config(), objects(t)); err != nil {
			t.Error(err)
		}
	})
	t.Run("pods of the Deployment are admitted", func(t *testing.T) { podsAreAdmitted(t, admin) })
	t.Run("policies are in force", func(t *testing.T) { policiesAreBound(t, admin) })
}

// policiesAreBound: a policy without a binding does nothing.
func policiesAreBound(t *testing.T, admin kubernetes.Interface) {
	policies, err := admin.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bindings, err := admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bound := map[string]bool{}
	for _, binding := range bindings.Items {
		bound[binding.Spec.PolicyName] = true
	}
	if len(policies.Items) == 0 {
		t.Error("there are no policies")
	}
	for _, policy := range policies.Items {
		if !bound[policy.Name] {
			t.Errorf("policy %s is bound by nothing", policy.Name)
		}
		if failure := policy.Spec.FailurePolicy; failure == nil || *failure != "Fail" {
			t.Errorf("policy %s lets through what it cannot judge", policy.Name)
		}
	}
}

// podsAreAdmitted: a Deployment that the API server takes may still make pods
// that it refuses.
func podsAreAdmitted(t *testing.T, admin kubernetes.Interface) {
	deployment, err := admin.AppsV1().Deployments(deploy.Namespace).Get(t.Context(), "tapetum", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: *deployment.Spec.Template.ObjectMeta.DeepCopy(), Spec: deployment.Spec.Template.Spec}
	pod.Name = "one-of-it"
	pod, err = admin.CoreV1().Pods(deploy.Namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		t.Fatal(err)
	}
	if pod.Spec.Priority == nil || *pod.Spec.Priority < 1_000_000_000 {
		t.Errorf("priority %v, want that of a critical pod", pod.Spec.Priority)
	}
	hardened(t, deployment)
}

// hardened: whoever gets into the process finds no root, no shell, no way to write, and
// nothing mounted but the token that the process needs.
func hardened(t *testing.T, deployment *appsv1.Deployment) {
	t.Helper()
	if n := deployment.Spec.Replicas; n == nil || *n < 2 {
		t.Errorf("%v replicas, want 2", n)
	}
	pod := deployment.Spec.Template.Spec
	if s := pod.SecurityContext; s == nil || !is(s.RunAsNonRoot, true) || s.RunAsUser == nil || *s.RunAsUser == 0 ||
		s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("security context of the pod: %v", s)
	}
	if pod.HostPID || pod.HostIPC || len(pod.Volumes) > 0 || len(pod.InitContainers) > 0 || len(pod.Containers) != 1 {
		t.Errorf("the pod shares or mounts more than it needs: %+v", pod)
	}
	for _, container := range pod.Containers {
		contained(t, &container)
	}
}

func contained(t *testing.T, container *corev1.Container) {
	t.Helper()
	s := container.SecurityContext
	if s == nil || !is(s.ReadOnlyRootFilesystem, true) || !is(s.AllowPrivilegeEscalation, false) || is(s.Privileged, true) ||
		s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || len(s.Capabilities.Add) > 0 {
		t.Errorf("security context: %v", s)
	}
	if len(container.Command) > 0 || len(container.VolumeMounts) > 0 || len(container.EnvFrom) > 0 {
		t.Errorf("it runs or gets more than the image says: %+v", container)
	}
	for _, variable := range container.Env {
		if variable.ValueFrom != nil {
			t.Errorf("variable %s comes from elsewhere: %v", variable.Name, variable.ValueFrom)
		}
	}
	for _, argument := range container.Args {
		if strings.Contains(argument, "insecure") {
			t.Errorf("argument %s", argument)
		}
	}
	if container.Resources.Limits.Memory().IsZero() {
		t.Error("it may take all memory of its node")
	}
}

func is(value *bool, want bool) bool { return value != nil && *value == want }

// TestServiceAccount: no pod gets the controller's rights without asking for them.
func TestServiceAccount(t *testing.T) {
	admin, err := kubernetes.NewForConfig(start(t).Config())
	if err != nil {
		t.Fatal(err)
	}
	account, err := admin.CoreV1().ServiceAccounts(deploy.Namespace).Get(t.Context(), deploy.ServiceAccount, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !is(account.AutomountServiceAccountToken, false) || len(account.Secrets) > 0 {
		t.Errorf("%+v", account)
	}
}
