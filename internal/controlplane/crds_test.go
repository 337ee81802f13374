package controlplane_test

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/controlplanetest"
)

// specifications of Calico's resources, accepted and refused. Calico's definitions and
// ours must agree on all of them, or tests on ours would prove nothing.
var specifications = []struct {
	name, kind, resource string
	spec                 map[string]any
	refused              bool
}{
	{name: "selectors on both sides", kind: "BGPPeer", resource: "bgppeers",
		spec: map[string]any{"nodeSelector": "!has(a)", "peerSelector": "has(a)"}},
	{name: "one pin", kind: "BGPPeer", resource: "bgppeers",
		spec: map[string]any{"node": "n1", "peerIP": "192.0.2.1", "asNumber": int64(64512), "reversePeering": "Manual"}},
	{name: "timers and password", kind: "BGPPeer", resource: "bgppeers", spec: map[string]any{
		"nodeSelector": "all()", "peerSelector": "has(a)", "maxRestartTime": "2m0s", "keepaliveTime": "20s",
		"password": map[string]any{"secretKeyRef": map[string]any{"name": "s", "key": "k"}},
		"filters":  []any{"f1"},
	}},
	{name: "node and nodeSelector", kind: "BGPPeer", resource: "bgppeers", refused: true,
		spec: map[string]any{"node": "n1", "nodeSelector": "all()", "peerSelector": "has(a)"}},
	{name: "peerIP and peerSelector", kind: "BGPPeer", resource: "bgppeers", refused: true,
		spec: map[string]any{"peerIP": "192.0.2.1", "peerSelector": "has(a)"}},
	{name: "asNumber with peerSelector", kind: "BGPPeer", resource: "bgppeers", refused: true,
		spec: map[string]any{"peerSelector": "has(a)", "asNumber": int64(64512)}},
	{name: "empty strings and zero count as unset", kind: "BGPPeer", resource: "bgppeers",
		spec: map[string]any{"node": "", "nodeSelector": "all()", "peerIP": "", "peerSelector": "has(a)", "asNumber": int64(0)}},
	{name: "workload selector without asNumber", kind: "BGPPeer", resource: "bgppeers", refused: true,
		spec: map[string]any{"localWorkloadSelector": "has(a)"}},
	{name: "reachableBy without peerIP", kind: "BGPPeer", resource: "bgppeers", refused: true,
		spec: map[string]any{"peerSelector": "has(a)", "reachableBy": "192.0.2.1"}},
	{name: "both next hop fields", kind: "BGPPeer", resource: "bgppeers", refused: true,
		spec: map[string]any{"peerSelector": "has(a)", "keepOriginalNextHop": true, "nextHopMode": "Keep"}},

	{name: "mesh on with password", kind: "BGPConfiguration", resource: "bgpconfigurations", spec: map[string]any{
		"nodeToNodeMeshEnabled": true, "nodeMeshMaxRestartTime": "1m0s",
		"nodeMeshPassword": map[string]any{"secretKeyRef": map[string]any{"name": "s", "key": "k"}},
	}},
	{name: "password where the mesh is on by default", kind: "BGPConfiguration", resource: "bgpconfigurations",
		spec: map[string]any{"nodeMeshPassword": map[string]any{"secretKeyRef": map[string]any{"name": "s", "key": "k"}}}},
	{name: "mesh off", kind: "BGPConfiguration", resource: "bgpconfigurations",
		spec: map[string]any{"nodeToNodeMeshEnabled": false}},
	{name: "mesh off with password", kind: "BGPConfiguration", resource: "bgpconfigurations", refused: true, spec: map[string]any{
		"nodeToNodeMeshEnabled": false,
		"nodeMeshPassword":      map[string]any{"secretKeyRef": map[string]any{"name": "s", "key": "k"}},
	}},
	{name: "mesh off with restart time", kind: "BGPConfiguration", resource: "bgpconfigurations", refused: true,
		spec: map[string]any{"nodeToNodeMeshEnabled": false, "nodeMeshMaxRestartTime": "1m0s"}},
	{name: "unused communities", kind: "BGPConfiguration", resource: "bgpconfigurations", refused: true,
		spec: map[string]any{"communities": []any{map[string]any{"name": "c", "value": "1:2"}}}},

	{name: "class BGP", kind: "CalicoNodeStatus", resource: "caliconodestatuses",
		spec: map[string]any{"node": "n1", "classes": []any{"BGP"}, "updatePeriodSeconds": int64(10)}},
	{name: "unknown class", kind: "CalicoNodeStatus", resource: "caliconodestatuses", refused: true,
		spec: map[string]any{"node": "n1", "classes": []any{"Sessions"}}},
	{name: "datastore", kind: "ClusterInformation", resource: "clusterinformations",
		spec: map[string]any{"calicoVersion": "v3.32.1", "datastoreReady": true}},
	{name: "a block", kind: "BlockAffinity", resource: "blockaffinities",
		spec: map[string]any{"node": "n1", "cidr": "10.0.0.0/26", "state": "confirmed", "deleted": false}},
	{name: "a block of nobody", kind: "BlockAffinity", resource: "blockaffinities", refused: true,
		spec: map[string]any{"cidr": "10.0.0.0/26", "state": "confirmed", "deleted": false}},
	{name: "a rule", kind: "BGPFilter", resource: "bgpfilters", spec: map[string]any{
		"exportV4": []any{map[string]any{"action": "Accept", "cidr": "10.0.0.0/8", "matchOperator": "In"}},
	}},
	{name: "a rule without action", kind: "BGPFilter", resource: "bgpfilters", refused: true,
		spec: map[string]any{"exportV4": []any{map[string]any{"cidr": "10.0.0.0/8", "matchOperator": "In"}}}},
	{name: "a tag", kind: "BGPFilter", resource: "bgpfilters", spec: map[string]any{
		"importV4": []any{map[string]any{"action": "Accept", "operations": []any{addCommunity("64512:4242")}}},
		"exportV6": []any{map[string]any{"action": "Reject", "communities": map[string]any{"values": []any{"64512:1:2"}}}},
	}},
	{name: "all matches", kind: "BGPFilter", resource: "bgpfilters", spec: map[string]any{
		"exportV6": []any{map[string]any{
			"action": "Accept", "cidr": "2001:db8::/32", "matchOperator": "In", "prefixLength": map[string]any{"min": int64(48)},
			"source": "RemotePeers", "interface": "eth0", "peerType": "iBGP", "priority": int64(7), "asPathPrefix": []any{int64(64512)},
		}},
	}},
	{name: "two communities", kind: "BGPFilter", resource: "bgpfilters", refused: true, spec: map[string]any{
		"exportV4": []any{map[string]any{"action": "Reject", "communities": map[string]any{"values": []any{"1:1", "1:2"}}}},
	}},
	{name: "a word for a community", kind: "BGPFilter", resource: "bgpfilters", refused: true, spec: map[string]any{
		"exportV4": []any{map[string]any{"action": "Reject", "communities": map[string]any{"values": []any{"no-export"}}}},
	}},
	{name: "operations on what is rejected", kind: "BGPFilter", resource: "bgpfilters", refused: true, spec: map[string]any{
		"importV4": []any{map[string]any{"action": "Reject", "operations": []any{addCommunity("1:1")}}},
	}},
	{name: "an operation that is none", kind: "BGPFilter", resource: "bgpfilters", refused: true, spec: map[string]any{
		"importV4": []any{map[string]any{"action": "Accept", "operations": []any{map[string]any{}}}},
	}},
	{name: "a network without operator", kind: "BGPFilter", resource: "bgpfilters", refused: true, spec: map[string]any{
		"importV4": []any{map[string]any{"action": "Accept", "cidr": "10.0.0.0/8"}},
	}},
	{name: "a pool", kind: "IPPool", resource: "ippools",
		spec: map[string]any{"cidr": "10.0.0.0/16", "ipipMode": "Never", "vxlanMode": "Never"}},
}

