package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/internal/calico"
)

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
	protocols := parseProtocols(strings.Split(said, "\n"))
	list, up, not := peerStatus(protocols)
	want := []calico.PeerStatus{
		{PeerIP: "10.20.0.11", Type: calico.PeerTypeMesh, State: "Established", Since: "03:35:04"},
		{PeerIP: "10.20.0.11", Type: calico.PeerTypeNode, State: "Idle", Since: "03:36:00"},
		{PeerIP: "10.20.0.12", Type: calico.PeerTypeGlobal, State: "Established", Since: "03:36:01"},
		{PeerIP: "10.20.0.13", Type: calico.PeerTypeNode, State: "Active", Since: "03:36:05"},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	// The third is Established, but still being fed.
	if up != 1 || not != 3 {
		t.Errorf("%d up and %d not, want 1 and 3", up, not)
	}
}
