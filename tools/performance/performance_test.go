package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const printed = `goos: linux
BenchmarkEvent/5000/no-change-2    3   2551045 ns/op   25.00 bgppeers   0 client-writes   0 peer-writes   25.00 reflectors   0 role-writes   2234289 B/op   190 allocs/op
BenchmarkEvent/5000/reflector-lost-2    3   2551045 ns/op   25.00 bgppeers   0 client-writes   2 peer-writes   25.00 reflectors   1 role-writes
BenchmarkEvent/100000/no-change-2    3   30000000 ns/op
BenchmarkEvent/100000/zone-lost-2    3   40000000 ns/op
BenchmarkPass/decide/nodes=5000-2    3   20000000 ns/op
BenchmarkProof/5000/step-2   3   12545565 ns/op   3081224 B/op   5606 allocs/op
PASS
`

func TestTablesReplaceWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	page, from := filepath.Join(dir, "page.md"), filepath.Join(dir, "bench.txt")
	write(t, page, "# Head\n"+begin+"old\n"+end+"\ntail\n")
	write(t, from, printed)
	if err := run(page, from); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Head\n" + begin, end + "\ntail\n",
		"| 5,000 | no change | 2.6 ms | 2.2 MB | 190 | 25 | 25 | 0, 0, 0 |\n",
		"| 5,000 nodes, no change: planning, in memory | 890 ms | 2.6 ms, 349 times faster | 100 times faster |\n",
		"| the same: all that a pass decides, in memory |  | 20.0 ms, 44 times faster |  |\n",
		"| 100,000 nodes, the slowest event: planning, in memory | not measured | 40.0 ms | less than 1 s |\n",
		"| writes for one reflector lost, of 5,000 nodes | 16,205 | 1 to nodes of reflectors, 0 to clients, 2 of BGPPeers | at most 5, none to clients |\n",
		"| 5,000 | step | 12.5 ms | 3.1 MB | 5,606 |\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old") {
		t.Error("the old tables are still there")
	}
}

func TestPageWithoutMarkersIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	page, from := filepath.Join(dir, "page.md"), filepath.Join(dir, "bench.txt")
	write(t, page, "# Head\n")
	write(t, from, printed)
	if err := run(page, from); err == nil {
		t.Fatal("a page without the markers was written")
	}
	if text, err := os.ReadFile(page); err != nil || string(text) != "# Head\n" {
		t.Errorf("the page is now %q, %v", text, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
