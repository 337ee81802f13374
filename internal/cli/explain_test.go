package cli

import (
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file string
		code int
		args []string
	}{
		{"explain-small.txt", 0, []string{"topology", "-f", meshFile}},
		{"explain-reflector.txt", 0, []string{"node", "rr-1", "-f", setups + "/hard-way.yaml"}},
		{"explain-worker.txt", 0, []string{"node", "worker-1", "-f", setups + "/hard-way.yaml"}},
		{"explain-windows.txt", 0, []string{"node", "node-win", "-f", meshFile}},
		{"explain-node.json", 0, []string{"node", "worker-1", "-f", setups + "/hard-way.yaml", "-o", "json"}},
		{"explain-pair.txt", 0, []string{"pair", "worker-a-1", "worker-b-1", "-f", setups + "/zonal-ids.yaml"}},
		{"explain-mesh.txt", 0, []string{"pair", "node-1", "node-2", "-f", meshFile}},
		{"explain-missing.txt", 1, []string{"pair", "worker-1", "worker-2", "-f", setups + "/broken-quorum.yaml"}},
		{"explain-pair.json", 1, []string{"pair", "worker-1", "worker-2", "-f", setups + "/broken-quorum.yaml", "-o", "json"}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			code, out, _ := tapetum(t, "", append([]string{"explain"}, tt.args...)...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			golden(t, tt.file, out)
		})
	}
}

func TestExplainListsFewSessions(t *testing.T) {
	t.Parallel()
	var cluster strings.Builder
	for i := range 60 {
		name := string(rune('a'+i/26)) + string(rune('a'+i%26))
		cluster.WriteString("---\nkind: Node\napiVersion: v1\nmetadata:\n  name: " + name +
			"\n  annotations: {projectcalico.org/IPv4Address: 10.0.0." + string(rune('0'+i/10)) + string(rune('0'+i%10)) + "}\n")
	}
	text := strings.NewReplacer("10.0.0.0", "10.0.0.").Replace(cluster.String())
	_, few, _ := tapetum(t, text, "explain", "node", "aa", "-f", "-")
	_, all, _ := tapetum(t, text, "explain", "node", "aa", "-f", "-", "--all")
	if n := strings.Count(few, "Mesh_"); n != 20 || !strings.Contains(few, "… and 39 more") {
		t.Errorf("%d sessions listed of 59:\n%s", n, few)
	}
	if n := strings.Count(all, "Mesh_"); n != 59 {
		t.Errorf("%d sessions listed with --all of 59", n)
	}
}

func TestExplainRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"node", "none", "-f", meshFile}, `there is no node "none" among the 10 in the input`},
		{[]string{"pair", "node-1", "none", "-f", meshFile}, `there is no node "none"`},
		{[]string{"pair", "node-1", "node-1", "-f", meshFile}, "node-1 and node-1 are the same node: name two"},
		{[]string{"pair", "node-1", "-f", meshFile}, `explain pair: argument "node-1" given, want FROM TO`},
	}
	for _, tt := range tests {
		code, _, errOut := tapetum(t, "", append([]string{"explain"}, tt.args...)...)
		if code != 2 || !strings.Contains(errOut, tt.want) {
			t.Errorf("%v: exit code %d, %s, want %s", tt.args, code, errOut, tt.want)
		}
	}
}

func TestGraph(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"svg": "<svg xmlns=", "dot": "graph tapetum {\n", "mermaid": "---\ntitle: \"9 nodes, 3 route reflectors, 1 cluster ID\"\n---\nflowchart TB\n",
	} {
		code, out, errOut := tapetum(t, "", "graph", "-f", setups+"/hard-way.yaml", "-o", format)
		if code != 0 || !strings.HasPrefix(out, want) {
			t.Errorf("%s: exit code %d, %s%s", format, code, errOut, out)
		}
	}
	_, byZone, _ := tapetum(t, "", "graph", "-f", setups+"/kubespray-groups.yaml", "-o", "dot")
	_, byGroup, _ := tapetum(t, "", "graph", "-f", setups+"/kubespray-groups.yaml", "-o", "dot", "--zone-label", "calico-rr-id")
	if !strings.Contains(byZone, "z1 · 6 nodes") || !strings.Contains(byGroup, "rr1 · 2 nodes") {
		t.Errorf("zones:\n%s\n%s", byZone, byGroup)
	}
	if code, _, errOut := tapetum(t, "", "graph", "-f", "-", "-o", "png"); code != 2 || !strings.Contains(errOut, "want svg, dot, mermaid") {
		t.Errorf("unknown format: exit code %d, %s", code, errOut)
	}
}
