package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func example() *Report {
	most := 8
	return &Report{
		Environment: Environment{
			Date: "2026-01-01", Processor: "some", CPUs: 2, MemoryGiB: 24, Kernel: "6.18", Bird: "1.6.8", Kubernetes: "v1.37.2", Etcd: "v3.7.3",
			Tapetum: "v1", Nodes: 9, Blockless: 2, Seed: 1, Jobs: 4, RealTime: true,
		},
		Results: []Result{
			{Name: "mesh to 3 reflectors", LostChangingPairs: 16, LongestSeconds: 2.134, OrdinaryPairs: 30, Replaced: 323, LongestReplaced: 140 * time.Microsecond, Steps: 13, StepsBeforeKill: 6, RoleChanges: 6, MostRoleChanges: &most, Seconds: 31.2},
			{Name: "power cut", LostFailedPairs: 8, ReplacementRole: 61.2, Replacement: 64, Steps: 5, Seconds: 260},
		},
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	got, err := example().JSON()
	if err != nil {
		t.Fatal(err)
	}
	want := `[
  {
    "name": "mesh to 3 reflectors",
    "lostOrdinaryPairs": 0,
    "lostChangingPairs": 16,
    "longestSeconds": 2.134,
    "ordinaryPairsWatched": 30,
    "steps": 13,
    "roleChanges": 6,
    "mostRoleChanges": 8,
    "stepsBeforeKill": 6
  },
  {
    "name": "power cut",
    "lostOrdinaryPairs": 0,
    "lostChangingPairs": 0,
    "longestSeconds": 0,
    "ordinaryPairsWatched": 0,
    "steps": 5,
    "roleChanges": 0
  }
]
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	if none, err := (&Report{}).JSON(); err != nil || string(none) != "[]\n" {
		t.Errorf("without results: %q, %v", none, err)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	report := example()
	write("before\n" + beginMark + "\nold\n" + endMark + "\nafter\n")
	for range 2 { // the second time changes nothing
		if err := report.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `before
` + beginMark + `
Measured on 2026-01-01; 2 CPUs (some), 24 GiB; Linux 6.18; BIRD 1.6.8; kube-apiserver v1.37.2 and etcd v3.7.3; tapetum v1; 9 nodes of which 7 own an address block; seed 1; up to 4 such clusters at the same time; BIRD and the reader of the kernels' messages with real-time priority.

| | ordinary pairs lost | ordinary pairs watched | pairs of role-changing nodes lost | longest | pairs of the failed node | replacements, longest | replacement has the role, its sessions | role changes | steps | done after |
|---|---|---|---|---|---|---|---|---|---|---|
| mesh to 3 reflectors | **0** | 30 | 16 | 2.13 s |  | 323, 0.1 ms |  | 6, at most 8 | 13, killed after 6 | 31 s |
| power cut | **0** | 0 | 0 |  | 8 | 0, 0.0 ms | 61 s, 64 s | 0 | 5 | 260 s |
` + endMark + `
after
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	write("no marks")
	if err := report.Write(path); err == nil || !strings.Contains(err.Error(), beginMark) {
		t.Errorf("without marks: %v", err)
	}
}
