package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/lab/birdctl"
)

func TestPeerStatus(t *testing.T) {
	t.Parallel()
	list, up, not := peerStatus([]birdctl.Protocol{
		{Name: "Mesh_10_20_0_11", Up: true, Since: "03:35:04", State: "Established", Neighbor: "10.20.0.11"},
		{Name: "Node_10_20_0_11", Since: "03:36:00", State: "Idle", Neighbor: "10.20.0.11"},
		{Name: "Global_10_20_0_12", Since: "03:36:01", State: "Established", Neighbor: "10.20.0.12"}, // still being fed
	})
	want := []calico.PeerStatus{
		{PeerIP: "10.20.0.11", Type: calico.PeerTypeMesh, State: "Established", Since: "03:35:04"},
		{PeerIP: "10.20.0.11", Type: calico.PeerTypeNode, State: "Idle", Since: "03:36:00"},
		{PeerIP: "10.20.0.12", Type: calico.PeerTypeGlobal, State: "Established", Since: "03:36:01"},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	if up != 1 || not != 2 {
		t.Errorf("%d up and %d not, want 1 and 2", up, not)
	}
}
