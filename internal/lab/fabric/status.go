package fabric

import (
	"time"

	"tapetum.dev/tapetum/internal/calico"
)

// Status returns what calico-node on that node would report of its sessions. An
// unknown node, or one without power, reports nothing.
func (f *Fabric) Status(name string) calico.NodeBGPStatus {
	var out calico.NodeBGPStatus
	n := f.byName[name]
	if n == nil || !n.powered {
		return out
	}
	out.PeersV4, out.NumberEstablishedV4, out.NumberNotEstablishedV4 = f.peerStatus(n, v4)
	out.PeersV6, out.NumberEstablishedV6, out.NumberNotEstablishedV6 = f.peerStatus(n, v6)
	return out
}

// peerStatus lists one protocol after another. The number counts what BIRD calls
// up, after the feed; the state of a session says Established before.
func (f *Fabric) peerStatus(n *node, family int) (list []calico.PeerStatus, ready, not int) {
	for _, nb := range n.neighbors(family) {
		line := append([]protocol(nil), nb.line...)
		holder := line[0]
		sortByName(line)
		for _, p := range line {
			state, since := "Active", int64(0)
			switch s := nb.sess; {
			case !p.same(holder):
				state = calico.StateIdle // waits for the lock
			case s != nil:
				since = s.since
				if s.state != connecting && s.state != stale {
					state = calico.StateEstablished
				}
			}
			if p.same(holder) && nb.sess != nil && nb.sess.carries() && nb.sess.state != stale {
				ready++
			} else {
				not++
			}
			peer := calico.PeerStatus{PeerIP: nb.addr.String(), Type: p.kind.peerType(), State: state}
			if since != 0 {
				peer.Since = time.Unix(0, since).UTC().Format(time.TimeOnly)
			}
			list = append(list, peer)
		}
	}
	return list, ready, not
}

func sortByName(line []protocol) {
	for i := 1; i < len(line); i++ {
		for j := i; j > 0 && line[j].before(line[j-1]); j-- {
			line[j], line[j-1] = line[j-1], line[j]
		}
	}
}

func (k kind) peerType() string {
	return [...]string{calico.PeerTypeGlobal, calico.PeerTypeMesh, calico.PeerTypeNode}[k]
}
