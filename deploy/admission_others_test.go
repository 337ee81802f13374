package deploy_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// as is a client in the name of somebody else.
func as(t *testing.T, config *rest.Config, user string, groups ...string) dynamic.Interface {
	t.Helper()
	config = rest.CopyConfig(config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	return dynamicClient(t, config)
}

// mayWriteNodes lets a group do with nodes what it likes, as far as RBAC goes.
func mayWriteNodes(t *testing.T, admin dynamic.Interface) {
	t.Helper()
	rbac := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	create(t, admin.Resource(rbac.WithResource("clusterroles")), `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"node-writers"},
		"rules":[{"apiGroups":[""],"resources":["nodes","nodes/status"],"verbs":["*"]},
			{"apiGroups":["tapetum.dev"],"resources":["routereflectorautoscalers","routereflectorautoscalers/status"],"verbs":["get","patch","update"]}]}`)
	for group, name := range map[string]string{"node-writers": "node-writers", "role-setters": "tapetum-role-setter"} {
		create(t, admin.Resource(rbac.WithResource("clusterrolebindings")), `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"`+group+`"},
			"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"`+name+`"},
			"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"`+group+`"}]}`)
	}
}

// TestRoleKeys: nobody but Tapetum, and whom an administrator names, sets the keys
// that make a reflector; and nobody is kept from anything else.
func TestRoleKeys(t *testing.T) {
	plane := start(t)
	admin := dynamicClient(t, plane.Config())
	client, reflector, foreign := makeNodes(t, admin, "others")
	mayWriteNodes(t, admin)
	const bare = "others-bare" // neither labels nor annotations
	create(t, admin.Resource(nodes), `{"apiVersion":"v1","kind":"Node","metadata":{"name":"`+bare+`"}}`)
	anybody := as(t, plane.Config(), "anybody", "node-writers").Resource(nodes)
	operator := as(t, plane.Config(), "operator", "node-writers", "role-setters").Resource(nodes)
	calico := as(t, plane.Config(), "system:serviceaccount:kube-system:calico-node", "node-writers").Resource(nodes)
	operators := as(t, plane.Config(), "system:serviceaccount:calico-system:calico-node", "node-writers").Resource(nodes)
	kubelet := as(t, plane.Config(), "system:node:"+reflector, "system:nodes").Resource(nodes)
	newKubelet := as(t, plane.Config(), "system:node:others-new", "system:nodes").Resource(nodes)
	node := func(metadata string) string {
		return `{"apiVersion":"v1","kind":"Node","metadata":{"name":"others-new"` + metadata + `}}`
	}
	const (
		set     = "labels under tapetum.node-restriction.kubernetes.io/ are set by Tapetum alone"
		removed = "labels under tapetum.node-restriction.kubernetes.io/ are removed by Tapetum alone"
		changed = "the cluster ID of a route reflector of Tapetum's is changed by Tapetum alone"
		back    = "calico-node writes back a cluster ID"
		home    = `"` + v1alpha1.HomeLabel + `":"a-1"`
	)
	check(t, []bound{
		{name: "role", do: patching(anybody, client, both(role, id+`"224.0.0.1"`)), refusal: set},
		{name: "role of a node without labels", do: patching(anybody, bare, both(role, id+`"224.0.0.1"`)), refusal: set},
		{name: "home", do: patching(anybody, client, labels(home)), refusal: set},
		{name: "a key that nobody knows", do: patching(anybody, client, labels(`"`+v1alpha1.NodeKeyPrefix+`x":""`)), refusal: set},
		{name: "role along with the status", do: patching(anybody, client, labels(role), "status"), refusal: set},
		{name: "another tier", do: patching(anybody, reflector, labels(`"`+v1alpha1.ReflectorLabel+`":"rack"`)), refusal: set},
		{name: "role taken away", do: patching(anybody, reflector, both(noRole, id+`null`)), refusal: removed},
		{name: "all labels taken away", do: patching(anybody, reflector, `{"metadata":{"labels":null}}`), refusal: removed},
		{name: "cluster ID changed", do: patching(anybody, reflector, annotations(id+`"10.0.0.9"`)), refusal: changed},
		{name: "cluster ID changed along with the status", do: patching(anybody, reflector, annotations(id+`"10.0.0.9"`), "status"), refusal: changed},
		{name: "cluster ID taken away", do: patching(anybody, reflector, annotations(id+`null`)), refusal: changed},
		{name: "new node with a role", do: creating(t, anybody, node(`,"labels":{`+role+`}`)), refusal: set},
		{name: "new node of a kubelet with a role", do: creating(t, newKubelet, node(`,"labels":{`+role+`}`)), refusal: "is not allowed to set"},
		{name: "kubelet changes its cluster ID", do: patching(kubelet, reflector, annotations(id+`"10.0.0.9"`), "status"), refusal: changed},
		{name: "calico-node sets a role", do: patching(calico, client, labels(role)), refusal: set},
		{name: "calico-node changes the cluster ID", do: patching(calico, reflector, annotations(id+`"10.0.0.9"`), "status"), refusal: changed},

		{name: "calico-node writes back a cluster ID", do: patching(calico, client, annotations(id+`"224.0.0.1"`), "status"), refusal: back},
		{name: "calico-node writes back somebody's cluster ID", do: patching(calico, foreign, annotations(id+`"10.0.0.9"`), "status"), refusal: back},
		{name: "the operator's calico-node does", do: patching(operators, bare, annotations(id+`"224.0.0.1"`), "status"), refusal: back},

		{name: "calico-node's own annotations on somebody's reflector", do: patching(calico, foreign, annotations(`"projectcalico.org/IPv4Address":"10.0.0.1/24"`), "status")},
		{name: "calico-node loses the keys", do: patching(calico, reflector, both(noRole, id+`null`), "status")},
		{name: "calico-node's own annotations", do: patching(calico, reflector, annotations(`"projectcalico.org/IPv4Address":"10.0.0.1/24"`), "status")},
		{name: "heartbeat", do: patching(kubelet, reflector, `{"status":{"capacity":{"pods":"110"}}}`, "status")},
		{name: "heartbeat of a node without labels", do: patching(anybody, bare, `{"status":{"capacity":{"pods":"110"}}}`, "status")},
		{name: "first label of a node", do: patching(anybody, bare, labels(`"zone":"b"`))},
		{name: "first annotation of a node", do: patching(anybody, bare, annotations(`"note":"x"`))},
		{name: "last labels of a node", do: patching(anybody, client, `{"metadata":{"labels":null,"annotations":null}}`)},
		{name: "new node without anything", do: creating(t, anybody, node(""))},
		{name: "kubelet's labels", do: patching(kubelet, reflector, labels(`"kubernetes.io/os":"linux"`))},
		{name: "new node", do: creating(t, newKubelet, node(`,"labels":{"kubernetes.io/os":"linux"}`))},
		{name: "labels of others", do: patching(anybody, reflector, labels(`"zone":"b"`))},
		{name: "taint of a reflector", do: patching(anybody, reflector, `{"spec":{"taints":[{"key":"x","effect":"NoExecute"}]}}`)},
		{name: "reflector of one's own", do: patching(anybody, client, annotations(id+`"10.0.0.1"`))},
		{name: "reflector of one's own no more", do: patching(anybody, foreign, annotations(id+`null`))},
		{name: "operator sets a role", do: patching(operator, client, both(role, id+`"224.0.0.1"`))},
		{name: "operator takes a role away", do: patching(operator, reflector, both(noRole, id+`null`))},
		{name: "cluster administrator", do: patching(admin.Resource(nodes), reflector, annotations(id+`"224.0.0.2"`))},
	})
}

// TestOthersDoNotWriteStatus: Tapetum goes on from what its status says.
func TestOthersDoNotWriteStatus(t *testing.T) {
	plane := start(t)
	autoscalers := v1alpha1.GroupVersion.WithResource("routereflectorautoscalers")
	admin := dynamicClient(t, plane.Config())
	mayWriteNodes(t, admin)
	create(t, admin.Resource(autoscalers), policyWith(""))
	anybody := as(t, plane.Config(), "anybody", "node-writers").Resource(autoscalers)
	check(t, []bound{
		{name: "status", do: patching(anybody, "default", `{"status":{"nextStep":"none"}}`, "status"), refusal: "the status is written by Tapetum alone"},
		{name: "specification", do: patching(anybody, "default", `{"spec":{"mode":"Paused"}}`)},
	})
}
