package deploy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/deploy"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/controlplanetest"
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

// start is a control plane with Calico's resources in one group and the manifests.
func start(t *testing.T, group string) *controlplane.ControlPlane {
	t.Helper()
	set, err := controlplane.OwnCalicoCRDs(group)
	if err != nil {
		t.Fatal(err)
	}
	c := controlplanetest.ForTest(t, controlplane.Options{})
	if err := c.InstallCRDs(t.Context(), set.Files); err != nil {
		t.Fatal(err)
	}
	if err := controlplane.Apply(t.Context(), c.Config(), objects(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestManifests(t *testing.T) {
	c := start(t, "projectcalico.org")
	admin, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("applied twice", func(t *testing.T) {
		if err := controlplane.Apply(t.Context(), c.Config(), objects(t)); err != nil {
			t.Error(err)
		}
	})
	t.Run("pods of the Deployment are admitted", func(t *testing.T) { podsAreAdmitted(t, admin) })
	t.Run("rights", func(t *testing.T) { rights(t, admin) })
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

func hardened(t *testing.T, deployment *appsv1.Deployment) {
	t.Helper()
	if n := deployment.Spec.Replicas; n == nil || *n < 2 {
		t.Errorf("%v replicas, want 2", n)
	}
	pod := deployment.Spec.Template.Spec
	if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot ||
		s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("security context of the pod: %v", s)
	}
	for _, container := range pod.Containers {
		s := container.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
			s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || len(s.Capabilities.Add) > 0 {
			t.Errorf("security context of container %s: %v", container.Name, s)
		}
	}
}

// right is "verb resource.group/subresource name@namespace".
type right struct{ verb, group, resource, sub, name, namespace string }

func (r right) String() string {
	return fmt.Sprintf("%s %s.%s/%s %q in %q", r.verb, r.resource, r.group, r.sub, r.name, r.namespace)
}

func rights(t *testing.T, admin kubernetes.Interface) {
	const v1, v3 = "crd.projectcalico.org", "projectcalico.org"
	var allowed, denied []right
	each := func(into *[]right, verbs string, r right) {
		for verb := range strings.FieldsSeq(verbs) {
			r.verb = verb
			*into = append(*into, r)
		}
	}
	policy := right{group: v1alpha1.GroupVersion.Group, resource: "routereflectorautoscalers"}
	each(&allowed, "get list watch create patch", policy)
	each(&denied, "update delete deletecollection", policy)
	policy.sub = "status"
	each(&allowed, "patch", policy)

	each(&allowed, "get list watch patch", right{resource: "nodes"})
	each(&denied, "create update delete deletecollection proxy", right{resource: "nodes"})
	each(&denied, "patch update", right{resource: "nodes", sub: "status"})
	each(&denied, "get create", right{resource: "nodes", sub: "proxy"})
	each(&allowed, "list watch", right{resource: "pods"})
	each(&denied, "get create patch update delete", right{resource: "pods"})
	each(&denied, "create", right{resource: "pods", sub: "exec"})
	each(&denied, "create", right{resource: "pods", sub: "eviction"})

	for _, group := range []string{v1, v3} {
		each(&allowed, "get list watch create patch delete", right{group: group, resource: "bgppeers"})
		each(&denied, "deletecollection", right{group: group, resource: "bgppeers"})
		each(&allowed, "get list watch create patch", right{group: group, resource: "bgpconfigurations"})
		each(&denied, "delete deletecollection", right{group: group, resource: "bgpconfigurations"})
		each(&allowed, "get list watch create patch delete", right{group: group, resource: "caliconodestatuses"})
		each(&denied, "patch update", right{group: group, resource: "caliconodestatuses", sub: "status"})
		each(&allowed, "get list watch create patch delete", right{group: group, resource: "bgpfilters"})
		each(&denied, "update deletecollection", right{group: group, resource: "bgpfilters"})
		for _, resource := range []string{"clusterinformations", "blockaffinities", "ippools"} {
			each(&allowed, "get list watch", right{group: group, resource: resource})
			each(&denied, "create patch update delete", right{group: group, resource: resource})
		}
		each(&allowed, "get list watch", right{group: group, resource: "kubecontrollersconfigurations"})
		each(&denied, "create patch update delete", right{group: group, resource: "kubecontrollersconfigurations"})
		each(&denied, "get list create patch", right{group: group, resource: "networkpolicies"})
		each(&denied, "get list create patch", right{group: group, resource: "felixconfigurations"})
	}

	services := right{group: "apiregistration.k8s.io", resource: "apiservices", name: "v3.projectcalico.org"}
	each(&allowed, "get", services)
	each(&denied, "patch update delete", services)
	services.name = "v1.apps"
	each(&denied, "get", services)

	lease := right{group: "coordination.k8s.io", resource: "leases", name: "tapetum-controller", namespace: deploy.Namespace}
	each(&allowed, "get create update", lease)
	each(&denied, "delete", lease)
	lease.name = "another"
	each(&denied, "get update", lease)
	lease.name, lease.namespace = "tapetum-controller", "kube-system"
	each(&denied, "get create update", lease)
	for _, namespace := range []string{"default", deploy.Namespace} {
		each(&allowed, "create patch", right{group: "events.k8s.io", resource: "events", namespace: namespace})
		each(&denied, "delete", right{group: "events.k8s.io", resource: "events", namespace: namespace})
	}
	each(&denied, "create", right{group: "events.k8s.io", resource: "events", namespace: "kube-system"})

	for _, namespace := range []string{"", deploy.Namespace, "kube-system"} {
		each(&denied, "get list watch create patch update delete", right{resource: "secrets", namespace: namespace})
		each(&denied, "get list create patch", right{resource: "configmaps", namespace: namespace})
	}
	each(&denied, "impersonate", right{resource: "users", name: "admin"})
	each(&denied, "create", right{resource: "serviceaccounts", sub: "token", name: deploy.ServiceAccount, namespace: deploy.Namespace})
	each(&denied, "create patch bind escalate", right{group: "rbac.authorization.k8s.io", resource: "clusterroles"})
	each(&denied, "create patch delete", right{group: "admissionregistration.k8s.io", resource: "validatingadmissionpolicies"})
	each(&denied, "create patch delete", right{group: "apiextensions.k8s.io", resource: "customresourcedefinitions"})

	for _, r := range allowed {
		if !may(t, admin, r) {
			t.Errorf("refused, though needed: %v", r)
		}
	}
	for _, r := range denied {
		if may(t, admin, r) {
			t.Errorf("allowed, though not needed: %v", r)
		}
	}
}

func may(t *testing.T, admin kubernetes.Interface, r right) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   "system:serviceaccount:" + deploy.Namespace + ":" + deploy.ServiceAccount,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + deploy.Namespace, "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: r.verb, Group: r.group, Resource: r.resource, Subresource: r.sub, Name: r.name, Namespace: r.namespace,
		},
	}}
	review, err := admin.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// What the service account may patch, it may patch in part only. Tried with
