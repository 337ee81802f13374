package deploy_test

import (
	"fmt"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/deploy"
)

// right is what somebody may be asked for.
type right struct{ group, resource, sub, name, namespace string }

func (r right) String() string {
	return fmt.Sprintf("%s.%s/%s %q in %q", r.resource, r.group, r.sub, r.name, r.namespace)
}

// rights by verbs.
type rights []struct {
	verbs string
	right
}

// TestRights asks the API server, as the controller, what it may do: what it needs,
// and nothing that an attacker could use beyond.
func TestRights(t *testing.T) {
	client, err := kubernetes.NewForConfig(account(t, start(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []struct {
		rights
		want bool
	}{
		{allowedOfKubernetes(), true}, {deniedOfKubernetes(), false}, {allowedOfCalico(), true}, {deniedOfCalico(), false},
	} {
		for _, asked := range table.rights {
			for verb := range strings.FieldsSeq(asked.verbs) {
				if got := may(t, client, verb, asked.right); got != table.want {
					t.Errorf("%s %v: %v, want %v", verb, asked.right, got, table.want)
				}
			}
		}
	}
}

func allowedOfKubernetes() rights {
	const own = "routereflectorautoscalers"
	group := v1alpha1.GroupVersion.Group
	lease := right{group: "coordination.k8s.io", resource: "leases", name: "tapetum-controller", namespace: deploy.Namespace}
	return rights{
		{"get list watch patch", right{group: group, resource: own, name: v1alpha1.SingletonName}},
		{"create", right{group: group, resource: own}},
		{"patch", right{group: group, resource: own, sub: "status", name: v1alpha1.SingletonName}},
		{"get list watch patch", right{resource: "nodes"}},
		{"list watch", right{resource: "pods"}},
		{"get create update", lease},
		{"get", right{group: "coordination.k8s.io", resource: "leases", name: "n1", namespace: "kube-node-lease"}},
		{"create patch", right{group: "events.k8s.io", resource: "events", namespace: "default"}},
		{"create patch", right{group: "events.k8s.io", resource: "events", namespace: deploy.Namespace}},
		{"get", right{group: "apiregistration.k8s.io", resource: "apiservices", name: "v3.projectcalico.org"}},
		{"create", right{group: "authentication.k8s.io", resource: "tokenreviews"}},
		{"create", right{group: "authorization.k8s.io", resource: "subjectaccessreviews"}},
	}
}

func deniedOfKubernetes() rights {
	const own = "routereflectorautoscalers"
	group := v1alpha1.GroupVersion.Group
	denied := rights{
		{"get list watch patch", right{group: group, resource: own, name: "another"}},
		{"list watch", right{group: group, resource: own}},
		{"update delete deletecollection", right{group: group, resource: own, name: v1alpha1.SingletonName}},
		{"setrole", right{group: group, resource: own, name: v1alpha1.SingletonName}},
		{"create update delete deletecollection proxy", right{resource: "nodes"}},
		{"patch update", right{resource: "nodes", sub: "status"}},
		{"get create", right{resource: "nodes", sub: "proxy"}},
		{"get create patch update delete", right{resource: "pods"}},
		{"create get", right{resource: "pods", sub: "exec"}},
		{"create get", right{resource: "pods", sub: "attach"}},
		{"create get", right{resource: "pods", sub: "portforward"}},
		{"get", right{resource: "pods", sub: "log"}},
		{"create", right{resource: "pods", sub: "eviction"}},
		{"create", right{resource: "pods", sub: "binding"}},
		{"patch update", right{resource: "pods", sub: "ephemeralcontainers"}},
		{"create patch update delete", right{group: "apps", resource: "deployments", namespace: deploy.Namespace}},
		{"create patch update delete", right{group: "apps", resource: "daemonsets", namespace: "kube-system"}},
		{"get patch update delete", right{group: "apiregistration.k8s.io", resource: "apiservices", name: "v1.apps"}},
		{"patch update delete", right{group: "apiregistration.k8s.io", resource: "apiservices", name: "v3.projectcalico.org"}},
		{"delete", right{group: "coordination.k8s.io", resource: "leases", name: "tapetum-controller", namespace: deploy.Namespace}},
		{"get update", right{group: "coordination.k8s.io", resource: "leases", name: "another", namespace: deploy.Namespace}},
		{"get create update", right{group: "coordination.k8s.io", resource: "leases", name: "tapetum-controller", namespace: "kube-system"}},
		{"list watch create update patch delete", right{group: "coordination.k8s.io", resource: "leases", name: "n1", namespace: "kube-node-lease"}},
		{"delete", right{group: "events.k8s.io", resource: "events", namespace: "default"}},
		{"create", right{group: "events.k8s.io", resource: "events", namespace: "kube-system"}},
		{"impersonate", right{resource: "users", name: "admin"}},
		{"impersonate", right{resource: "serviceaccounts", name: "calico-node", namespace: "kube-system"}},
		{"create", right{resource: "serviceaccounts", sub: "token", name: deploy.ServiceAccount, namespace: deploy.Namespace}},
		{"create patch bind escalate", right{group: "rbac.authorization.k8s.io", resource: "clusterroles"}},
		{"create patch", right{group: "rbac.authorization.k8s.io", resource: "clusterrolebindings"}},
		{"create patch delete", right{group: "admissionregistration.k8s.io", resource: "validatingadmissionpolicies"}},
		{"create patch delete", right{group: "admissionregistration.k8s.io", resource: "validatingadmissionpolicybindings"}},
		{"create patch delete", right{group: "apiextensions.k8s.io", resource: "customresourcedefinitions"}},
		{"create", right{group: "certificates.k8s.io", resource: "certificatesigningrequests"}},
		{"get list watch", right{resource: "services", namespace: "default"}},
		{"create patch", right{resource: "endpoints", namespace: "default"}},
	}
	for _, namespace := range []string{"", deploy.Namespace, "kube-system", "calico-system"} {
		denied = append(denied, rights{
			{"get list watch create patch update delete", right{resource: "secrets", namespace: namespace}},
			{"get list watch create patch update delete", right{resource: "configmaps", namespace: namespace}},
		}...)
	}
	return denied
}

func allowedOfCalico() rights {
	var allowed rights
	for _, version := range []string{v1.Group, v3.Group} {
		allowed = append(allowed, rights{
			{"get list watch create patch delete", right{group: version, resource: "bgppeers"}},
			{"get list watch create", right{group: version, resource: "bgpconfigurations"}},
			{"patch", right{group: version, resource: "bgpconfigurations", name: "default"}},
			{"get list watch create patch delete", right{group: version, resource: "caliconodestatuses"}},
			{"get list watch create", right{group: version, resource: "bgpfilters"}},
			{"patch delete", right{group: version, resource: "bgpfilters", name: "tapetum-one-hop"}},
			{"get list watch", right{group: version, resource: "blockaffinities"}},
			{"get list watch", right{group: version, resource: "ippools"}},
			{"get list watch", right{group: version, resource: "clusterinformations", name: "default"}},
			{"get list watch", right{group: version, resource: "kubecontrollersconfigurations", name: "default"}},
		}...)
	}
	return allowed
}

func deniedOfCalico() rights {
	var denied rights
	for _, version := range []string{v1.Group, v3.Group} {
		denied = append(denied, rights{
			{"update deletecollection", right{group: version, resource: "bgppeers"}},
			{"patch", right{group: version, resource: "bgpconfigurations", name: "node.n1"}},
			{"update delete deletecollection", right{group: version, resource: "bgpconfigurations", name: "default"}},
			{"patch update", right{group: version, resource: "caliconodestatuses", sub: "status"}},
			{"patch update delete", right{group: version, resource: "bgpfilters", name: "another"}},
			{"deletecollection", right{group: version, resource: "bgpfilters"}},
			{"create patch update delete", right{group: version, resource: "blockaffinities"}},
			{"create patch update delete", right{group: version, resource: "ippools"}},
			{"list watch", right{group: version, resource: "clusterinformations"}},
			{"create patch update delete", right{group: version, resource: "clusterinformations", name: "default"}},
			{"get list watch", right{group: version, resource: "kubecontrollersconfigurations"}},
			{"create patch update delete", right{group: version, resource: "kubecontrollersconfigurations", name: "default"}},
			{"get list create patch", right{group: version, resource: "networkpolicies"}},
			{"get list create patch", right{group: version, resource: "globalnetworkpolicies"}},
			{"get list create patch", right{group: version, resource: "felixconfigurations"}},
			{"get list create patch", right{group: version, resource: "hostendpoints"}},
			{"get list create patch", right{group: version, resource: "ipamblocks"}},
		}...)
	}
	return denied
}

// may asks the API server in the name of who asks.
func may(t *testing.T, client kubernetes.Interface, verb string, r right) bool {
	t.Helper()
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: r.group, Resource: r.resource, Subresource: r.sub, Name: r.name, Namespace: r.namespace,
		},
	}}
	review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}
