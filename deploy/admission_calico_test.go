package deploy_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/deploy"
)

// eachGroup runs a test in both of Calico's groups.
func eachGroup(t *testing.T, test func(*testing.T, schema.GroupVersion)) {
	start(t)
	for _, version := range []schema.GroupVersion{v1, v3} {
		t.Run(version.Version, func(t *testing.T) { test(t, version) })
	}
}

const ourLabel = `"labels":{"` + v1alpha1.ManagedByLabel + `":"` + v1alpha1.ManagedByValue + `"}`

// calicoObject is one in a group.
func calicoObject(version schema.GroupVersion, kind, name, metadata, spec string) string {
	if metadata != "" {
		metadata = "," + metadata
	}
	return `{"apiVersion":"` + version.String() + `","kind":"` + kind + `","metadata":{"name":"` + name + `"` + metadata + `},"spec":` + spec + `}`
}

func TestBoundsOnBGPConfigurations(t *testing.T) {
	eachGroup(t, func(t *testing.T, version schema.GroupVersion) {
		plane := start(t)
		resource := version.WithResource("bgpconfigurations")
		admin, tapetum := dynamicClient(t, plane.Config()).Resource(resource), dynamicClient(t, account(t, plane)).Resource(resource)
		configuration := func(name, spec string) string { return calicoObject(version, "BGPConfiguration", name, "", spec) }
		const (
			mesh  = "Tapetum changes only the node-to-node mesh"
			other = "Tapetum changes only the BGP configuration of the cluster"
		)
		check(t, []bound{
			{name: "new", do: creating(t, tapetum, configuration("default", `{"nodeToNodeMeshEnabled":false}`))},
			{name: "new, of a node", do: creating(t, tapetum, configuration("node.n1", `{"nodeToNodeMeshEnabled":false}`)), refusal: other},
			{name: "new, with another AS", do: creating(t, tapetum, configuration("default", `{"nodeToNodeMeshEnabled":false,"asNumber":65001}`)), refusal: mesh},
		})
		create(t, admin, configuration("default", `{"asNumber":64512,"nodeMeshMaxRestartTime":"1m0s"}`))
		on := func(patch string) try { return patching(tapetum, "default", patch) }
		check(t, []bound{
			{name: "mesh off", do: on(`{"spec":{"nodeToNodeMeshEnabled":false,"nodeMeshMaxRestartTime":null}}`)},
			{name: "mesh on", do: on(`{"spec":{"nodeToNodeMeshEnabled":true,"nodeMeshPassword":{"secretKeyRef":{"name":"bgp","key":"k"}}}}`)},
			{name: "advertised services", do: on(`{"spec":{"serviceClusterIPs":[{"cidr":"10.0.0.0/8"}]}}`), refusal: mesh},
			{name: "AS number removed", do: on(`{"spec":{"asNumber":null}}`), refusal: mesh},
			{name: "owner", do: on(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"gone","uid":"0"}]}}`), refusal: "Tapetum changes only the specification"},
			{name: "label", do: on(labels(`"x":"y"`)), refusal: "Tapetum changes only the specification"},
		})
	})
}

func TestBoundsOnObjects(t *testing.T) {
	eachGroup(t, func(t *testing.T, version schema.GroupVersion) {
		plane := start(t)
		for _, kind := range []struct{ kind, resource, own, spec string }{
			{"BGPPeer", "bgppeers", "tapetum-clients", clientsSpec},
			{"BGPFilter", "bgpfilters", "tapetum-one-hop", filterSpec},
			{"CalicoNodeStatus", "caliconodestatuses", "tapetum-n1", `{"node":"n1","classes":["BGP"],"updatePeriodSeconds":5}`},
		} {
			t.Run(kind.resource, func(t *testing.T) {
				resource := version.WithResource(kind.resource)
				admin, tapetum := dynamicClient(t, plane.Config()).Resource(resource), dynamicClient(t, account(t, plane)).Resource(resource)
				object := func(name, metadata string) string { return calicoObject(version, kind.kind, name, metadata, kind.spec) }
				const packed = `"annotations":{"projectcalico.org/metadata":"{\"labels\":{\"` + v1alpha1.ManagedByLabel + `\":\"` + v1alpha1.ManagedByValue + `\"}}"}`
				create(t, admin, object(kind.own, ourLabel))
				create(t, admin, object("tapetum-packed", packed))
				// The key as an annotation, and the text in a value, are no label.
				const noted = `"annotations":{"projectcalico.org/metadata":"{\"labels\":{\"a\":\"b\"},\"annotations\":{\"` +
					v1alpha1.ManagedByLabel + `\":\"` + v1alpha1.ManagedByValue + `\",\"x\":\"\\\"labels\\\":{\\\"` + v1alpha1.ManagedByLabel + `\\\":\\\"` + v1alpha1.ManagedByValue + `\\\"}\"}}"}`
				create(t, admin, object("tapetum-noted", noted))
				create(t, admin, object("foreign", ""))
				create(t, admin, object("astray", ourLabel))
				const ours = "Tapetum changes only BGPPeers, BGPFilters and CalicoNodeStatuses that carry its label"
				bounds := []bound{
					{name: "its own", do: patching(tapetum, kind.own, annotations(`"note":"x"`))},
					{name: "patch of somebody's", do: patching(tapetum, "foreign", annotations(`"note":"x"`)), refusal: ours},
					{name: "adopting somebody's", do: patching(tapetum, "foreign", `{"metadata":{`+ourLabel+`}}`), refusal: ours},
					{name: "deleting what only has the label's text in an annotation", do: deleting(tapetum, "tapetum-noted"), refusal: ours},
					{name: "deleting somebody's", do: deleting(tapetum, "foreign"), refusal: ours},
					{name: "giving its own away", do: patching(tapetum, kind.own, `{"metadata":{"labels":null}}`), refusal: ours},
					{name: "new without the label", do: creating(t, tapetum, object(kind.own, "")), refusal: ours},
					{name: "deleting its own", do: deleting(tapetum, kind.own)},
				}
				if kind.kind == "BGPFilter" {
					// RBAC does not even let it come to the policies.
					bounds[1].refusal, bounds[2].refusal, bounds[3].refusal, bounds[4].refusal = "cannot patch", "cannot patch", "cannot delete", "cannot delete"
				} else {
					bounds = append(bounds,
						bound{
							name: "new with another name", do: creating(t, tapetum, object("new", ourLabel)),
							refusal: `Tapetum changes only objects whose names begin with "tapetum-"`,
						},
						bound{name: "its own, packed", do: patching(tapetum, "tapetum-packed", annotations(`"note":"x"`))},
						bound{name: "deleting what was given to it", do: deleting(tapetum, "astray")})
				}
				check(t, bounds)
			})
		}
	})
}

