package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const setups = "../../testdata/setups"

// exits of the well-known set-ups: only what is broken now is an error.
var exits = map[string]int{
	"broken-quorum": 1, "hard-way": 0, "kubespray-groups": 0, "multi-5": 0, "three-single-id": 0, "zonal-ids": 0,
}

func TestVerifySetups(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(setups + "/*.yaml")
	if err != nil || len(files) != len(exits) {
		t.Fatalf("%d set-ups (%v), want %d", len(files), err, len(exits))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, table, errOut := tapetum(t, "", "verify", "--from", file)
			if code != exits[name] || errOut != "" {
				t.Errorf("exit code %d, want %d; %s", code, exits[name], errOut)
			}
			golden(t, filepath.Join(setups, name+".txt"), table)
			code, report, _ := tapetum(t, "", "verify", "-f", file, "-o", "json")
			if code != exits[name] {
				t.Errorf("as JSON exit code %d, want %d", code, exits[name])
			}
			golden(t, filepath.Join(setups, name+".json"), report)
		})
	}
}

// The names of the report's fields are stable.
func TestReportFields(t *testing.T) {
	t.Parallel()
	_, out, _ := tapetum(t, "", "verify", "-f", setups+"/broken-quorum.yaml", "-o", "json")
	var report map[string]any
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"":           {"bgpPeers", "clusterIDs", "findings", "nodes", "pathsPerRouteMax", "reflectors", "robust", "sessions", "topology", "visibility"},
		"sessions":   {"perClientMax", "perReflectorMax", "perReflectorMin", "total"},
		"visibility": {"complete", "missingPairs", "missingSample"},
		"robust":     {"anyReflector", "anyZone"},
	}
	for field, names := range want {
		fields := report
		if field != "" {
			fields, _ = report[field].(map[string]any)
		}
		var got []string
		for name := range fields {
			got = append(got, name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(names, got); diff != "" {
			t.Errorf("fields of %q (-want +got):\n%s", field, diff)
		}
	}
	findings, _ := report["findings"].([]any)
	first, _ := findings[0].(map[string]any)
	for _, name := range []string{"severity", "code", "message", "objects"} {
		if _, ok := first[name]; !ok {
			t.Errorf("finding without %s: %v", name, first)
		}
	}
}

func TestVerifyInputs(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(setups + "/hard-way.yaml")
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := tapetum(t, "", "verify", "-f", setups+"/hard-way.yaml")
	for name, text := range map[string]string{"YAML": string(data), "JSON": string(asJSON)} {
		if code, got, errOut := tapetum(t, text, "verify", "--from", "-"); code != 0 || got != want {
			t.Errorf("%s from standard input: exit code %d, %s%s", name, code, errOut, got)
		}
	}
	code, got, _ := tapetum(t, string(data), "verify", "-f", "-", "-o", "yaml")
	if code != 0 || !strings.Contains(got, "pathsPerRouteMax: 3\n") {
		t.Errorf("as YAML: exit code %d\n%s", code, got)
	}
}

func TestVerifyEmptyList(t *testing.T) {
	t.Parallel()
	code, out, errOut := tapetum(t, "apiVersion: v1\nitems: []\nkind: List\n", "verify", "-f", "-", "-o", "json")
	if code != 0 || errOut != "note: an empty List\n" {
		t.Errorf("exit code %d, %q", code, errOut)
	}
	golden(t, "verify-empty.json", out)
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	tests := []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{"truncated", "apiVersion: v1\nitems:\n- kind: Node\n", []string{"-f", "-"},
			"tapetum: standard input:3: the list ends without saying that it is one (kind: List): the file is cut off\n"},
		{"no text", "", []string{"-f", "-"}, "tapetum: standard input: is empty: has kubectl failed?\n"},
		{"no file", "", []string{"-f", missing}, "tapetum: --from: open " + missing + ": no such file or directory\n"},
		{"format", "", []string{"-f", "-", "-o", "xml"}, "tapetum: --output \"xml\": want table, json, yaml\n"},
		{"argument", "", []string{"cluster.yaml"}, "tapetum: verify: argument \"cluster.yaml\" given, want none (see tapetum verify --help)\n"},
		{"both", "", []string{"-f", "-", "--context", "a"},
			"tapetum: --from and --context: give only one of them\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := tapetum(t, tt.stdin, append([]string{"verify"}, tt.args...)...)
			if code != 2 || out != "" || errOut != tt.want {
				t.Errorf("exit code %d, output %q, error\n%s, want\n%s", code, out, errOut, tt.want)
			}
		})
	}
}
