package deploy_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/deploy"
)

var nodes = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}

const (
	role   = `"` + v1alpha1.ReflectorLabel + `":"core","` + v1alpha1.ServesLabelPrefix + `all":"true"`
	noRole = `"` + v1alpha1.ReflectorLabel + `":null,"` + v1alpha1.ServesLabelPrefix + `all":null`
	id     = `"` + v1alpha1.ClusterIDAnnotation + `":`
)

func labels(text string) string      { return `{"metadata":{"labels":{` + text + `}}}` }
func annotations(text string) string { return `{"metadata":{"annotations":{` + text + `}}}` }
func both(l, a string) string {
	return `{"metadata":{"labels":{` + l + `},"annotations":{` + a + `}}}`
}

// makeNodes gives the names of a client, of a reflector, and of a reflector of
// somebody else's.
func makeNodes(t *testing.T, admin dynamic.Interface, prefix string) (client, reflector, foreign string) {
	t.Helper()
	client, reflector, foreign = prefix+"-client", prefix+"-reflector", prefix+"-foreign"
	for name, metadata := range map[string]string{
		client:    `"labels":{"zone":"a"},"annotations":{"note":"kept"}`,
		reflector: `"labels":{"zone":"a",` + role + `},"annotations":{"note":"kept",` + id + `"224.0.0.1"}`,
		foreign:   `"labels":{"zone":"a"},"annotations":{` + id + `"10.0.0.1"}`,
	} {
		create(t, admin.Resource(nodes), `{"apiVersion":"v1","kind":"Node","metadata":{"name":"`+name+`",`+metadata+`}}`)
	}
	return client, reflector, foreign
}

