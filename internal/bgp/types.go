package bgp

import (
	"cmp"
	"net/netip"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// Family is an address family. Calico runs one BIRD for each.
type Family uint8

// The address families.
const (
	IPv4 Family = iota
	IPv6
	families = 2
)

func (f Family) String() string {
	if f == IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// Kind is the sort of BIRD protocol that Calico makes for a session. The order is
// that in which one of several for the same neighbor is reported: the mesh's
// stands until it is removed.
type Kind uint8

// The kinds of protocol.
const (
	Mesh Kind = iota
	Node
	Global
)

func (k Kind) String() string {
	switch k {
	case Mesh:
		return "Mesh"
	case Global:
		return "Global"
	default:
		return "Node"
	}
}

// Input is everything that decides about sessions and routes.
type Input struct {
	Nodes          []inventory.Node
	Peers          []calico.BGPPeer
	Configurations []calico.BGPConfiguration
	Filters        []calico.BGPFilter
	// Pools tell whether reflectors are of any use; nil where not known.
	Pools []calico.IPPool
	// CalicoVersion, as ClusterInformation has it, says the same of IPIP; "" where not known.
	CalicoVersion string
	// Blocks are the address blocks of nodes by name, which BGPFilters may match
	// by CIDR; a node without entry is taken to have one block that CIDR rules
	// accept and do not reject.
	Blocks map[string][]netip.Prefix
}

// Session is a BGP session between two nodes in one address family, seen from one
// of them. A neighbor with two protocols (Mesh_ and Node_) is one session.
type Session struct {
	Local, Remote     string
	LocalIP, RemoteIP netip.Addr
	Family            Family
	Kind              Kind
	// Port of Remote; 0: BGP's own.
	Port uint16
	// Waiting are the names of further protocols for the same neighbor. They
	// wait for the first to go away.
	Waiting []string
	// Client: Local treats Remote as route reflector client.
	Client bool
	// External BGP: the two sides are in different ASes.
	EBGP bool
	// Ambiguous: two BGPPeers give this session different options on one of the
	// sides, and which of them wins changes at random.
	Ambiguous bool
}

// Name is the protocol's name in BIRD on Local, as Calico makes it. It is made when it is
// asked for: a large cluster has tens of thousands of sessions, of which few are shown.
func (s *Session) Name() string { return protocolName(s.Kind, s.RemoteIP, s.Port) }

// Pair is an ordered pair of nodes: From does not see, or loses, the routes of To.
type Pair struct {
	From string `json:"from"`
	To   string `json:"to"`
}

func comparePairs(a, b Pair) int {
	return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
}

// sampleSize is how many pairs a sample names at most.
const sampleSize = 20

// protocolName is the name that Calico gives to a protocol in BIRD. Names of mesh
// protocols never carry a port.
func protocolName(kind Kind, neighbor netip.Addr, port uint16) string {
	sep := "."
	if !neighbor.Is4() {
		sep = ":"
	}
	name := kind.String() + "_" + strings.ReplaceAll(neighbor.String(), sep, "_")
	if kind != Mesh && port > 0 {
		name += "_port_" + itoa(port)
	}
	return name
}