const (
	ofReflectors = v1alpha1.ReflectorLabel
	clientsSpec  = `{"nodeSelector":"!has(` + ofReflectors + `)","peerSelector":"has(` + v1alpha1.ServesLabelPrefix + `all)"}`
	filterSpec   = `{"importV4":[{"action":"Accept","operations":[{"addCommunity":{"value":"64512:4242"}}]}],"exportV4":[{"action":"Reject","communities":{"values":["64512:4242"]}}]}`
)

func TestBoundsOnBGPPeers(t *testing.T) {
	eachGroup(t, func(t *testing.T, version schema.GroupVersion) {
		plane := start(t)
		resource := version.WithResource("bgppeers")
		admin, tapetum := dynamicClient(t, plane.Config()).Resource(resource), dynamicClient(t, account(t, plane)).Resource(resource)
		peer := func(spec string) try {
			return creating(t, tapetum, calicoObject(version, "BGPPeer", "tapetum-new", ourLabel, spec))
		}
		pin := func(node, address, more string) try {
			return peer(`{"node":"` + node + `","peerIP":"` + address + `"` + more + `}`)
		}
		const (
			as       = `,"asNumber":64512`
			fields   = "Tapetum changes only those fields of BGPPeers that it needs"
			address  = "Tapetum does not peer all nodes with an address"
			number   = "Tapetum does not peer with an address by a selector, or without an AS number"
			others   = "Tapetum does not peer with other nodes"
			all      = "Tapetum does not peer nodes regardless"
			filters  = "Tapetum does not apply other filters"
			someones = `{"node":"n1","peerIP":"192.0.2.9","asNumber":65000,"sourceAddress":"None","filters":["theirs"],"password":{"secretKeyRef":{"name":"bgp","key":"k"}}}`
		)
		create(t, admin, calicoObject(version, "BGPPeer", "tapetum-edited", ourLabel, someones))
		edited := func(patch string) try { return patching(tapetum, "tapetum-edited", patch) }
		check(t, []bound{
			{name: "clients", do: peer(clientsSpec)},
			{name: "renewed", do: peer(`{"nodeSelector":"!has(` + ofReflectors + `)","peerSelector":"has(` + v1alpha1.ServesLabelPrefix + `A_b-1.c) && !has(` + v1alpha1.RenewedLabel + `)","maxRestartTime":"1m","keepaliveTime":"30s"}`)},
			{name: "reflectors", do: peer(`{"nodeSelector":"` + ofReflectors + ` in {'core', 'multi'}","peerSelector":"` + ofReflectors + ` in {'multi', 'quorum'}","filters":["tapetum-one-hop"]}`)},
			{name: "racks", do: peer(`{"nodeSelector":"` + ofReflectors + ` == 'rack'","peerSelector":"` + ofReflectors + ` == 'core'","password":{"secretKeyRef":{"name":"bgp","key":"k"}}}`)},
			{name: "pin", do: pin("n1", "10.0.0.2", as)},
			{name: "pin of IPv6", do: pin("n1", "2001:db8::2", as)},
			{name: "what somebody edited, put right", do: edited(`{"spec":{"node":null,"peerIP":null,"asNumber":null,"reversePeering":null,` + clientsSpec[1:] + `}`)},
			{name: "what somebody edited, with a filter", do: edited(`{"spec":{"filters":["theirs","tapetum-one-hop"]}}`)},

			{name: "global peer", do: peer(`{"peerIP":"192.0.2.1"` + as + `}`), refusal: address},
			{name: "peer of many nodes", do: peer(`{"nodeSelector":"all()","peerIP":"192.0.2.1"` + as + `}`), refusal: address},
			{name: "port", do: pin("n1", "192.0.2.1:1790", as), refusal: address},
			{name: "loopback", do: pin("n1", "127.0.0.1", as), refusal: address},
			{name: "multicast", do: pin("n1", "224.0.0.1", as), refusal: address},
			{name: "no AS number", do: pin("n1", "10.0.0.2", ""), refusal: number},
			{name: "no source address", do: pin("n1", "10.0.0.2", as+`,"sourceAddress":"None"`), refusal: fields},
			{name: "next hop", do: pin("n1", "10.0.0.2", as+`,"keepOriginalNextHop":true`), refusal: fields},
			{name: "local AS", do: pin("n1", "10.0.0.2", as+`,"numAllowedLocalASNumbers":9`), refusal: fields},
			{name: "one-sided", do: peer(clientsSpec[:len(clientsSpec)-1] + `,"reversePeering":"Manual"}`), refusal: fields},
			{name: "with workloads", do: peer(`{"localWorkloadSelector":"all()"` + as + `}`), refusal: fields},
			{name: "with any node", do: peer(`{"nodeSelector":"all()","peerSelector":"all()"}`), refusal: others},
			{name: "with any node, in the end", do: peer(`{"nodeSelector":"!has(` + ofReflectors + `)","peerSelector":"has(` + v1alpha1.ServesLabelPrefix + `all) || all()"}`), refusal: others},
			{name: "without whom", do: peer(`{"nodeSelector":"!has(` + ofReflectors + `)"}`), refusal: others},
			{name: "of any node", do: peer(`{"nodeSelector":"all()","peerSelector":"has(` + v1alpha1.ServesLabelPrefix + `all)"}`), refusal: all},
			{name: "of all nodes", do: peer(`{"peerSelector":"has(` + v1alpha1.ServesLabelPrefix + `all)"}`), refusal: all},
			{name: "of all nodes, made of a pin", do: edited(`{"spec":{"node":null,"peerIP":null,"asNumber":null,"peerSelector":"has(` + v1alpha1.ServesLabelPrefix + `all)"}}`), refusal: all},
			{name: "another's filter", do: peer(clientsSpec[:len(clientsSpec)-1] + `,"filters":["theirs"]}`), refusal: filters},
			{name: "what somebody set is removed", do: edited(`{"spec":{"sourceAddress":null}}`), refusal: fields},
			{name: "another address", do: edited(`{"spec":{"peerIP":"127.0.0.1"}}`), refusal: address},
		})
	})
}