// writes, as no review knows of admission policies.
func TestAdmissionPolicies(t *testing.T) {
	for _, version := range []schema.GroupVersion{
		{Group: "crd.projectcalico.org", Version: "v1"}, {Group: "projectcalico.org", Version: "v3"},
	} {
		t.Run(version.Version, func(t *testing.T) { admissionPolicies(t, version) })
	}
}

func admissionPolicies(t *testing.T, version schema.GroupVersion) {
	c := start(t, version.Group)
	admin, err := dynamic.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	account, err := c.ServiceAccountConfig(t.Context(), deploy.Namespace, deploy.ServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	tapetum, err := dynamic.NewForConfig(account)
	if err != nil {
		t.Fatal(err)
	}
	nodes := schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	configurations := version.WithResource("bgpconfigurations")
	create(t, admin.Resource(nodes), `{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1",
		"labels":{"zone":"a"},"annotations":{"note":"kept"}}}`)
	create(t, admin.Resource(configurations), `{"apiVersion":"`+version.String()+`","kind":"BGPConfiguration",
		"metadata":{"name":"default"},"spec":{"asNumber":64512,"nodeMeshMaxRestartTime":"1m0s"}}`)

	onNode := patching(tapetum.Resource(nodes), "n1")
	onConfiguration := patching(tapetum.Resource(configurations), "default")
	// A new policy is not in force at once.
	awaitDenied(t, onNode(`{"spec":{"unschedulable":true}}`))
	awaitDenied(t, onConfiguration(`{"spec":{"asNumber":64513}}`))

	for _, test := range []struct {
		name    string
		do      write
		refused bool
	}{
		{name: "role of a node", do: onNode(`{"metadata":{
			"labels":{"` + v1alpha1.ReflectorLabel + `":"1","` + v1alpha1.ServesLabelPrefix + `all":""},
			"annotations":{"` + v1alpha1.ClusterIDAnnotation + `":"224.0.0.1"}}}`)},
		{name: "group of a client", do: onNode(`{"metadata":{"labels":{"` + v1alpha1.HomeLabel + `":"a-1","` + v1alpha1.SettledLabel + `":"a-1"}}}`)},
		{name: "group taken away", do: onNode(`{"metadata":{"labels":{"` + v1alpha1.HomeLabel + `":null,"` + v1alpha1.SettledLabel + `":null}}}`)},
		{name: "protection", do: onNode(`{"metadata":{"annotations":{"` + v1alpha1.ScaleDownDisabledAnnotation + `":"true","` + v1alpha1.DoNotDisruptAnnotation + `":"true"}}}`)},
		{name: "protection turned into its opposite", do: onNode(`{"metadata":{"annotations":{"` + v1alpha1.DoNotDisruptAnnotation + `":"false"}}}`), refused: true},
		{name: "protection taken away", do: onNode(`{"metadata":{"annotations":{"` + v1alpha1.ScaleDownDisabledAnnotation + `":null,"` + v1alpha1.DoNotDisruptAnnotation + `":null}}}`)},
		{name: "another key of ours", do: onNode(`{"metadata":{"labels":{"` + v1alpha1.NodeKeyPrefix + `x":"y"}}}`), refused: true},
		{name: "cordon by annotation", do: onNode(`{"metadata":{"annotations":{"` + v1alpha1.CordonedAnnotation + `":""}}}`), refused: true},
		{name: "role taken away", do: onNode(`{"metadata":{
			"labels":{"` + v1alpha1.ReflectorLabel + `":null,"` + v1alpha1.ServesLabelPrefix + `all":null},
			"annotations":{"` + v1alpha1.ClusterIDAnnotation + `":null}}}`)},
		{name: "new label", do: onNode(`{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":""}}}`), refused: true},
		{name: "changed label", do: onNode(`{"metadata":{"labels":{"zone":"b"}}}`), refused: true},
		{name: "removed label", do: onNode(`{"metadata":{"labels":{"zone":null}}}`), refused: true},
		{name: "all labels removed", do: onNode(`{"metadata":{"labels":null}}`), refused: true},
		{name: "new annotation", do: onNode(`{"metadata":{"annotations":{"x":"y"}}}`), refused: true},
		{name: "removed annotation", do: onNode(`{"metadata":{"annotations":{"note":null}}}`), refused: true},
		{name: "taint", do: onNode(`{"spec":{"taints":[{"key":"x","effect":"NoExecute"}]}}`), refused: true},
		{name: "mesh off", do: onConfiguration(`{"spec":{"nodeToNodeMeshEnabled":false,"nodeMeshMaxRestartTime":null}}`)},
		{name: "mesh on", do: onConfiguration(`{"spec":{"nodeToNodeMeshEnabled":null,"nodeMeshMaxRestartTime":"1m0s"}}`)},
		{name: "advertised services", do: onConfiguration(`{"spec":{"serviceClusterIPs":[{"cidr":"10.0.0.0/8"}]}}`), refused: true},
		{name: "AS number removed", do: onConfiguration(`{"spec":{"asNumber":null}}`), refused: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.do(t.Context(), metav1.PatchOptions{})
			switch {
			case test.refused && !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err):
				t.Errorf("error %v, want a refusal", err)
			case test.refused && !strings.Contains(err.Error(), "Tapetum changes only") && !strings.Contains(err.Error(), "Tapetum does not"):
				t.Errorf("refused for another reason: %v", err)
			case !test.refused && err != nil:
				t.Error(err)
			}
		})
	}
	for resource, spec := range map[string]string{
		"bgpfilters": `{"exportV4":[{"action":"Reject"}]}`, "bgppeers": `{"nodeSelector":"all()","peerSelector":"has(x)"}`,
	} {
		t.Run(resource, func(t *testing.T) {
			onlyOwn(t, version, admin.Resource(version.WithResource(resource)), tapetum.Resource(version.WithResource(resource)), spec)
		})
	}
	t.Run("others are not bound", func(t *testing.T) {
		_, err := admin.Resource(nodes).Patch(t.Context(), "n1", types.MergePatchType, []byte(`{"metadata":{"labels":{"zone":"b"}}}`), metav1.PatchOptions{})
		if err != nil {
			t.Error(err)
		}
	})
}

