package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
)

// The way to a cluster ID for each reflector and back to the mesh, with the rights
// that the controller has: the filter is there before anything names it, nodes whose
// calico-node is too old are not chosen, and nothing of it all is left in the end.
func TestStoryOfMulti(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		t.Parallel() // each set has an API server of its own, and much of it is waiting
		const nodes, old = 18, 4
		information := &calico.ClusterInformation{
			ObjectMeta: metav1.ObjectMeta{Name: clusterInformation}, Spec: calico.ClusterInformationSpec{CalicoVersion: "v3.32.0"},
		}
		c.create(information)
		for n := range nodes {
			image := newAgent
			if n < old {
				image = oldAgent
			}
			node := newNode(n)
			c.create(node, agentPod("kube-system", fmt.Sprintf("calico-node-%d", n), node.Name, image))
		}
		policy := fastPolicy()
		policy.Spec.Topology = v1alpha1.TopologyMulti
		policy.Spec.Scaling.NodesPerReflector = nil
		policy.Spec.Scaling.Min = 4
		policy.Spec.ReflectorsPerClient = 2
		policy.Spec.Placement.ProtectFrom = []v1alpha1.NodeAutoscaler{v1alpha1.Karpenter}
		c.create(policy)
		c.answerStatuses()
		c.start(Options{})
		c.eventually("Multi in force", func() (bool, string) {
			status := c.policy().Status
			done := status.Topology == v1alpha1.TopologyMulti && status.Mesh == v1alpha1.MeshOff &&
				meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) &&
				!meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionProgressing)
			return done, fmt.Sprintf("next %q, conditions %+v", status.NextStep, status.Conditions)
		})

		roles := c.roles()
		if distinct := len(slices.Compact(slices.Sorted(maps.Values(roles)))); distinct != len(roles) || distinct < 4 {
			t.Errorf("%d cluster IDs among %d reflectors: %v", distinct, len(roles), roles)
		}
		for name := range roles {
			if name < newNode(old).Name {
				t.Errorf("%s is a reflector, and its calico-node does not know the filter", name)
			}
			if got := c.node(name).Annotations[v1alpha1.DoNotDisruptAnnotation]; got != "true" {
				t.Errorf("%s is not protected from Karpenter: %q", name, got)
			}
		}
		filter := &calico.BGPFilter{ObjectMeta: metav1.ObjectMeta{Name: render.FilterName}}
		if !c.get(filter) {
			t.Fatal("there is no filter")
		}
		if diff := cmp.Diff(render.Filter().Spec, filter.Spec); diff != "" {
			t.Errorf("filter (-want +got):\n%s", diff)
		}
		peering := &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: render.ReflectorsName}}
		if !c.get(peering) || !slices.Equal(peering.Spec.Filters, []string{render.FilterName}) {
			t.Errorf("the peering of the reflectors names the filters %v", peering.Spec.Filters)
		}
		if promise := c.policy().Status.Promise; promise == nil || !promise.Complete || !promise.AnyReflector || !promise.AnyZone {
			t.Errorf("promise %+v", promise)
		}

		// Somebody deletes the filter: it is back before paths can multiply for long.
		c.must(c.client.Delete(t.Context(), filter))
		c.eventually("the filter to be back", func() (bool, string) { return c.get(filter), "gone" })

		c.must(c.client.Delete(t.Context(), c.policy()))
		c.eventually("the policy to go", func() (bool, string) {
			policy := newPolicy()
			return !c.get(policy), fmt.Sprintf("%+v", policy.Status)
		})
		for n := range nodes {
			node := c.node(newNode(n).Name)
			if got := keys(node); len(got) > 0 || len(protects(node)) > 0 {
				t.Errorf("node %d keeps %v %v", n, got, protects(node))
			}
		}
		var peers calico.BGPPeerList
		c.must(c.client.List(t.Context(), &peers))
		names := make([]string, 0, len(peers.Items))
		for i := range peers.Items {
			names = append(names, peers.Items[i].Name)
		}
		if c.get(filter) || len(names) > 0 {
			t.Errorf("left: BGPPeers %s, filter %v", strings.Join(names, ", "), filter.UID != "")
		}
	})
}