func addCommunity(value string) map[string]any {
	return map[string]any{"addCommunity": map[string]any{"value": value}}
}

func TestCalicoCRDs(t *testing.T) {
	controlplanetest.Require(t, controlplane.Options{})
	for _, version := range []schema.GroupVersion{
		{Group: "crd.projectcalico.org", Version: "v1"}, {Group: "projectcalico.org", Version: "v3"},
	} {
		sets, err := controlplane.CalicoCRDs(version.Group)
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range sets {
			t.Run(version.Version+" "+set.Name, func(t *testing.T) {
				c := controlplanetest.ForTest(t, controlplane.Options{})
				if err := c.InstallCRDs(t.Context(), set.Files); err != nil {
					t.Fatal(err)
				}
				client, err := dynamic.NewForConfig(c.Config())
				if err != nil {
					t.Fatal(err)
				}
				checkSpecifications(t, client, version)
				checkNodeStatus(t, client.Resource(version.WithResource("caliconodestatuses")), version, set.Name)
			})
		}
	}
}

func checkSpecifications(t *testing.T, client dynamic.Interface, version schema.GroupVersion) {
	t.Helper()
	for _, s := range specifications {
		t.Run(s.kind+" "+s.name, func(t *testing.T) {
			spec := s.spec
			if s.kind == "BlockAffinity" && version.Version == "v1" {
				spec = withDeletedAsText(spec)
			}
			object := newObject(version, s.kind, "x", spec)
			options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: "Strict"}
			_, err := client.Resource(version.WithResource(s.resource)).Create(t.Context(), object, options)
			switch {
			case s.refused && !apierrors.IsInvalid(err):
				t.Errorf("error %v, want one that says invalid", err)
			case !s.refused && err != nil:
				t.Error(err)
			}
		})
	}
}

