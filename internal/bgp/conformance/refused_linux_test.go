package conformance

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tapetum.dev/tapetum/internal/bgp"
)

// TestRefusedConfigurations checks what Calico lets through and BIRD does not, as
// the model's findings say: the node then keeps its old configuration for ever.
func TestRefusedConfigurations(t *testing.T) {
	t.Parallel()
	bird := birdPath(t)
	tests := []struct {
		name   string
		node   int
		spoil  func(in *bgp.Input)
		refuse string
		// code of the model's finding.
		code string
	}{
		{name: "nothing wrong", spoil: func(*bgp.Input) {}},
		{"cluster ID that is a network", 0, func(in *bgp.Input) { in.Nodes[0].ClusterID = "10.0.0.0/8" }, "syntax error", "ClusterIDNetwork"},
		{"peerIP without asNumber", 2, func(in *bgp.Input) {
			in.Peers = append(in.Peers, pin("p", in.Nodes[2].Name, in.Nodes[3].IPv4))
			in.Peers[len(in.Peers)-1].Spec.ASNumber = 0
		}, "Remote AS number must be set", "PeerWithoutAS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := build(netip.MustParseAddr("127.0.1.0"))
			single(2, 2)(b)
			tt.spoil(&b.in)
			protocols, _ := derive(b.in)
			n := &b.in.Nodes[tt.node]
			file := filepath.Join(t.TempDir(), "bird.conf")
			if err := os.WriteFile(file, []byte(render(b.in, n, protocols[n.Name], file+".log")), 0o600); err != nil {
				t.Fatal(err)
			}
			output, err := exec.Command(bird, "-p", "-c", file).CombinedOutput()
			if (err != nil) != (tt.refuse != "") || !strings.Contains(string(output), tt.refuse) {
				t.Errorf("BIRD says %v: %s; want %q", err, output, tt.refuse)
			}
			checkFinding(t, b.in, tt.code)
		})
	}
}

// checkFinding wants one finding that is an error, or none.
func checkFinding(t *testing.T, in bgp.Input, code string) {
	t.Helper()
	var errors []string
	for _, f := range bgp.Build(in).Report(bgp.ReportOptions{}).Findings {
		if f.Severity == bgp.SeverityError {
			errors = append(errors, f.Code)
		}
	}
	if got := strings.Join(errors, ", "); got != code {
		t.Errorf("the model finds the errors %q, want %q", got, code)
	}
}