// TestNodeNetworks: an administrator can say which addresses are nodes'.
func TestNodeNetworks(t *testing.T) {
	plane := start(t)
	maps := dynamicClient(t, plane.Config()).Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(deploy.Namespace)
	tapetum := dynamicClient(t, account(t, plane)).Resource(v3.WithResource("bgppeers"))
	pin := func(address string) try {
		return creating(t, tapetum, calicoObject(v3, "BGPPeer", "tapetum-pin-a.b-v4", ourLabel, `{"node":"n1","peerIP":"`+address+`","asNumber":64512}`))
	}
	check(t, []bound{{name: "nothing said", do: pin("203.0.113.1")}})
	create(t, maps, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"tapetum-node-networks"},"data":{"networks":"10.1.0.0/16, fd00::/64"}}`)
	const elsewhere = "Tapetum does not peer with addresses that ConfigMap tapetum-node-networks does not have"
	check(t, []bound{
		{name: "elsewhere", do: pin("203.0.113.1"), refusal: elsewhere},
		{name: "elsewhere, IPv6", do: pin("fd00:0:0:1::1"), refusal: elsewhere},
		{name: "a node's", do: pin("10.1.2.3")},
		{name: "a node's, IPv6", do: pin("fd00::7")},
		{name: "by selector", do: creating(t, tapetum, calicoObject(v3, "BGPPeer", "tapetum-clients", ourLabel, clientsSpec))},
	})
}

func TestBoundsOnFiltersAndReports(t *testing.T) {
	eachGroup(t, func(t *testing.T, version schema.GroupVersion) {
		tapetum := dynamicClient(t, account(t, start(t)))
		filter := func(name, spec string) try {
			return creating(t, tapetum.Resource(version.WithResource("bgpfilters")), calicoObject(version, "BGPFilter", name, ourLabel, spec))
		}
		report := func(spec string) try {
			return creating(t, tapetum.Resource(version.WithResource("caliconodestatuses")), calicoObject(version, "CalicoNodeStatus", "tapetum-n2", ourLabel, spec))
		}
		const (
			name = "Tapetum does not write other BGPFilters"
			more = "Tapetum does not do more in a BGPFilter"
		)
		bounds := []bound{
			{name: "filter", do: filter("tapetum-one-hop", filterSpec)},
			{name: "another filter", do: filter("tapetum-x", filterSpec), refusal: name},
			{name: "filter of a network", do: filter("tapetum-one-hop", `{"exportV4":[{"action":"Reject","cidr":"10.0.0.0/8","matchOperator":"In"}]}`), refusal: more},
			{name: "filter with another community", do: filter("tapetum-one-hop", `{"importV6":[{"action":"Accept","operations":[{"addCommunity":{"value":"65535:65281"}}]}]}`), refusal: more},
			{name: "filter that prepends", do: filter("tapetum-one-hop", `{"importV4":[{"action":"Accept","operations":[{"prependASPath":{"prefix":[1]}}]}]}`), refusal: more},

			{name: "report", do: report(`{"node":"n2","classes":["Agent","BGP"],"updatePeriodSeconds":10}`)},
			{name: "report of routes", do: report(`{"node":"n2","classes":["Routes"],"updatePeriodSeconds":10}`), refusal: "Tapetum does not ask for routes"},
			{name: "report at every second", do: report(`{"node":"n2","classes":["BGP"],"updatePeriodSeconds":1}`), refusal: "Tapetum does not ask for reports more often"},
		}
		if version == v1 { // in v3 the status is a subresource, which a new object does not bring along
			forged := calicoObject(version, "CalicoNodeStatus", "tapetum-n2", ourLabel, `{"node":"n2","classes":["BGP"],"updatePeriodSeconds":10}`)
			forged = forged[:len(forged)-1] + `,"status":{"lastUpdated":"2026-01-01T00:00:00Z",
				"bgp":{"numberEstablishedV4":1,"numberNotEstablishedV4":0,"numberEstablishedV6":0,"numberNotEstablishedV6":0}}}`
			bounds = append(bounds, bound{
				name: "forged report", do: creating(t, tapetum.Resource(version.WithResource("caliconodestatuses")), forged),
				refusal: "Tapetum does not write reports",
			})
		}
		check(t, bounds)
	})
}
