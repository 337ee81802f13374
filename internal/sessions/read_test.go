package sessions

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
)

var reported = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// answer is a filled status of node n1, changed by edit.
func answer(edit func(*calico.CalicoNodeStatus)) calico.CalicoNodeStatus {
	status := *New("n1")
	status.Status.LastUpdated = metav1.NewTime(reported)
	if edit != nil {
		edit(&status)
	}
	return status
}

func peer(ip, kind, state string) calico.PeerStatus {
	return calico.PeerStatus{PeerIP: ip, Type: kind, State: state}
}

func addresses(text ...string) map[netip.Addr]bool {
	set := map[netip.Addr]bool{}
	for _, t := range text {
		set[netip.MustParseAddr(t)] = true
	}
	return set
}

func TestReadOneNode(t *testing.T) {
	tests := map[string]struct {
		bgp         calico.NodeBGPStatus
		established map[netip.Addr]string
		waiting     map[netip.Addr]bool
		up          map[netip.Addr]bool
		fedV4       bool
		fedV6       bool
	}{
		"no sessions": {
			fedV4: true, fedV6: true,
		},
		"all fed": {
			bgp: calico.NodeBGPStatus{
				NumberEstablishedV4: 2,
				PeersV4: []calico.PeerStatus{
					peer("192.0.2.1", calico.PeerTypeNode, "Established"),
					peer("192.0.2.2", calico.PeerTypeNode, "Established"),
				},
			},
			established: map[netip.Addr]string{
				netip.MustParseAddr("192.0.2.1"): calico.PeerTypeNode,
				netip.MustParseAddr("192.0.2.2"): calico.PeerTypeNode,
			},
			up:    addresses("192.0.2.1", "192.0.2.2"),
			fedV4: true, fedV6: true,
		},
		"one of two is still being fed, nobody knows which": {
			bgp: calico.NodeBGPStatus{
				NumberEstablishedV4: 1, NumberNotEstablishedV4: 1,
				PeersV4: []calico.PeerStatus{
					peer("192.0.2.1", calico.PeerTypeNode, "Established"),
					peer("192.0.2.2", calico.PeerTypeNode, "Established"),
				},
			},
			established: map[netip.Addr]string{
				netip.MustParseAddr("192.0.2.1"): calico.PeerTypeNode,
				netip.MustParseAddr("192.0.2.2"): calico.PeerTypeNode,
			},
			fedV4: false, fedV6: true,
		},
		"one family is fed, the other is not": {
			bgp: calico.NodeBGPStatus{
				NumberEstablishedV4: 1,
				PeersV4:             []calico.PeerStatus{peer("192.0.2.1", calico.PeerTypeNode, "Established")},
				PeersV6:             []calico.PeerStatus{peer("2001:DB8:0::1", calico.PeerTypeNode, "Established")},
			},
			established: map[netip.Addr]string{
				netip.MustParseAddr("192.0.2.1"):   calico.PeerTypeNode,
				netip.MustParseAddr("2001:db8::1"): calico.PeerTypeNode,
			},
			up:    addresses("192.0.2.1"),
			fedV4: true, fedV6: false,
		},
		"a session waits behind the mesh session of the same peer": {
			bgp: calico.NodeBGPStatus{
				NumberEstablishedV4: 1, NumberNotEstablishedV4: 1,
				PeersV4: []calico.PeerStatus{
					peer("192.0.2.1", calico.PeerTypeNode, "Idle"),
					peer("192.0.2.1", calico.PeerTypeMesh, "Established"),
				},
			},
			established: map[netip.Addr]string{netip.MustParseAddr("192.0.2.1"): calico.PeerTypeMesh},
			up:          addresses("192.0.2.1"),
			fedV4:       true, fedV6: true,
		},
		"not established": {
			bgp: calico.NodeBGPStatus{
				NumberNotEstablishedV4: 2,
				PeersV4: []calico.PeerStatus{
					peer("192.0.2.1", calico.PeerTypeNode, "Connect"),
					peer("192.0.2.2", calico.PeerTypeNode, ""),
				},
			},
			waiting: addresses("192.0.2.1", "192.0.2.2"),
			fedV4:   true, fedV6: true,
		},
		"the counts contradict the list": {
			bgp: calico.NodeBGPStatus{
				NumberEstablishedV4: 3,
				PeersV4:             []calico.PeerStatus{peer("192.0.2.1", calico.PeerTypeNode, "Established")},
			},
			established: map[netip.Addr]string{netip.MustParseAddr("192.0.2.1"): calico.PeerTypeNode},
			fedV4:       false, fedV6: true,
		},
		"an address that is none counts but names nobody": {
			bgp: calico.NodeBGPStatus{
				NumberEstablishedV4: 1,
				PeersV4: []calico.PeerStatus{
					peer("", calico.PeerTypeGlobal, "Established"),
					peer("192.0.2.1", calico.PeerTypeNode, "Established"),
				},
			},
			established: map[netip.Addr]string{netip.MustParseAddr("192.0.2.1"): calico.PeerTypeNode},
			fedV4:       false, fedV6: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			views := Read([]calico.CalicoNodeStatus{answer(func(s *calico.CalicoNodeStatus) { s.Status.BGP = test.bgp })})
			view, ok := views["n1"]
			if !ok {
				t.Fatal("the node has no view")
			}
			want := View{
				Established: test.established, Waiting: test.waiting,
				FedV4: test.fedV4, FedV6: test.fedV6,
				Updated: reported, Period: RestSeconds * time.Second, Object: "tapetum-n1",
			}
			options := cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}
			if want.Established == nil {
				want.Established = map[netip.Addr]string{}
			}
			if want.Waiting == nil {
				want.Waiting = map[netip.Addr]bool{}
			}
			if diff := cmp.Diff(want, view, options); diff != "" {
				t.Errorf("view (-want +got):\n%s", diff)
			}
			for address := range view.Established {
				if got, want := view.Fed(address), test.up[address]; got != want {
					t.Errorf("%s fed: %v, want %v", address, got, want)
				}
			}
		})
	}
}

