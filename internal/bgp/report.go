package bgp

import "slices"

// Report says what a configuration of BGP is worth. The JSON names are stable.
type Report struct {
	Nodes int `json:"nodes"`
	// Topology is the one named in the options, else what the sessions look like.
	Topology string `json:"topology"`
	// Reflectors, ClusterIDs (different ones in use) and BGPPeers are numbers.
	Reflectors int            `json:"reflectors"`
	ClusterIDs int            `json:"clusterIDs"`
	BGPPeers   int            `json:"bgpPeers"`
	Sessions   SessionNumbers `json:"sessions"`
	// PathsPerRouteMax is the most paths that a node which is no reflector holds
	// for the block of one other node. PathsCapped: there are more than that.
	PathsPerRouteMax int              `json:"pathsPerRouteMax"`
	PathsCapped      bool             `json:"pathsCapped,omitempty"`
	Visibility       VisibilityReport `json:"visibility"`
	Robust           Robust           `json:"robust"`
	// Findings are sorted: errors first, then by code and objects.
	Findings []Finding `json:"findings"`
}

// SessionNumbers count sessions: pairs of nodes in an address family. Two
// protocols for one neighbor are one session. Sessions with addresses that are no
// node's are not counted.
type SessionNumbers struct {
	Total int `json:"total"`
	// PerReflectorMax and PerReflectorMin are 0 without reflectors.
	PerReflectorMax int `json:"perReflectorMax"`
	PerReflectorMin int `json:"perReflectorMin"`
	PerClientMax    int `json:"perClientMax"`
}

// VisibilityReport counts the ordered pairs of nodes of which the first has no
// route to the second, and names up to 20.
type VisibilityReport struct {
	Complete      bool   `json:"complete"`
	MissingPairs  int    `json:"missingPairs"`
	MissingSample []Pair `json:"missingSample,omitempty"`
}

// Robust tells whether all nodes that are left see each other after the loss of
// any one reflector (true where there are none), or of any one zone (true where
// there is only one).
type Robust struct {
	AnyReflector bool `json:"anyReflector"`
	AnyZone      bool `json:"anyZone"`
}

// ReportOptions are what a Report depends on besides the network.
type ReportOptions struct {
	// Topology, where the caller knows its name.
	Topology string
	// ZoneLabel is the label that holds a node's zone; empty:
	// topology.kubernetes.io/zone. Nodes without it are one zone.
	ZoneLabel string
	// PathsPerRoute and SessionsPerReflector are what findings warn above; 0: 30
	// and 500.
	PathsPerRoute        int
	SessionsPerReflector int
}

func (o ReportOptions) withDefaults() ReportOptions {
	if o.ZoneLabel == "" {
		o.ZoneLabel = "topology.kubernetes.io/zone"
	}
	if o.PathsPerRoute == 0 {
		o.PathsPerRoute = DefaultLimits.PathsPerRoute
	}
	if o.SessionsPerReflector == 0 {
		o.SessionsPerReflector = 500
	}
	return o
}

// Report works everything out.
func (n *Network) Report(opts ReportOptions) Report {
	opts = opts.withDefaults()
	in := &inspection{net: n, opts: opts, counts: n.counts(), paths: n.Paths()}
	in.visibility = n.Visibility(nil)
	in.singlePoints = n.singlePoints()
	in.fatalZones = n.fatalZones(n.zoneOf(opts.ZoneLabel))
	reflectors := n.Reflectors()
	r := Report{
		Nodes:      n.present(),
		Topology:   opts.Topology,
		Reflectors: len(reflectors),
		ClusterIDs: len(n.clusterIDs()),
		BGPPeers:   n.bgpPeers,
		Sessions: SessionNumbers{
			Total: in.counts.total, PerReflectorMax: in.counts.reflectorMax,
			PerReflectorMin: in.counts.reflectorMin, PerClientMax: in.counts.clientMax,
		},
		PathsPerRouteMax: in.paths.Max,
		PathsCapped:      in.paths.Capped,
		Visibility:       VisibilityReport{in.visibility.Complete, in.visibility.MissingPairs, in.visibility.Sample},
		Robust: Robust{
			AnyReflector: len(reflectors) == 0 || in.visibility.Complete && len(in.singlePoints) == 0,
			AnyZone:      len(in.fatalZones) == 0,
		},
		Findings: in.findings(),
	}
	if r.Topology == "" {
		r.Topology = n.Shape()
	}
	return r
}

func (n *Network) zoneOf(label string) func(string) string {
	return func(name string) string {
		at, ok := slices.BinarySearch(n.roles.names, name)
		if !ok {
			return ""
		}
		return n.view.nodes[at].labels[label]
	}
}

func (n *Network) present() int {
	count := 0
	for i := range n.view.nodes {
		if n.view.nodes[i].present {
			count++
		}
	}
	return count
}

// clusterIDs are the classes of the reflectors by cluster ID.
func (n *Network) clusterIDs() map[int32][]int32 {
	out := map[int32][]int32{}
	for c := range int32(n.roles.count()) {
		if node := n.d.node(c); node.present && node.cluster != nowhere {
			out[node.cluster] = append(out[node.cluster], c)
		}
	}
	return out
}
