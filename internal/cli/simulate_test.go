package cli

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"tapetum.dev/tapetum/internal/bgp"
)

var times = regexp.MustCompile(`(Planned in\s+|"planMillis": |,|  )\d+\.\d+( ms|,?\n)`)

// timeless puts a fixed number in the place of measured times.
func timeless(text string) string { return times.ReplaceAllString(text, "${1}0.0$2") }

func TestSimulate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file string
		args []string
	}{
		{"simulate.txt", []string{"--nodes", "150"}},
		{"simulate.json", []string{"--nodes", "150", "-o", "json"}},
		{"simulate-mesh.json", []string{"--nodes", "12", "--zones", "1", "-o", "json"}},
		{"simulate-dual.txt", []string{"--nodes", "40", "--topology", "SINGLE", "--dual-stack", "--zones", "2"}},
		{"simulate-multi.txt", []string{"--nodes", "40", "--topology", "multi", "--calico-version", "v3.32"}},
		{"simulate-policy.txt", []string{"--nodes", "40", "--policy", singleFile}},
		{"grow.txt", []string{"--grow", "100..5000"}},
		{"grow.csv", []string{"--grow", "50..700", "--topology", "Single", "-o", "csv"}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := tapetum(t, "", append([]string{"simulate"}, tt.args...)...)
			if code != 0 || errOut != "" {
				t.Errorf("exit code %d, %s", code, errOut)
			}
			golden(t, tt.file, timeless(out))
		})
	}
}

func TestSimulateFields(t *testing.T) {
	t.Parallel()
	_, out, _ := tapetum(t, "", "simulate", "--nodes", "300", "--zones", "3", "-o", "json")
	var got struct {
		Nodes      int      `json:"nodes"`
		Topology   string   `json:"topology"`
		PlanMillis *float64 `json:"planMillis"`
		Writes     struct {
			Nodes    *int `json:"nodes"`
			BGPPeers *int `json:"bgpPeers"`
			Other    *int `json:"other"`
		} `json:"writes"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Nodes != 300 || got.Topology != "Single" || got.PlanMillis == nil || *got.PlanMillis < 0 {
		t.Errorf("%s", out)
	}
	if *got.Writes.Nodes != 3 || *got.Writes.BGPPeers != 4 || *got.Writes.Other != 9 {
		t.Errorf("writes: %s", out)
	}
}

func TestSimulateRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ args, want string }{
		{"--nodes 0", "0 nodes: want 1 to 100000"},
		{"--zones 0", "0 zones: want 1 to 1000"},
		{"--topology star", `--topology "star": want Auto, Mesh, Single, Multi, Quorum or Hierarchy`},
		{"--calico-version new", `--calico-version "new": want a version such as v3.31 or v3.31.2`},
		{"--grow 100", `--grow "100": want a range of sizes from 1 to 100000, such as 100..5000`},
		{"--grow 500..100", `--grow "500..100": want a range`},
		{"--grow 0..5", `--grow "0..5": want a range`},
		{"--grow 1..2x", `--grow "1..2x": want a range`},
		{"-o csv", "--output csv is for --grow"},
		{"--policy testdata/none.yaml", "open testdata/none.yaml: no such file"},
		{"--grow 1..5 --nodes 7", "--grow and --nodes: give only one of them"},
	}
	for _, tt := range tests {
		code, out, errOut := tapetum(t, "", append([]string{"simulate"}, strings.Fields(tt.args)...)...)
		if code != 2 || out != "" || !strings.Contains(errOut, tt.want) {
			t.Errorf("%s: exit code %d, %q, want %q", tt.args, code, errOut, tt.want)
		}
	}
}

// A problem is told where it begins, and again where it comes back; what differs in
// more than its numbers is another problem.
func TestGrowthTellsEveryProblem(t *testing.T) {
	t.Parallel()
	problems := [][]string{
		{"topology Quorum: only 5 nodes can be"}, {"topology Quorum: only 6 nodes can be"},
		{"topology Quorum loses a zone"}, {}, {"topology Quorum loses a zone"},
	}
	var results []*simulation
	for i, list := range problems {
		results = append(results, &simulation{Report: bgp.Report{Nodes: i + 5}, Problems: list})
	}
	var out strings.Builder
	if err := printGrowth(&out, results); err != nil {
		t.Fatal(err)
	}
	_, told, _ := strings.Cut(out.String(), "\n\n")
	want := "From 5 nodes\n  topology Quorum: only 5 nodes can be\n\n" +
		"From 7 nodes\n  topology Quorum loses a zone\n\nFrom 9 nodes\n  topology Quorum loses a zone\n"
	if told != want {
		t.Errorf("told:\n%s\nwant:\n%s", told, want)
	}
}
