package sessions

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
)

// FuzzRead: no report makes the reader panic or find a peer both up and waiting, and
// only what a report calls Established is taken for up.
func FuzzRead(f *testing.F) {
	f.Add("n1", "10.0.0.2", "Established", "NodeMesh", "10.0.0.3", "Idle", 1)
	f.Add("n1", "::ffff:10.0.0.2", "established", "", "fe80::1%eth0", "Established", -1)
	f.Add("", "10.0.0.2", "Established", "x", "10.0.0.2", "Active", 2)
	f.Add("n1", "\x1b[2J", "\xff", "", "10.0.0.2:179", "Established", 0)
	f.Fuzz(func(t *testing.T, node, first, state, kind, second, otherState string, up int) {
		status := New(node)
		status.Status = calico.NodeStatusStatus{
			LastUpdated: metav1.NewTime(time.Unix(1_000_000, 0)),
			BGP: calico.NodeBGPStatus{
				NumberEstablishedV4: up,
				PeersV4:             []calico.PeerStatus{{PeerIP: first, State: state, Type: kind}, {PeerIP: second, State: otherState, Type: kind}},
				PeersV6:             []calico.PeerStatus{{PeerIP: second, State: otherState}},
			},
		}
		view, ok := Read([]calico.CalicoNodeStatus{*status, {}})[node]
		if ok != (node != "") {
			t.Fatalf("node %q has a view: %v", node, ok)
		}
		if state != calico.StateEstablished && otherState != calico.StateEstablished && len(view.Established) > 0 {
			t.Errorf("up: %v", view.Established)
		}
		for address := range view.Established {
			if view.Waiting[address] {
				t.Errorf("%v is up and waits", address)
			}
			if address.Zone() != "" || address.Is4In6() {
				t.Errorf("%v is no address of a node", address)
			}
			view.Fed(address)
		}
	})
}