func TestReadLeavesOutWhatSaysNothing(t *testing.T) {
	zero := uint32(0)
	tests := map[string]func(*calico.CalicoNodeStatus){
		"not answered yet":     func(s *calico.CalicoNodeStatus) { s.Status.LastUpdated = metav1.Time{} },
		"never refreshed":      func(s *calico.CalicoNodeStatus) { s.Spec.UpdatePeriodSeconds = &zero },
		"no period":            func(s *calico.CalicoNodeStatus) { s.Spec.UpdatePeriodSeconds = nil },
		"other classes":        func(s *calico.CalicoNodeStatus) { s.Spec.Classes = []string{"Agent", "Routes"} },
		"no node":              func(s *calico.CalicoNodeStatus) { s.Spec.Node = "" },
		"object being deleted": func(s *calico.CalicoNodeStatus) { s.DeletionTimestamp = &metav1.Time{Time: reported} },
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			if views := Read([]calico.CalicoNodeStatus{answer(edit)}); len(views) != 0 {
				t.Errorf("got %v, want no view", views)
			}
		})
	}
}

func TestReadTakesTheLastChangeWhateverTheOrder(t *testing.T) {
	object := func(name string, age time.Duration) calico.CalicoNodeStatus {
		return answer(func(s *calico.CalicoNodeStatus) {
			s.Name = name
			s.Status.LastUpdated = metav1.NewTime(reported.Add(-age))
		})
	}
	statuses := []calico.CalicoNodeStatus{
		object("old", time.Minute), object("b", 0), object("a", 0), object("older", time.Hour),
	}
	for range len(statuses) {
		statuses = append(statuses[1:], statuses[0])
		if got := Read(statuses)["n1"].Object; got != "a" {
			t.Errorf("order %v: took %q, want a", names(statuses), got)
		}
	}
}

func names(statuses []calico.CalicoNodeStatus) []string {
	var out []string
	for i := range statuses {
		out = append(out, statuses[i].Name)
	}
	return out
}

func TestName(t *testing.T) {
	if got := Name("worker-3"); got != "tapetum-worker-3" {
		t.Errorf("Name(worker-3) = %q", got)
	}
	seen := map[string]string{}
	for i := range 20 {
		node := strings.Repeat("n", 251) + fmt.Sprintf("%02d", i)
		name := Name(node)
		if len(name) > maxName {
			t.Errorf("Name of a long node has %d bytes, at most %d are allowed", len(name), maxName)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q share the name %q", node, other, name)
		}
		seen[name] = node
	}
}

func TestAsks(t *testing.T) {
	for _, node := range []string{"n1", strings.Repeat("n", 253)} {
		if !Asks(New(node)) {
			t.Errorf("a new object for %q does not ask what it should", node)
		}
		watched := Every(WatchSeconds, New(node))
		watched.Name = OtherName(node)
		watched.Spec.Classes = []string{"Agent", "BGP"}
		if !Asks(watched) || !Watched(watched) || Watched(New(node)) {
			t.Errorf("a watched object for %q does not ask what it should", node)
		}
	}
	foreign := New("n1")
	foreign.Labels = nil
	slow := Every(61, New("n1"))
	more := New("n1")
	more.Spec.Classes = slices.Concat(more.Spec.Classes, []string{"Routes"})
	agentOnly := New("n1")
	agentOnly.Spec.Classes = []string{"Agent"}
	renamed := New("n1")
	renamed.Name = "n1"
	for name, status := range map[string]*calico.CalicoNodeStatus{
		"foreign": foreign, "slow": slow, "more classes": more, "no sessions": agentOnly, "other name": renamed,
	} {
		if Asks(status) {
			t.Errorf("%s: counts as asking what New asks", name)
		}
	}
}
