package birdctl

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// serve answers every command on a control socket with the same text, and returns
// the socket's path.
func serve(t *testing.T, text string) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = io.WriteString(conn, "0001 BIRD 1.6.8 ready.\n")
				for commands := bufio.NewScanner(conn); commands.Scan(); {
					_, _ = io.WriteString(conn, text)
				}
			}()
		}
	}()
	return socket
}

func TestAsk(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, said string
		want       []string
		wrong      string
	}{
		{"lines", "2002-first\n1006-second\n third\n0000 \n", []string{"first", "second", "third"}, ""},
		{"nothing", "0000 \n", nil, ""},
		{"an error", "9001 syntax error\n", nil, "9001 syntax error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Ask(serve(t, tt.said), "show something")
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) || !strings.Contains(err.Error(), "show something") {
					t.Errorf("error %v, want %q and the command", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := Ask(filepath.Join(t.TempDir(), "none"), "x"); err == nil {
		t.Error("no error without a socket")
	}
}

func TestAskEnds(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	go func() {
		_, _ = io.WriteString(theirs, "2002-unfinished\n")
		_ = theirs.Close()
	}()
	if _, err := answer(bufio.NewReader(ours)); !errors.Is(err, io.EOF) {
		t.Errorf("an answer without an end: %v, want EOF", err)
	}
}

// said is what BIRD 1.6.8 answers to "show protocols all".
const said = `name     proto    table    state  since       info
static1  Static   master   up     03:35:01    
  Preference:     200
  Input filter:   ACCEPT
kernel1  Kernel   master   up     03:35:01    
  Preference:     10
Mesh_10_20_0_11 BGP      master   up     03:35:04    Established   
  Description:    Connection to BGP peer
  Preference:     100
  Input filter:   (unnamed)
  Routes:         1 imported, 1 exported, 1 preferred
  BGP state:          Established
    Neighbor address: 10.20.0.11
    Neighbor AS:      64512
Node_10_20_0_11 BGP      master   start  03:36:00    Idle          
  BGP state:          Idle
    Neighbor address: 10.20.0.11
Global_10_20_0_12 BGP      master   feed   03:36:01    Established   
  BGP state:          Established
    Neighbor address: 10.20.0.12
Node_10_20_0_13 BGP      master   start  03:36:05    Active        Socket: No route to host
  BGP state:          Active
    Neighbor address: 10.20.0.13`

func TestProtocols(t *testing.T) {
	t.Parallel()
	want := []Protocol{
		{Name: "Mesh_10_20_0_11", Up: true, Since: "03:35:04", State: "Established", Neighbor: "10.20.0.11"},
		{Name: "Node_10_20_0_11", Since: "03:36:00", State: "Idle", Neighbor: "10.20.0.11"},
		{Name: "Global_10_20_0_12", Since: "03:36:01", State: "Established", Neighbor: "10.20.0.12"},
		{Name: "Node_10_20_0_13", Since: "03:36:05", State: "Active", Neighbor: "10.20.0.13"},
	}
	if diff := cmp.Diff(want, parseProtocols(strings.Split(said, "\n"))); diff != "" {
		t.Errorf("protocols (-want +got):\n%s", diff)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	got := parseStatus([]string{
		"BIRD 1.6.8", "Router ID is 10.20.0.10", "Current server time is 2026-01-01 08:00:00", "Last reboot on 2026-01-01 07:00:00",
		"Last reconfiguration on 2026-01-01 07:30:00", "Daemon is up and running",
	})
	want := Status{RouterID: "10.20.0.10", LastReboot: "2026-01-01 07:00:00", LastReconfiguration: "2026-01-01 07:30:00"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	got, err := parsePaths([]string{
		"10.1.0.0/26        via 10.0.0.1 on eth0 [Node_10_0_0_1 10:00:00] * (100/0) [i]",
		"                   via 10.0.0.2 on eth0 [Node_10_0_0_2 10:00:00] (100/0) [i]",
		"", "fd64::/122         via fd20::1 on eth0 [Node_fd20__1 10:00:00] * (100/0) [i]",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[netip.MustParsePrefix("10.1.0.0/26")] != 2 || got[netip.MustParsePrefix("fd64::/122")] != 1 {
		t.Errorf("paths %v", got)
	}
	if _, err := parsePaths([]string{"something else"}); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("of a line that is no route: %v", err)
	}
}
