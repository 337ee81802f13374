package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/dump"
)

const (
	meshFile   = "testdata/mesh.yaml"
	singleFile = "testdata/single.yaml"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	for format, file := range map[string]string{"table": "plan.txt", "json": "plan.json", "yaml": "plan.yaml"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := tapetum(t, "", "plan", "-f", meshFile, "--policy", singleFile, "-o", format)
			if code != 0 || errOut != "note: ignored: 1 × Pod (v1)\n" {
				t.Errorf("exit code %d, %s", code, errOut)
			}
			golden(t, file, out)
		})
	}
}

// The objects that a plan ends with, laid over the cluster, leave no step.
func TestPlanOfTheGoalIsEmpty(t *testing.T) {
	t.Parallel()
	_, objects, _ := tapetum(t, "", "plan", "-f", meshFile, "--policy", singleFile, "-o", "yaml")
	goal, err := dump.Read("goal", []byte(objects))
	if err != nil {
		t.Fatal(err)
	}
	if len(goal.Nodes) != 3 || len(goal.Peers) != 4 || len(goal.Statuses) != 3 || len(goal.Configurations) != 1 {
		t.Errorf("%d nodes, %d peers, %d statuses, %d configurations",
			len(goal.Nodes), len(goal.Peers), len(goal.Statuses), len(goal.Configurations))
	}
	for i := range goal.Nodes {
		if goal.Nodes[i].ClusterID != "224.0.0.1" {
			t.Errorf("cluster ID of %s is %q", goal.Nodes[i].Name, goal.Nodes[i].ClusterID)
		}
	}
}

func TestPlanOnTheMesh(t *testing.T) {
	t.Parallel()
	code, out, _ := tapetum(t, "", "plan", "-f", meshFile)
	golden(t, "plan-nothing.txt", out)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	_, out, _ = tapetum(t, "", "plan", "-f", meshFile, "-o", "yaml")
	if !strings.Contains(out, "kind: BGPConfiguration") || strings.Contains(out, "kind: BGPPeer") {
		t.Errorf("objects at the end:\n%s", out)
	}
}

func TestPlanHeld(t *testing.T) {
	t.Parallel()
	code, out, _ := tapetum(t, "", "plan", "-f", setups+"/hard-way.yaml", "-o", "json")
	var plan struct {
		Reached bool   `json:"reached"`
		Held    string `json:"held"`
		Steps   []any  `json:"steps"`
	}
	if err := json.Unmarshal([]byte(out), &plan); err != nil {
		t.Fatal(err)
	}
	if code != 0 || plan.Reached || plan.Steps == nil || !strings.Contains(plan.Held, "turned off by somebody else") {
		t.Errorf("exit code %d, %+v", code, plan)
	}
}

func TestPlanRefusesPolicies(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: tapetum.dev/v1alpha1\nkind: RouteReflectorAutoscaler\nmetadata: {name: default}\n"
	tests := []struct{ policy, want string }{
		{"", "holds no object: want a RouteReflectorAutoscaler of tapetum.dev/v1alpha1"},
		{"kind: Node\napiVersion: v1\n", "holds a v1 Node: want a RouteReflectorAutoscaler of tapetum.dev/v1alpha1"},
		{head + "spec: {topologie: Single}\n", `unknown field "topologie"`},
		{head + "spec: {topology: Star}\n", `spec.topology "Star": want Auto, Mesh, Single, Multi, Quorum or Hierarchy`},
		{head + "spec: {scaling: {min: 5, max: 3}}\n", "spec.scaling.min is 5, scaling.max 3: want 1 ≤ min ≤ max"},
		{head + "spec: {scaling: {nodesPerReflector: 5, ladder: [{nodes: 1, reflectors: 1}]}}\n",
			"spec.scaling: set only one of nodesPerReflector and ladder"},
		{head + "spec: {scaling: {nodesPerReflector: -5}}\n", "spec.scaling.nodesPerReflector is -5: want at least 1"},
		{head + "spec: {scaling: {ladder: [{nodes: 500, reflectors: 3}, {nodes: 1, reflectors: 3}]}}\n",
			"spec.scaling.ladder is out of order: list its steps by ascending nodes"},
		{head + "spec: {topology: multi, scaling: {min: 1, max: 2}, limits: {pathsPerRoute: 8}}\n",
			"spec.reflectorsPerClient must not be greater than scaling.max (3, 2); spec.reflectorsPerClient squared is the number of paths a route in Multi"},
		{head + "spec: {meshUpTo: -1}\n", "spec: meshUpTo and limits.reflectorFailures must not be negative"},
		{head + "spec: {clusterID: 10.0.0.0/8}\n", `spec.clusterID is "10.0.0.0/8": want a bare IPv4 address such as 224.0.0.1`},
		{head + "spec: {meshUpTo: many}\n", "spec.meshUpTo is a string where a whole number is needed"},
		{head + "spec: {scaling: 5}\n", "spec.scaling is a number where a map is needed"},
		{head + "spec: {placement: {pinned: a}}\n", "spec.placement.pinned is a string where a list is needed"},
		{head + "spec: [a]\n", "spec is a list where a map is needed"},
		{"- a\n- b\n", "the object is a list where a map is needed: want a RouteReflectorAutoscaler of tapetum.dev/v1alpha1"},
		{"kind: [a]\n", "kind is a list where a string is needed"},
		{"\x00\x01\x7fELF", "is no text: want a RouteReflectorAutoscaler"},
		{head + "spec: {meshUpTo: 5\n", "is not valid YAML"},
		{head + "---\n" + head, "holds more than one object"},
		// What only the schema refuses.
		{head + "spec: {mode: Fast, limits: {reflectorFailures: 40}, scaling: {min: 0}}\n",
			"spec.limits.reflectorFailures should be less than or equal to 10; spec.mode should be one of [Apply DryRun Paused]; spec.scaling.min should be greater than or equal to 1"},
	}
	for _, tt := range tests {
		file := filepath.Join(t.TempDir(), "rra.yaml")
		if err := os.WriteFile(file, []byte(tt.policy), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, errOut := tapetum(t, "", "plan", "-f", meshFile, "--policy", file)
		if code != 2 || !strings.Contains(errOut, "tapetum: "+file+":") || !strings.Contains(errOut, tt.want) {
			t.Errorf("policy %q: exit code %d, %s, want %s", tt.policy, code, errOut, tt.want)
		}
	}
}

// What is wrong with the policy is told, though nothing holds the plan up.
func TestPlanTellsTrouble(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"{topology: Single, placement: {pinned: [gone]}}":    "spec.placement.pinned names gone, which does not exist",
		"{topology: Hierarchy, rackLabel: nowhere}":          "no node has the label nowhere",
		"{topology: Single, placement: {exclude: [{}]}}":     "spec.placement.exclude[0]",
		"{topology: Single, limits: {reflectorFailures: 9}}": "reflectorFailures",
	} {
		_, table, _ := tapetum(t, "", "plan", "-f", meshFile, "--policy", policyFile(t, spec))
		if !strings.Contains(table, "\nNeeds attention\n") || !strings.Contains(strings.Join(strings.Fields(table), " "), want) {
			t.Errorf("%s: want %q in\n%s", spec, want, table)
		}
		_, out, _ := tapetum(t, "", "plan", "-f", meshFile, "--policy", policyFile(t, spec), "-o", "json")
		if !strings.Contains(out, `"trouble": "`) {
			t.Errorf("%s: no trouble in\n%s", spec, out)
		}
	}
}

