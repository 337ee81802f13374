package e2e

import (
	"strings"

	"tapetum.dev/tapetum/internal/calico"
)

// protocol is what BIRD says of one of its BGP protocols.
type protocol struct {
	name string
	// up is BIRD's own state: routes have been fed.
	up bool
	// since is the time of day of the last change.
	since string
	// state is that of the session.
	state    string
	neighbor string
}

// parseProtocols reads the answer to "show protocols all".
func parseProtocols(lines []string) []protocol {
	var out []protocol
	var current *protocol
	for _, line := range lines {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 5 && !strings.HasPrefix(line, " "):
			current = nil
			if fields[1] == "BGP" {
				out = append(out, protocol{name: fields[0], up: fields[3] == "up", since: fields[4]})
				current = &out[len(out)-1]
			}
		case current == nil || len(fields) < 3:
		case fields[0] == "BGP" && fields[1] == "state:":
			current.state = fields[2]
		case fields[0] == "Neighbor" && fields[1] == "address:":
			current.neighbor = fields[2]
		}
	}
	return out
}

// peerType is what calico-node makes of a protocol's name.
func (p *protocol) peerType() string {
	switch kind, _, _ := strings.Cut(p.name, "_"); kind {
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
func peerStatus(protocols []protocol) (list []calico.PeerStatus, up, not int) {
	for i := range protocols {
		p := &protocols[i]
		if p.up {
			up++
		} else {
			not++
		}
		list = append(list, calico.PeerStatus{PeerIP: p.neighbor, Type: p.peerType(), State: p.state, Since: p.since})
	}
	return list, up, not
}
