package dump

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const listOfAll = `apiVersion: v1
items:
- apiVersion: v1
  kind: Node
  metadata:
    annotations:
      projectcalico.org/IPv4Address: 10.0.0.2/24
    labels:
      kubernetes.io/os: linux
      note: "- kind: Pod"
    name: worker-2
  spec:
    unschedulable: true
  status:
    conditions:
    - lastTransitionTime: "2026-01-01T12:00:00Z"
      status: "True"
      type: Ready
    images:
    - names:
      - registry.example.org/big
      sizeBytes: broken
    nodeInfo:
      operatingSystem: linux
- apiVersion: v1
  kind: Node
  metadata:
    annotations:
      projectcalico.org/IPv4Address: 10.0.0.1/24
      projectcalico.org/RouteReflectorClusterID: 224.0.0.1
    name: worker-1
- apiVersion: crd.projectcalico.org/v1
  kind: BGPPeer
  metadata:
    name: clients
  spec:
    nodeSelector: '!has(rr)'
    peerSelector: has(rr)
- apiVersion: projectcalico.org/v3
  kind: BGPConfiguration
  metadata:
    name: default
  spec:
    asNumber: 65000
    nodeToNodeMeshEnabled: false
- apiVersion: v1
  kind: Pod
  metadata:
    name: anything
kind: List
metadata:
  resourceVersion: ""
`

// summary says in short what a cluster holds.
func summary(c *Cluster) string {
	var parts []string
	for _, node := range c.Nodes {
		parts = append(parts, fmt.Sprintf("node %s %v id=%q ready=%v cordoned=%v", node.Name, node.IPv4, node.ClusterID, node.Ready, node.Unschedulable))
	}
	for _, peer := range c.Peers {
		parts = append(parts, fmt.Sprintf("peer %s %s→%s", peer.Name, peer.Spec.NodeSelector, peer.Spec.PeerSelector))
	}
	for _, configuration := range c.Configurations {
		parts = append(parts, fmt.Sprintf("configuration %s as=%d mesh=%v", configuration.Name,
			*configuration.Spec.ASNumber, *configuration.Spec.NodeToNodeMeshEnabled))
	}
	for _, note := range c.Notes {
		parts = append(parts, "note "+note)
	}
	return strings.Join(parts, "\n")
}

const wantAll = `node worker-1 10.0.0.1 id="224.0.0.1" ready=false cordoned=false
node worker-2 10.0.0.2 id="" ready=true cordoned=true
peer clients !has(rr)→has(rr)
configuration default as=65000 mesh=false
note ignored: 1 × Pod (v1)`

func toJSON(t *testing.T, text string) string {
	t.Helper()
	out, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// documentsOf turns the list into one document an object.
func documentsOf(list string) string {
	var out []string
	document := documents([]byte(list))[0]
	for _, item := range document.split(document.scan().items) {
		out = append(out, string(item.text()))
	}
	return strings.Join(out, "\n---\n")
}

// The same cluster in all the shapes in which kubectl, or a person, writes it.
func TestShapes(t *testing.T) {
	t.Parallel()
	indented := strings.Replace(listOfAll, itemsOf(), "  "+strings.ReplaceAll(strings.TrimSpace(itemsOf()), "\n", "\n  ")+"\n", 1)
	tests := []struct{ name, text string }{
		{"List", listOfAll},
		{"CRLF", strings.ReplaceAll(listOfAll, "\n", "\r\n")},
		{"byte order mark", "\uFEFF" + listOfAll},
		{"separators around", "%YAML 1.2\n--- # first\n" + listOfAll + "...\n---\n# nothing\n"},
		{"comments between", strings.ReplaceAll(listOfAll, "\n- ", "\n# comment\n\n- ")},
		{"documents", documentsOf(listOfAll)},
		{"JSON List", toJSON(t, listOfAll)},
		{"JSON in lines", strings.NewReplacer(",", ",\n\t", "{", "{\n").Replace(toJSON(t, listOfAll))},
		{"flow style in YAML", "---\n" + toJSON(t, listOfAll)},
		{"flow style items", "apiVersion: v1\nkind: List\nitems: " + toJSON(t, "- "+strings.TrimPrefix(itemsOf(), "- "))},
		{"indented items", indented},
		{"indented document", "  " + strings.ReplaceAll(strings.TrimSpace(listOfAll), "\n", "\n  ") + "\n"},
		{"no newline at the end", strings.TrimSpace(listOfAll)},
		{"quoted kinds", strings.NewReplacer("kind: Node", `kind: "Node"`, "kind: BGPPeer", "kind: 'BGPPeer' # ours").Replace(listOfAll)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cluster, err := Read("cluster.yaml", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantAll, summary(cluster)); diff != "" {
				t.Errorf("cluster (-want +got):\n%s", diff)
			}
		})
	}
}

