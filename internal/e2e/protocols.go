package e2e

import (
	"strings"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/lab/birdctl"
)

// peerType is what calico-node makes of a protocol's name.
func peerType(protocol string) string {
	switch kind, _, _ := strings.Cut(protocol, "_"); kind {
	case "Mesh":
		return calico.PeerTypeMesh
	case "Global":
		return calico.PeerTypeGlobal
	default:
		return calico.PeerTypeNode
	}
}

// peerStatus is how calico-node reports the protocols. The number counts those that
// BIRD calls up; the state of a session says Established before.
func peerStatus(protocols []birdctl.Protocol) (list []calico.PeerStatus, up, not int) {
	for i := range protocols {
		p := &protocols[i]
		if p.Up {
			up++
		} else {
			not++
		}
		list = append(list, calico.PeerStatus{PeerIP: p.Neighbor, Type: peerType(p.Name), State: p.State, Since: p.Since})
	}
	return list, up, not
}
