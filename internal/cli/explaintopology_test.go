package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// clusterText is a cluster of so many healthy nodes in three zones, with the version
// of Calico given.
func clusterText(nodes int, calico string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: projectcalico.org/v3\nkind: ClusterInformation\nmetadata: {name: default}\nspec: {calicoVersion: %s, datastoreReady: true}\n", calico)
	for i := range nodes {
		fmt.Fprintf(&b, `---
apiVersion: v1
kind: Node
metadata:
  name: node-%04d
  annotations: {projectcalico.org/IPv4Address: 10.0.%d.%d/16}
  labels: {kubernetes.io/os: linux, topology.kubernetes.io/zone: %c}
status: {conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-01-01T12:00:00Z"}]}
`, i, i>>8, i&255, 'a'+i%3)
	}
	return b.String()
}

func TestExplainTopology(t *testing.T) {
	t.Parallel()
	asked := filepath.Join(t.TempDir(), "asked.yaml")
	text := "apiVersion: tapetum.dev/v1alpha1\nkind: RouteReflectorAutoscaler\nmetadata: {name: default}\nspec: {topology: Single}\n"
	if err := os.WriteFile(asked, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file  string
		input string
		args  []string
	}{
		{"explain-multi.txt", clusterText(1000, "v3.32.0"), nil},
		{"explain-old.txt", clusterText(700, "v3.31.2"), nil},
		{"explain-three-ids.txt", clusterText(300, "v3.31.2"), nil},
		{"explain-asked.txt", clusterText(700, "v3.32.0"), []string{"--policy", asked}},
		{"explain-topology.json", clusterText(300, "v3.32.0"), []string{"-o", "json"}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := tapetum(t, tt.input, append([]string{"explain", "topology", "-f", "-"}, tt.args...)...)
			if code != 0 {
				t.Fatalf("exit code %d: %s", code, errOut)
			}
			golden(t, tt.file, out)
		})
	}
}