// onlyOwn: Tapetum may write what carries its label, and nothing else.
func onlyOwn(t *testing.T, version schema.GroupVersion, admin, tapetum dynamic.ResourceInterface, spec string) {
	kind := "BGPPeer"
	if strings.Contains(spec, "exportV4") {
		kind = "BGPFilter"
	}
	object := func(name, metadata string) string {
		return `{"apiVersion":"` + version.String() + `","kind":"` + kind + `","metadata":{"name":"` + name + `"` + metadata + `},"spec":` + spec + `}`
	}
	const label = `,"labels":{"` + v1alpha1.ManagedByLabel + `":"` + v1alpha1.ManagedByValue + `"}`
	const packed = `,"annotations":{"projectcalico.org/metadata":"{\"labels\":{\"` + v1alpha1.ManagedByLabel + `\":\"` + v1alpha1.ManagedByValue + `\"}}"}`
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "Tapetum changes only") {
			t.Errorf("%s: error %v, want a refusal", what, err)
		}
	}
	creating := func(text string) error {
		var o unstructured.Unstructured
		if err := o.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		_, err := tapetum.Create(t.Context(), &o, metav1.CreateOptions{})
		return err
	}
	note := func(name, patch string) error {
		return patching(tapetum, name)(patch)(t.Context(), metav1.PatchOptions{})
	}
	const annotate = `{"metadata":{"annotations":{"note":"x"}}}`

	create(t, admin, object("foreign", ""))
	awaitDenied(t, patching(tapetum, "foreign")(annotate))
	refused("patch of somebody's", note("foreign", annotate))
	refused("adopting somebody's", note("foreign", `{"metadata":{`+label[1:]+`}}`))
	refused("deleting somebody's", tapetum.Delete(t.Context(), "foreign", metav1.DeleteOptions{}))
	refused("creating without the label", creating(object("plain", "")))

	create(t, admin, object("packed", packed))
	allowed := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	allowed("creating with the label", creating(object("own", label)))
	allowed("patch of its own", note("own", annotate))
	allowed("patch of its own, packed", note("packed", annotate))
	refused("giving its own away", note("own", `{"metadata":{"labels":null}}`))
	allowed("deleting its own", tapetum.Delete(t.Context(), "own", metav1.DeleteOptions{}))
}

// write is one write to the API server.
type write func(context.Context, metav1.PatchOptions) error

func patching(resource dynamic.ResourceInterface, name string) func(patch string) write {
	return func(patch string) write {
		return func(ctx context.Context, options metav1.PatchOptions) error {
			_, err := resource.Patch(ctx, name, types.MergePatchType, []byte(patch), options)
			return err
		}
	}
}

func create(t *testing.T, resource dynamic.ResourceInterface, text string) {
	t.Helper()
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := resource.Create(t.Context(), &object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// awaitDenied tries a write until it is refused. It is a dry run: once written,
// the same would be no change any more, and allowed.
func awaitDenied(t *testing.T, try write) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		err := try(t.Context(), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil && strings.Contains(err.Error(), "Tapetum") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the policy never came into force; the last write: %v", err)
		}
	}
}
