package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		{"", "holds a  : want a RouteReflectorAutoscaler of tapetum.dev/v1alpha1"},
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
		{head + "spec: {meshUpTo: many}\n", "cannot unmarshal string"},
	}
	for _, tt := range tests {
		file := filepath.Join(t.TempDir(), "rra.yaml")
		if err := os.WriteFile(file, []byte(tt.policy), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, errOut := tapetum(t, "", "plan", "-f", meshFile, "--policy", file)
		if code != 2 || !strings.Contains(errOut, "tapetum: "+file+": ") || !strings.Contains(errOut, tt.want) {
			t.Errorf("policy %q: exit code %d, %s, want %s", tt.policy, code, errOut, tt.want)
		}
	}
}