func itemsOf() string {
	_, rest, _ := strings.Cut(listOfAll, "items:\n")
	items, _, _ := strings.Cut(rest, "kind: List\n")
	return items
}

func TestUTF16(t *testing.T) {
	t.Parallel()
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		var data []byte
		for _, unit := range utf16.Encode([]rune("\uFEFF" + listOfAll)) {
			data = order.AppendUint16(data, unit)
		}
		cluster, err := Read("cluster.yaml", data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantAll, summary(cluster)); diff != "" {
			t.Errorf("cluster in UTF-16 %v (-want +got):\n%s", order, diff)
		}
	}
}

// Typed lists, whose items do not say what they are, in both notations, and
// several in one file.
func TestTypedLists(t *testing.T) {
	t.Parallel()
	nodes := "kind: NodeList\napiVersion: v1\nmetadata: {}\nitems:\n- metadata:\n    name: b\n- metadata:\n    name: a\n"
	peers := "apiVersion: projectcalico.org/v3\nitems:\n- metadata:\n    name: p\nkind: BGPPeerList\n"
	for name, text := range map[string]string{
		"YAML": nodes + "---\n" + peers,
		"JSON": toJSON(t, nodes) + "\n" + toJSON(t, peers),
	} {
		cluster, err := Read("lists", []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(cluster.Nodes) != 2 || cluster.Nodes[0].Name != "a" || len(cluster.Peers) != 1 {
			t.Errorf("%s: %+v", name, cluster)
		}
	}
}

func TestOtherKinds(t *testing.T) {
	t.Parallel()
	cluster, err := Read("cluster.yaml", []byte(`
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool}
spec: {cidr: 10.1.0.0/16, vxlanMode: Always}
---
apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata: {name: filter}
spec: {importV4: [{action: Accept}]}
---
apiVersion: projectcalico.org/v3
kind: ClusterInformation
metadata: {name: default}
spec: {calicoVersion: v3.31.0, datastoreReady: false}
---
apiVersion: projectcalico.org/v3
kind: CalicoNodeStatus
metadata: {name: status}
spec: {node: a}
---
apiVersion: crd.projectcalico.org/v1
kind: BlockAffinity
metadata: {name: a-10-1-0-0-26}
spec: {node: a, cidr: 10.1.0.0/26, state: confirmed}
---
apiVersion: crd.projectcalico.org/v1
kind: BlockAffinity
metadata: {name: a-10-1-0-64-26}
spec: {node: a, cidr: 10.1.0.64/26, state: pendingDeletion}
---
apiVersion: tapetum.dev/v1alpha1
kind: RouteReflectorAutoscaler
metadata: {name: default}
spec: {topology: Single}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: from-calicoctl}
`))
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case len(cluster.Pools) != 1 || cluster.Pools[0].Spec.VXLANMode != "Always":
		t.Errorf("pools %+v", cluster.Pools)
	case len(cluster.Filters) != 1 || len(cluster.Filters[0].Spec.ImportV4) != 1:
		t.Errorf("filters %+v", cluster.Filters)
	case cluster.Information == nil || cluster.DatastoreReady():
		t.Errorf("information %+v", cluster.Information)
	case len(cluster.Statuses) != 1 || cluster.Statuses[0].Spec.Node != "a":
		t.Errorf("statuses %+v", cluster.Statuses)
	case len(cluster.Blocks["a"]) != 1:
		t.Errorf("blocks %+v", cluster.Blocks)
	case cluster.Autoscaler == nil || cluster.Autoscaler.Spec.Topology != "Single":
		t.Errorf("autoscaler %+v", cluster.Autoscaler)
	case len(cluster.Nodes) != 0 || strings.Join(cluster.Notes, "") != "ignored: 1 × Node (projectcalico.org/v3)":
		t.Errorf("a Node of Calico's is no Kubernetes node: %+v, notes %q", cluster.Nodes, cluster.Notes)
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"apiVersion: v1\nitems: []\nkind: List\n", "apiVersion: v1\nitems:\nkind: List\n", "kind: NodeList\napiVersion: v1\n",
		`{"kind":"List","items":[]}`, `{"kind":"NodeList","items":null}`,
	} {
		cluster, err := Read("cluster.yaml", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if len(cluster.Nodes) != 0 || !cluster.DatastoreReady() || len(cluster.Notes) != 1 {
			t.Errorf("%q: %+v", text, cluster)
		}
	}
}

// One object through both of Calico's groups is one object.
func TestBothGroups(t *testing.T) {
	t.Parallel()
	v1 := "apiVersion: crd.projectcalico.org/v1\nkind: BGPPeer\nmetadata: {name: p}\nspec: {peerSelector: from-v1}\n"
	v3 := "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: p}\nspec: {peerSelector: from-v3}\n"
	for _, text := range []string{v1 + "---\n" + v3, v3 + "---\n" + v1} {
		cluster, err := Read("cluster.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if len(cluster.Peers) != 1 || cluster.Peers[0].Spec.PeerSelector != "from-v3" || len(cluster.Notes) != 1 {
			t.Errorf("%+v", cluster)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(listOfAll, "\n")
	tests := []struct {
		name, text, want string
	}{
		{"nothing", "", "f: is empty: has kubectl failed?"},
		{"blanks", " \n\n", "f: is empty: has kubectl failed?"},
		{"comments", "# a\n---\n", "f:1: holds no object: give it what kubectl prints with -o yaml or -o json"},
		{"binary", "\x7fELF\x00\x01", "f: is no text: give it what kubectl prints with -o yaml or -o json"},
		{"a table", "NAME     STATUS\nworker   Ready\n",
			`f:1: is no Kubernetes object but "NAME     STATUS worker   Ready": give it what kubectl prints with -o yaml or -o json`},
		{"a message", "error: You must be logged in to the server\n",
			"f:1: has no kind: give it what kubectl prints with -o yaml or -o json"},
		{"a list of strings", "- a\n- b\n", `f:1: is no Kubernetes object but "- a - b": give it what kubectl prints with -o yaml or -o json`},
		{"cut off between items", strings.Join(lines[:28], ""), "f:28: the list ends without saying that it is one (kind: List): the file is cut off"},
		{"cut off in the last item", strings.Join(lines[:36], ""), "f:36: the list ends without saying that it is one (kind: List): the file is cut off"},
		{"cut off JSON", toJSON(t, listOfAll)[:200], "f:1: ends in the middle of an object: the file is cut off"},
		{"broken JSON", "{\"kind\": \"Node\",\n  oops}", "f:2: is not valid JSON: invalid character 'o' looking for beginning of object key string"},
		{"broken YAML in an item", strings.Replace(listOfAll, "name: worker-1", "name: [worker-1", 1),
			"f:31: is not valid YAML: did not find expected ',' or ']'"},
		{"tab", "kind: Node\napiVersion: v1\nmetadata:\n\tname: a\n",
			"f:4: is not valid YAML: found character that cannot start any token"},
		{"key twice", "kind: BGPPeer\napiVersion: projectcalico.org/v3\nmetadata:\n  name: a\n  name: b\n",
			`f:5: is not valid YAML: key "name" already set in map`},
		{"no name", "kind: BGPPeer\napiVersion: projectcalico.org/v3\nmetadata: {}\n", "f:1: BGPPeer: has no metadata.name"},
		{"number as text", strings.Replace(listOfAll, "asNumber: 65000", `asNumber: "65000"`, 1),
			"f:44: BGPConfiguration default: spec.asNumber is a string where a whole number of 0 to 4294967295 is needed"},
		{"number too large", strings.Replace(listOfAll, "asNumber: 65000", `asNumber: 4294967296`, 1),
			"f:44: BGPConfiguration default: spec.asNumber is a number 4294967296 where a whole number of 0 to 4294967295 is needed"},
		{"text as a switch", strings.Replace(listOfAll, "nodeToNodeMeshEnabled: false", `nodeToNodeMeshEnabled: "no"`, 1),
			"f:45: BGPConfiguration default: spec.nodeToNodeMeshEnabled is a string where true or false is needed"},
		{"labels are a list", "kind: Node\napiVersion: v1\nmetadata:\n  name: a\n  labels: [a, b]\n",
			"f:5: Node a: metadata.labels is a list where a map is needed"},
		{"wrong type in JSON", "{\"kind\":\"BGPPeer\",\"apiVersion\":\"projectcalico.org/v3\",\n\"metadata\":{\"name\":\"p\"},\n\"spec\":\n{\"asNumber\":\"x\"}}",
			"f:4: BGPPeer p: spec.asNumber is a string where a whole number of 0 to 4294967295 is needed"},
		{"time", "kind: Node\napiVersion: v1\nmetadata:\n  name: a\n  creationTimestamp: yesterday\n",
			`f:1: Node a: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`},
		{"metadata is text", "kind: Node\napiVersion: v1\nmetadata: a\n", "f:3: Node: metadata is a string where a map is needed"},
		{"twice", listOfAll + "---\nkind: Node\napiVersion: v1\nmetadata:\n  name: worker-1\n",
			"f:53: Node worker-1: is there twice, first in line 25: remove one of the two"},
		{"list in a list", "kind: List\nitems:\n- kind: NodeList\n  items: []\n", "f:3: NodeList: is a list inside a list"},
		{"list in a list in JSON", "{\"kind\":\"List\",\"items\":[\n{\"kind\":\"List\"}]}", "f:2: List: is a list inside a list"},
		{"items are a map", `{"kind":"List","items":{"a":1}}`, "f:1: List: items is no list"},
		{"items are text", "kind: List\nitems: none\n", "f:1: List: items is no list"},
		{"item without a kind", "kind: List\napiVersion: v1\nitems:\n- metadata:\n    name: a\n",
			"f:4: has no kind: give it what kubectl prints with -o yaml or -o json"},
		{"unknown anchor", "kind: BGPPeer\napiVersion: projectcalico.org/v3\nmetadata: *m\n", "f:1: is not valid YAML: unknown anchor 'm' referenced"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read("f", []byte(tt.text))
			if _, typed := errors.AsType[*Error](err); !typed {
				t.Fatalf("error %v of type %T", err, err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// YAML in flow style begins as JSON does.
func TestReadFlowStyle(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"{kind: Node, apiVersion: v1, metadata: {name: a}}\n",
		"  {\n  kind: Node, apiVersion: v1, metadata: {name: a}}\n---\nkind: Node\napiVersion: v1\nmetadata: {name: b}\n",
		`{"kind": "Node", "apiVersion": "v1", "metadata": {"name": "a"}}`,
	} {
		cluster, err := Read("dump", []byte(text))
		if err != nil || len(cluster.Nodes) == 0 || cluster.Nodes[0].Name != "a" {
			t.Errorf("%s: %+v, %v", text, cluster, err)
		}
	}
}