// What the service account may patch, it may patch in part only. Tried with writes,
// as no review knows of admission policies.
func TestBoundsOnNodes(t *testing.T) {
	plane := start(t)
	client, reflector, _ := makeNodes(t, dynamicClient(t, plane.Config()), "ours")
	resource := dynamicClient(t, account(t, plane)).Resource(nodes)
	onClient := func(patch string) try { return patching(resource, client, patch) }
	onReflector := func(patch string) try { return patching(resource, reflector, patch) }
	const (
		ownLabels      = "Tapetum changes only node labels of its own"
		ownAnnotations = "Tapetum changes only the cluster ID and the protection"
		ownIDs         = "Tapetum changes only to cluster IDs that are IPv4 addresses"
		owners         = "Tapetum does not change who owns a node"
	)
	check(t, []bound{
		{name: "role", do: onClient(both(role, id+`"224.0.0.1"`))},
		{name: "role of another tier", do: onReflector(both(`"`+v1alpha1.ReflectorLabel+`":"multi","`+v1alpha1.RenewedLabel+`":"true"`, id+`"224.0.0.7"`))},
		{name: "role taken away", do: onReflector(both(noRole, id+`null`))},
		{name: "group of a client", do: onClient(labels(`"` + v1alpha1.HomeLabel + `":"a-1","` + v1alpha1.SettledLabel + `":"a-1"`))},
		{name: "protection", do: onReflector(annotations(`"` + v1alpha1.ScaleDownDisabledAnnotation + `":"true","` + v1alpha1.DoNotDisruptAnnotation + `":"true"`))},
		{name: "protection turned into its opposite", do: onClient(annotations(`"` + v1alpha1.DoNotDisruptAnnotation + `":"false"`)), refusal: "Tapetum changes only to protection"},

		{name: "cluster ID that is a network", do: onReflector(annotations(id + `"10.0.0.0/8"`)), refusal: ownIDs},
		{name: "cluster ID of IPv6", do: onReflector(annotations(id + `"2001:db8::1"`)), refusal: ownIDs},
		{name: "cluster ID 0.0.0.0", do: onReflector(annotations(id + `"0.0.0.0"`)), refusal: ownIDs},
		{name: "cluster ID with a terminal's escape", do: onReflector(annotations(id + `"\u001b[2J"`)), refusal: ownIDs},
		{name: "cluster ID without a role", do: onClient(annotations(id + `"224.0.0.1"`)), refusal: "Tapetum changes only the cluster ID of nodes with its own label"},
		{name: "role without a cluster ID", do: onClient(labels(role)), refusal: "Tapetum changes only nodes with a cluster ID"},
		{name: "tier that there is not", do: onReflector(labels(`"` + v1alpha1.ReflectorLabel + `":"all"`)), refusal: "Tapetum changes only to tiers"},
		{name: "role label with a value", do: onReflector(labels(`"` + v1alpha1.ServesLabelPrefix + `all":"false"`)), refusal: `Tapetum changes only to labels of a role that say "true"`},
		{name: "another key of ours", do: onClient(labels(`"` + v1alpha1.NodeKeyPrefix + `x":"y"`)), refusal: ownLabels},
		{name: "cordon by annotation", do: onClient(annotations(`"` + v1alpha1.CordonedAnnotation + `":""`)), refusal: ownAnnotations},

		{name: "new label", do: onClient(labels(`"node-role.kubernetes.io/control-plane":""`)), refusal: ownLabels},
		{name: "changed label", do: onClient(labels(`"zone":"b"`)), refusal: ownLabels},
		{name: "removed label", do: onClient(labels(`"zone":null`)), refusal: ownLabels},
		{name: "all labels removed", do: onClient(`{"metadata":{"labels":null}}`), refusal: ownLabels},
		{name: "new annotation", do: onClient(annotations(`"projectcalico.org/IPv4Address":"10.9.9.9/24"`)), refusal: ownAnnotations},
		{name: "removed annotation", do: onClient(annotations(`"note":null`)), refusal: ownAnnotations},
		{name: "taint", do: onClient(`{"spec":{"taints":[{"key":"x","effect":"NoExecute"}]}}`), refusal: "Tapetum does not change the specification"},
		{name: "cordon", do: onClient(`{"spec":{"unschedulable":true}}`), refusal: "Tapetum does not change the specification"},
		{name: "owner, to have the node collected", do: onClient(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"gone","uid":"0"}]}}`), refusal: owners},
		{name: "finalizer", do: onClient(`{"metadata":{"finalizers":["example.com/never"]}}`), refusal: owners},
	})
}

func policyWith(annotations string) string {
	return `{"apiVersion":"` + v1alpha1.GroupVersion.String() + `","kind":"RouteReflectorAutoscaler","metadata":{"name":"default","annotations":{` + annotations + `}},"spec":{"mode":"DryRun"}}`
}

// TestBoundsOnPolicy: the controller cannot ask itself for something else.
func TestBoundsOnPolicy(t *testing.T) {
	plane := start(t)
	autoscalers := v1alpha1.GroupVersion.WithResource("routereflectorautoscalers")
	admin, tapetum := dynamicClient(t, plane.Config()).Resource(autoscalers), dynamicClient(t, account(t, plane)).Resource(autoscalers)
	object := policyWith
	const (
		follows = `"` + v1alpha1.SourceAnnotation + `":"` + v1alpha1.SourceKubeControllers + `"`
		decides = "Tapetum does not decide what it is asked for"
		notes   = "Tapetum changes only annotations of its own"
	)
	check(t, []bound{
		{name: "one that follows", do: creating(t, tapetum, object(follows))},
		{name: "one that follows nothing", do: creating(t, tapetum, object(`"x":"y"`)), refusal: decides},
	})
	create(t, admin, object(`"x":"y"`))
	on := func(patch string) try { return patching(tapetum, "default", patch) }
	check(t, []bound{
		{name: "finalizer", do: on(`{"metadata":{"finalizers":["` + v1alpha1.Finalizer + `"]}}`)},
		{name: "mesh kept aside", do: on(annotations(`"` + v1alpha1.MeshAnnotation + `":"{}"`))},
		{name: "status", do: patching(tapetum, "default", `{"status":{"nextStep":"none"}}`, "status")},
		{name: "another mode", do: on(`{"spec":{"mode":"Apply"}}`), refusal: decides},
		{name: "another annotation", do: on(annotations(`"x":"z"`)), refusal: notes},
		{name: "follow from now on", do: on(annotations(follows)), refusal: notes},
		{name: "abandon", do: on(annotations(`"` + v1alpha1.AbandonAnnotation + `":"true"`)), refusal: notes},
		{name: "label", do: on(labels(`"x":"y"`)), refusal: "Tapetum does not change labels and owners"},
		{name: "another finalizer", do: on(`{"metadata":{"finalizers":["example.com/never"]}}`), refusal: "Tapetum changes only the finalizer"},
		{name: "a person's status", do: patching(admin, "default", `{"status":{"nextStep":"none"}}`, "status")},
	})
}

func TestBoundsOnLeasesAndEvents(t *testing.T) {
	tapetum := dynamicClient(t, account(t, start(t)))
	leases := tapetum.Resource(schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}).Namespace(deploy.Namespace)
	lease := func(name string) try {
		return creating(t, leases, `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"`+name+`"},"spec":{"holderIdentity":"x"}}`)
	}
	oldEvents := tapetum.Resource(schema.GroupVersionResource{Version: "v1", Resource: "events"}).Namespace("default")
	newEvents := tapetum.Resource(schema.GroupVersionResource{Group: "events.k8s.io", Version: "v1", Resource: "events"}).Namespace("default")
	oldEvent := func(about string) try {
		return creating(t, oldEvents, `{"apiVersion":"v1","kind":"Event","metadata":{"name":"e","namespace":"default"},"involvedObject":{"kind":"`+about+`","name":"x"},"reason":"x","message":"x","type":"Normal"}`)
	}
	newEvent := func(about string) try {
		return creating(t, newEvents, `{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"e","namespace":"default"},"eventTime":"2026-01-01T00:00:00.000000Z",
			"reportingController":"tapetum","reportingInstance":"x","regarding":{"kind":"`+about+`","name":"x"},"action":"x","reason":"x","note":"x","type":"Normal"}`)
	}
	const others = "Tapetum does not tell of events of other objects"
	check(t, []bound{
		{name: "its lease", do: lease("tapetum-controller")},
		{name: "another lease", do: lease("kube-scheduler"), refusal: "Tapetum does not create other leases"},
		{name: "event", do: newEvent("RouteReflectorAutoscaler")},
		{name: "event, old API", do: oldEvent("RouteReflectorAutoscaler")},
		{name: "event of a node", do: newEvent("Node"), refusal: others},
		{name: "event of a node, old API", do: oldEvent("Node"), refusal: others},
	})
}
