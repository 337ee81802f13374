package bgp

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Reflectors are the nodes with a valid cluster ID, by name.
func (n *Network) Reflectors() []string {
	var out []string
	for i := range n.view.nodes {
		if n.view.nodes[i].present && n.view.nodes[i].cluster != nowhere {
			out = append(out, n.roles.names[i])
		}
	}
	return out
}

// SessionsOf are the configured sessions of a node whose other end has one for it
// as well, by family and the neighbor's address. None for an unknown node.
func (n *Network) SessionsOf(name string) []Session {
	at, ok := slices.BinarySearch(n.roles.names, name)
	if !ok || !n.view.nodes[at].present {
		return nil
	}
	local := int32(at)
	class := n.roles.classOf[local]
	out := make([]Session, 0, n.sessionsOfClass(class))
	for f := range families {
		for i := range n.graphs[f].edges[class] {
			to := n.graphs[f].edges[class][i].to
			p, q := n.standing(class, to, Family(f))
			waiting := n.waiting(class, to, Family(f), p)
			for _, remote := range n.roles.members(to) {
				if remote != local {
					out = append(out, n.session(local, remote, Family(f), p, q, waiting))
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), a.RemoteIP.Compare(b.RemoteIP), strings.Compare(a.Remote, b.Remote))
	})
	return out
}

func (n *Network) session(local, remote int32, f Family, p, q *proto, waiting []*proto) Session {
	s := Session{
		Local: n.roles.names[local], Remote: n.roles.names[remote],
		LocalIP: n.view.nodes[local].addr[f], RemoteIP: n.view.nodes[remote].addr[f],
		Family: f, Kind: p.def.kind, Port: p.def.port, Client: p.def.client, EBGP: p.def.ebgp(),
		Ambiguous: p.ambiguous || q.ambiguous,
	}
	for _, w := range waiting {
		s.Waiting = append(s.Waiting, protocolName(w.def.kind, s.RemoteIP, w.def.port))
	}
	return s
}

// External is a session of a node with an address that is no node's. Whether the
// other end exists is not known.
type External struct {
	Local    string
	RemoteIP netip.Addr
	Family   Family
	Name     string
	PeerAS   uint32
	EBGP     bool
	// BGPPeer that makes it.
	BGPPeer string
}

// ExternalsOf are the external sessions of a node, by family, address and name.
func (n *Network) ExternalsOf(name string) []External {
	at, ok := slices.BinarySearch(n.roles.names, name)
	if !ok {
		return nil
	}
	var out []External
	taken := map[string]bool{}
	for i := range n.d.externals {
		x := &n.d.externals[i]
		if x.class != n.roles.classOf[at] {
			continue
		}
		p := &n.view.peers[x.peer]
		e := External{
			Local: name, RemoteIP: p.addr, Family: x.family, PeerAS: p.as, EBGP: x.proto.def.ebgp(), BGPPeer: p.name,
			Name: protocolName(x.proto.def.kind, p.addr, p.port),
		}
		key := e.RemoteIP.String() + " " + itoa(p.port)
		if !taken[key] { // global ones come first and suppress the others
			out = append(out, e)
		}
		taken[key] = true
	}
	slices.SortFunc(out, func(a, b External) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), a.RemoteIP.Compare(b.RemoteIP), strings.Compare(a.Name, b.Name))
	})
	return out
}

// waiting are the protocols for a neighbor besides the one that stands.
func (n *Network) waiting(a, b int32, f Family, standing *proto) []*proto {
	var out []*proto
	all := n.d.links[n.d.index[uint64(a)<<32|uint64(b)]].protos[f]
	for i := range all {
		if &all[i] != standing {
			out = append(out, &all[i])
		}
	}
	return out
}

// sessionsOfClass is how many sessions a member of a class has, over both
// address families.
func (n *Network) sessionsOfClass(class int32) int {
	total := 0
	for f := range families {
		total += n.sessionsOfFamily(class, Family(f))
	}
	return total
}

func (n *Network) sessionsOfFamily(class int32, f Family) int {
	total := 0
	for i := range n.graphs[f].edges[class] {
		to := n.graphs[f].edges[class][i].to
		total += int(n.roles.size(to))
		if to == class {
			total--
		}
	}
	return total
}

// busiestFamily is how many sessions a member of a class has in the address family
// in which it has the most.
func (n *Network) busiestFamily(class int32) int {
	most := 0
	for f := range families {
		most = max(most, n.sessionsOfFamily(class, Family(f)))
	}
	return most
}

// Degree is the greatest number of sessions of one address family on one
// reflector, or on one node where there is no reflector: Calico runs one BIRD for
// each family, so this is what the busiest of them has to carry.
func (n *Network) Degree() int {
	most := [2]int{} // of clients, of reflectors
	for class := range int32(n.roles.count()) {
		node := n.d.node(class)
		if !node.present {
			continue
		}
		kind := 0
		if node.cluster != nowhere {
			kind = 1
		}
		most[kind] = max(most[kind], n.busiestFamily(class))
	}
	if len(n.Reflectors()) > 0 {
		return most[1]
	}
	return most[0]
}

// MaxSessions is the greatest number of sessions of a reflector, and of any node,
// over both address families.
func (n *Network) MaxSessions() (reflector, any int) {
	c := n.counts()
	return c.reflectorMax, max(c.reflectorMax, c.clientMax)
}

// sessionCounts are the numbers of sessions in the network.
type sessionCounts struct {
	total, reflectorMax, reflectorMin, clientMax int
}

func (n *Network) counts() sessionCounts {
	var c sessionCounts
	first := true
	for class := range int32(n.roles.count()) {
		node := n.d.node(class)
		if !node.present {
			continue
		}
		sessions := n.sessionsOfClass(class)
		c.total += sessions * int(n.roles.size(class))
		if node.cluster == nowhere {
			c.clientMax = max(c.clientMax, sessions)
			continue
		}
		c.reflectorMax = max(c.reflectorMax, sessions)
		if first || sessions < c.reflectorMin {
			c.reflectorMin, first = sessions, false
		}
	}
	c.total /= 2 // counted at both ends
	return c
}
