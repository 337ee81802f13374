package dump

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/internal/topology"
)

const (
	information = `{"apiVersion":"projectcalico.org/v3","kind":"ClusterInformation","metadata":{"name":"default"},"spec":{"calicoVersion":"v3.32.0"}}`
	// rule knows neither communities nor operations.
	oldRule = `{"type":"array","items":{"type":"object","properties":{"action":{"type":"string"}}}}`
	newRule = `{"type":"array","items":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}`
)

func definition(group, rule string) string {
	rules := ""
	for _, name := range []string{"exportV4", "importV4", "exportV6", "importV6"} {
		rules += `,"` + name + `":` + rule
	}
	return `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"bgpfilters.` + group + `"},
"spec":{"versions":[{"name":"v","storage":true,"schema":{"openAPIV3Schema":{"properties":{"spec":{"properties":{` + rules[1:] + `}}}}}}]}}`
}

func agent(namespace, node, image, more string) string {
	return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"calico-node-` + node + `","namespace":"` + namespace + `","labels":{"k8s-app":"calico-node"}},
"spec":{"nodeName":"` + node + `","containers":[{"name":"x","image":"x:v1.0.0"},{"name":"calico-node","image":"` + image + `"}]}` + more + `}`
}

func TestTagFilter(t *testing.T) {
	const assumed = "every calico-node is taken to be as new as ClusterInformation says: none of their pods is here"
	tests := map[string]struct {
		objects []string
		want    topology.TagFilterSupport
		notes   string
	}{
		"nothing known": {want: topology.TagFilterSupport{Why: "ClusterInformation does not tell the version of Calico"}},
		"the version":   {objects: []string{information}, want: topology.TagFilterSupport{Cluster: true, Why: assumed}},
		"pods": {
			objects: []string{
				information, agent("kube-system", "a", "calico/node:v3.32.0", ""), agent("calico-system", "b", "calico/node:v3.31.0", ""),
				agent("kube-system", "c", "calico/node:v3.31.0", `,"status":{"phase":"Failed"}`), agent("tenant", "d", "calico/node:v3.32.0", ""),
			},
			want: topology.TagFilterSupport{
				Cluster: true, Why: "calico-node is older than v3.32.0 on b (v3.31.0)", Nodes: map[string]bool{"a": true, "b": false},
			},
			notes: "ignored: 2 × Pod (v1)",
		},
		"an old definition": {
			objects: []string{information, definition("crd.projectcalico.org", oldRule)},
			want:    topology.TagFilterSupport{Why: "this Calico's definition of BGPFilter has no field BGPFilter.spec.exportV4[].communities"},
		},
		"an old definition that is left over": {
			objects: []string{information, definition("crd.projectcalico.org", oldRule), definition("projectcalico.org", newRule)},
			want:    topology.TagFilterSupport{Cluster: true, Why: assumed},
		},
		"another definition": {
			objects: []string{information, strings.Replace(definition("projectcalico.org", oldRule), "bgpfilters", "others", 1)},
			want:    topology.TagFilterSupport{Cluster: true, Why: assumed},
			notes:   "ignored: 1 × CustomResourceDefinition (apiextensions.k8s.io/v1)",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := `{"apiVersion":"v1","kind":"List","items":[` + strings.Join(test.objects, ",") + `]}`
			cluster, err := Read("dump", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, cluster.TagFilter); diff != "" {
				t.Errorf("tag filter (-want +got):\n%s", diff)
			}
			if got := strings.Join(cluster.Notes, "\n"); len(test.objects) > 0 && got != test.notes {
				t.Errorf("notes %q, want %q", got, test.notes)
			}
		})
	}
}
