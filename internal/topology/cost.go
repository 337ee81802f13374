package topology

// The cost of a topology is the CPU time, in nanoseconds on every node, that one
// change of one node costs: in a large cluster some node always changes. To that is
// added, in the same unit, what a person would rather not have. These are all the
// constants, each with its source.
const (
	// costSession: at each change of any node confd computes the peers of all nodes
	// anew. Measured: 19 ms at 500 nodes with 2 BGPPeers and 3 reflectors, which is
	// 1,500 sessions.
	costSession = 19_000_000 / 1_500
	// costSelector: and matches the selectors of every BGPPeer with every node.
	// Measured in Calico's selector code: 0.25 s for 33 groups at 5,000 nodes. (With
	// 1,500 BGPPeers at 500 nodes confd took 270 ms; that is a quarter of this.)
	costSelector = 250_000_000 / (33 * 5_000)
	// costPath: a client takes in so many paths for each route when its sessions come
	// up. Measured: a reflector of 500 clients, which sends each the routes of all,
	// takes 1.1 s of CPU. A node restarts calico-node about once in ten changes.
	costPath = 1_100_000_000 / (500 * 500) / 10
	// costReflector: filling a reflector again, 1.1 s for 500 clients, once in about
	// a thousand changes; and a node more to watch.
	costReflector = 1_100_000
	// costOwnRoutes: where cluster IDs differ or there are no pins, a reflector loses
	// its own routes for 1.2 s whenever its role comes or goes. Judged to be worth
	// two reflectors.
	costOwnRoutes = 2_000_000
	// changesOfNode: how many changes of labels and annotations a node goes through
	// in its life without us (registered, zone, addresses, cordoned). A home is one
	// more, and every node computes its peers anew for it.
	changesOfNode = 4
	// costRelay, for each node: in Hierarchy every route between racks passes the
	// spine, with which neither end has a session. What goes wrong there neither
	// end's sessions show, and two failures part all racks, where in the others they
	// part few clients or none. Judged to be worth a little more than all that Multi
	// costs at its largest (0.27 ms a node at 13,000): so Multi is taken while it fits.
	costRelay = 300_000
)

// shape is a topology in numbers, for a cluster of which only the numbers are known.
type shape struct {
	// reflectors in all, and those whose role costs their own routes.
	reflectors, ownRoutes int
	// homes is the number of reflectors that a client peers with.
	homes int
	// degree is the most sessions of any reflector, sessions those of all nodes.
	degree, sessions int
	// paths for one route that a client holds.
	paths int
	// groups of clients, and all BGPPeers.
	groups, peers int
	// writes is how many clients need a label of ours.
	writes int
	// relays that a route passes with which neither end has a session.
	relays int
	// anyZone: the loss of any one zone leaves the others complete.
	anyZone bool
	// problem says why the topology cannot keep the promise; "" where it can.
	problem string
	// outgrown: the problem comes from the number of nodes alone.
	outgrown bool
}

// cost of a shape for so many nodes, in nanoseconds a change and node.
func (s *shape) cost(nodes int) int64 {
	n := int64(nodes)
	peering := int64(s.sessions)*costSession + n*int64(s.peers)*costSelector
	if n > 0 {
		peering += peering * int64(s.writes) / (n * changesOfNode)
	}
	return peering + n*int64(s.paths)*costPath +
		int64(s.reflectors)*costReflector + int64(s.ownRoutes)*costOwnRoutes + n*int64(s.relays)*costRelay
}