// withDeletedAsText: the field is a string in v1, a leftover of old releases.
func withDeletedAsText(spec map[string]any) map[string]any {
	out := map[string]any{}
	for key, value := range spec {
		out[key] = value
	}
	out["deleted"] = "false"
	return out
}

// A report is written through the status subresource where there is one, and
// with the object where there is none, as in Calico up to v3.32.
func checkNodeStatus(t *testing.T, resource dynamic.ResourceInterface, version schema.GroupVersion, set string) {
	t.Helper()
	status := map[string]any{"bgp": map[string]any{
		"numberEstablishedV4": int64(2), "numberNotEstablishedV4": int64(0),
		"numberEstablishedV6": int64(0), "numberNotEstablishedV6": int64(0),
		"peersV4": []any{map[string]any{"peerIP": "192.0.2.1", "type": "NodePeer", "state": "Established", "since": "10:00:00"}},
	}}
	object, err := resource.Create(t.Context(), newObject(version, "CalicoNodeStatus", "n1",
		map[string]any{"node": "n1", "classes": []any{"BGP"}, "updatePeriodSeconds": int64(10)}), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	object.Object["status"] = status
	update := resource.UpdateStatus
	if version.Version == "v1" && set == "own" {
		update = func(ctx context.Context, o *unstructured.Unstructured, opts metav1.UpdateOptions) (*unstructured.Unstructured, error) {
			return resource.Update(ctx, o, opts)
		}
	}
	if _, err := update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	object, err = resource.Get(t.Context(), "n1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := unstructured.NestedInt64(object.Object, "status", "bgp", "numberEstablishedV4")
	if err != nil || got != 2 {
		t.Errorf("the report says %d sessions, %v; want 2", got, err)
	}
}

func newObject(version schema.GroupVersion, kind, name string, spec map[string]any) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(version.WithKind(kind))
	object.SetName(name)
	return object
}