func TestPlanNamesTheTopology(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Single", "Multi", "Quorum", "Hierarchy"} {
		_, objects, _ := tapetum(t, "", "plan", "-f", wideFile(t), "--policy", policyFile(t, "{topology: "+name+"}"), "-o", "json")
		var plan struct {
			From, To struct {
				Topology string `json:"topology"`
			}
			Reached bool `json:"reached"`
		}
		if err := json.Unmarshal([]byte(objects), &plan); err != nil {
			t.Fatal(err)
		}
		if plan.From.Topology != "Mesh" || plan.To.Topology != name || !plan.Reached {
			t.Errorf("%s: %+v", name, plan)
		}
	}
}

// Laid over the cluster, the objects of Multi are all that it needs: without the
// filter, which its peering among reflectors names, paths would multiply.
func TestPlanPrintsTheFilter(t *testing.T) {
	t.Parallel()
	_, objects, _ := tapetum(t, "", "plan", "-f", wideFile(t), "--policy", policyFile(t, "{topology: Multi}"), "-o", "yaml")
	goal, err := dump.Read("goal", []byte(objects))
	if err != nil {
		t.Fatal(err)
	}
	if len(goal.Filters) != 1 || goal.Filters[0].Name != "tapetum-one-hop" || !calico.ManagedByUs(&goal.Filters[0]) || len(goal.Filters[0].Spec.ImportV4) == 0 {
		t.Fatalf("filters: %+v\n%s", goal.Filters, objects)
	}
	for i := range goal.Peers {
		for _, name := range goal.Peers[i].Spec.Filters {
			if name != goal.Filters[0].Name {
				t.Errorf("%s names filter %s, which is not printed", goal.Peers[i].Name, name)
			}
		}
	}
}

// policyFile holds a policy.
func policyFile(t *testing.T, spec string) string {
	t.Helper()
	return written(t, "apiVersion: tapetum.dev/v1alpha1\nkind: RouteReflectorAutoscaler\nmetadata: {name: default}\nspec: "+spec+"\n")
}

// wideFile holds 30 nodes in three zones on a Calico that can do the tag filter.
func wideFile(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("apiVersion: projectcalico.org/v3\nkind: ClusterInformation\nmetadata: {name: default}\nspec: {calicoVersion: v3.32.0, datastoreReady: true}\n")
	for i := range 30 {
		fmt.Fprintf(&text, `---
apiVersion: v1
kind: Node
metadata:
  name: node-%d
  labels: {topology.kubernetes.io/zone: zone-%d, kubernetes.io/os: linux}
  annotations: {projectcalico.org/IPv4Address: 10.0.0.%d/24}
status: {conditions: [{type: Ready, status: "True"}]}
`, i, i%3, i+1)
	}
	return written(t, text.String())
}

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "input.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestUnsaid(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ held, message, want string }{
		{"", "a. b", "a. b"},
		{"a", "a", ""},
		{"a", "a. b", "b"},
		{"b", "a. b", "a"},
		{"b", "a. b. c", "a. c"},
		{"d", "a. b", "a. b"},
	} {
		if got := unsaid(tt.held, tt.message); got != tt.want {
			t.Errorf("unsaid(%q, %q) = %q, want %q", tt.held, tt.message, got, tt.want)
		}
	}
}
