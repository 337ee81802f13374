package controller

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// kindNodes are the nodes of deploy/kind/cluster.yaml.
func kindNodes() []*corev1.Node {
	var nodes []*corev1.Node
	for n, name := range []string{"tapetum-control-plane", "tapetum-worker", "tapetum-worker2", "tapetum-worker3"} {
		node := newNode(n)
		node.Name = name
		node.Labels = map[string]string{"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name, corev1.LabelOSStable: "linux"}
		if n == 0 {
			node.Labels["node-role.kubernetes.io/control-plane"] = ""
			node.Spec.Taints = []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}}
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// TestKindTemplate: the template has the nodes of which the other test is.
func TestKindTemplate(t *testing.T) {
	text, err := os.ReadFile("../../deploy/kind/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Kind, APIVersion string
		Networking       struct {
			DisableDefaultCNI bool
			PodSubnet         string
		}
		Nodes []struct{ Role string }
	}
	if err := yaml.UnmarshalStrict(text, &template); err != nil {
		t.Fatal(err)
	}
	want := []string{"control-plane", "worker", "worker", "worker"}
	var got []string
	for _, node := range template.Nodes {
		got = append(got, node.Role)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != len(kindNodes()) {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if template.Kind != "Cluster" || template.APIVersion != "kind.x-k8s.io/v1alpha4" ||
		!template.Networking.DisableDefaultCNI || template.Networking.PodSubnet != "192.168.0.0/16" {
		t.Errorf("template %+v", template)
	}
}

// TestBlogPost does what the blog post of the seed's author tells people to do, on the
// cluster that it describes: two reflectors come of it, with an ID each, and no node
// misses a route. Calico there has no tag filter.
func TestBlogPost(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		t.Parallel() // each set has an API server of its own, and much of it is waiting
		s := newSources(c)
		s.makePlace()
		for _, node := range kindNodes() {
			c.create(node)
		}
		c.answerStatuses()
		c.start(Options{})
		s.writeStrictly(readJSON(t, "blog.yaml"))
		s.follows(blog)
		c.onReflectors(2)

		status := c.policy().Status
		if status.Topology != v1alpha1.TopologyMulti || status.Nodes != 4 {
			t.Errorf("topology %s for %d nodes", status.Topology, status.Nodes)
		}
		if p := status.Promise; p == nil || !p.Complete || !p.AnyReflector {
			t.Errorf("promise %+v", p)
		}
		ids := slices.Sorted(maps.Values(c.roles()))
		if diff := cmp.Diff([]string{"224.0.0.1", "224.0.0.2"}, ids); diff != "" {
			t.Errorf("cluster IDs (-want +got):\n%s", diff)
		}
		var peers calico.BGPPeerList
		c.must(c.client.List(t.Context(), &peers))
		if len(peers.Items) != 2 {
			t.Errorf("%d BGPPeers, want one for the clients and one for the reflectors", len(peers.Items))
		}
		s.says("InStep")

		// "Or it is less expensive to change its configuration."
		s.writeSection(`{min: 3}`)
		c.onReflectors(3)
		c.eventually("a promise for three", func() (bool, string) {
			p := c.policy().Status.Promise
			return p != nil && p.Complete && p.AnyReflector, fmt.Sprintf("%+v", p)
		})
	})
}
