package sessions

import (
	"net/netip"
	"slices"
	"time"

	"tapetum.dev/tapetum/internal/calico"
)

// View is what one node reports about its own BGP sessions.
type View struct {
	// Established holds the peers with at least one session in BGP state
	// Established, with the type of that session (calico.PeerTypeMesh, …).
	// Established is not yet fed, see FedV4 and FedV6.
	Established map[netip.Addr]string
	// Waiting holds the peers that the node has configured and with which no
	// session is Established. A second session that waits its turn behind an
	// Established one to the same peer does not count as waiting.
	Waiting map[netip.Addr]bool
	// FedV4 and FedV6: every Established peer of the family has all routes. BIRD
	// counts a session as up only once it is fed, and the report gives that count
	// but not which ones; so as long as the two numbers differ, any of them may
	// still be waiting for routes. True where the family has no session.
	FedV4, FedV6 bool
	// Updated is when the report last changed. It is no heartbeat: the last report
	// of a node that has died stays as it is.
	Updated time.Time
	// Period is the time between two reports, so that the sessions are as told, or
	// were so long ago at most.
	Period time.Duration
	// Object is the name of the CalicoNodeStatus.
	Object string
}

// Fed tells whether all Established peers of the family of address have all routes.
func (v View) Fed(address netip.Addr) bool {
	if address.Unmap().Is4() {
		return v.FedV4
	}
	return v.FedV6
}

// Read returns what each node reports, by node name. A node whose status has not
// been filled yet, or that is not asked for its BGP sessions or never again, has
// no view. Of several objects for one node the one that changed last counts.
func Read(statuses []calico.CalicoNodeStatus) map[string]View {
	views := make(map[string]View, len(statuses))
	for i := range statuses {
		status := &statuses[i]
		if !reports(status) {
			continue
		}
		view := read(status)
		if other, ok := views[status.Spec.Node]; ok && !newer(view, other) {
			continue
		}
		views[status.Spec.Node] = view
	}
	return views
}

func reports(status *calico.CalicoNodeStatus) bool {
	period := status.Spec.UpdatePeriodSeconds
	return status.Spec.Node != "" &&
		status.DeletionTimestamp == nil &&
		slices.Contains(status.Spec.Classes, calico.ClassBGP) &&
		period != nil && *period > 0 &&
		!status.Status.LastUpdated.IsZero()
}

// newer orders two views of one node; names break the tie so that the order of
// the input does not matter.
func newer(a, b View) bool {
	if !a.Updated.Equal(b.Updated) {
		return a.Updated.After(b.Updated)
	}
	return a.Object < b.Object
}

func read(status *calico.CalicoNodeStatus) View {
	bgp := &status.Status.BGP
	view := View{
		Established: make(map[netip.Addr]string, len(bgp.PeersV4)+len(bgp.PeersV6)),
		Waiting:     map[netip.Addr]bool{},
		Updated:     status.Status.LastUpdated.Time,
		Period:      period(status),
		Object:      status.Name,
	}
	view.FedV4 = view.add(bgp.PeersV4) == bgp.NumberEstablishedV4
	view.FedV6 = view.add(bgp.PeersV6) == bgp.NumberEstablishedV6
	return view
}

// add takes in the sessions of one family and returns how many are Established.
func (v *View) add(peers []calico.PeerStatus) int {
	established := 0
	for _, peer := range peers {
		up := peer.State == calico.StateEstablished
		if up {
			established++
		}
		address, err := netip.ParseAddr(peer.PeerIP)
		if err != nil {
			// Not a session of a node: it counts, but nobody can ask for it.
			continue
		}
		address = address.Unmap().WithZone("")
		switch _, already := v.Established[address]; {
		case up:
			// Two Established sessions to one peer do not exist in BIRD (they would
			// share one connection); should a report say so, the mesh one counts,
			// because it is the one that can go away.
			if !already || peer.Type == calico.PeerTypeMesh {
				v.Established[address] = peer.Type
			}
			delete(v.Waiting, address)
		case !already:
			v.Waiting[address] = true
		}
	}
	return established
}
