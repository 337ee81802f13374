package bgp

// Codes of findings. They are stable: scripts may depend on them.
const (
	CodeUnreachable       = "UnreachablePairs"
	CodeDisjoint          = "DisjointReflectors"
	CodePathExplosion     = "PathExplosion"
	CodeMeshOn            = "MeshBesideReflectors"
	CodeNodeWithoutPeer   = "NodeWithoutPeer"
	CodeNoAddress         = "NodeWithoutAddress"
	CodeSinglePoint       = "SinglePointOfFailure"
	CodeZoneFatal         = "ZoneFatal"
	CodeReflectorAlone    = "ReflectorWithoutReflectorPeers"
	CodeReflectorLoad     = "ReflectorOverloaded"
	CodeReflectorWindows  = "ReflectorOnWindows"
	CodeReflectorNotReady = "ReflectorNotReady"
	CodeOverlap           = "OverlappingPeers"
	CodeSessionUnfit      = "SessionDoesNotFit"
	CodePointless         = "ReflectorsPointless"

	codeDuplicateAddress   = "DuplicateAddress"
	codeClusterIDNetwork   = "ClusterIDNetwork"
	codeClusterIDInvalid   = "ClusterIDInvalid"
	codePeerMatchesNothing = "PeerMatchesNothing"
	codePeerIPInvalid      = "PeerIPInvalid"
	codePeerWithoutAS      = "PeerWithoutAS"
	codeSelectorInvalid    = "SelectorInvalid"
	codeFilterMissing      = "FilterMissing"
	codeFilterNotModeled   = "FilterNotModeled"
)

// entry is what findings of one code have in common.
type entry struct {
	severity Severity
	action   string
}

var catalog = map[string]entry{
	CodeUnreachable:       {SeverityError, "Give the nodes a reflector in common, or a session with each other."},
	CodeDisjoint:          {SeverityWarning, "Let every client peer with all reflectors of the ID, or make sure that any two clients share one; or give the reflectors different IDs and let them peer with each other."},
	CodePathExplosion:     {SeverityWarning, "Use one cluster ID for reflectors that serve the same clients, or put a filter on the sessions between reflectors that lets a route pass only once (Calico 3.32 or newer)."},
	CodeMeshOn:            {SeverityWarning, "When all nodes have sessions with reflectors, set nodeToNodeMeshEnabled to false in BGPConfiguration/default."},
	CodeNodeWithoutPeer:   {SeverityWarning, "Add a BGPPeer whose selectors match the nodes, or turn the mesh on."},
	CodeNoAddress:         {SeverityWarning, "See that calico-node runs there and that it detects an address."},
	CodeSinglePoint:       {SeverityWarning, "Let the clients of this reflector peer with a second one."},
	CodeZoneFatal:         {SeverityWarning, "Spread the reflectors of every client over zones."},
	CodeReflectorAlone:    {SeverityWarning, "Add a BGPPeer between the reflectors."},
	CodeReflectorLoad:     {SeverityWarning, "Add reflectors, or let every client peer with fewer of them."},
	CodeReflectorWindows:  {SeverityWarning, "Choose a Linux node."},
	CodeReflectorNotReady: {SeverityWarning, "Repair the node, or remove its cluster ID and the label by which BGPPeers select it: a dead reflector delays every calico-node that starts."},
	CodeOverlap:           {SeverityWarning, "Change the selectors so that one BGPPeer alone covers the session, or give both the same options."},
	CodeSessionUnfit:      {SeverityWarning, "Compare asNumber, localASNumber, password and listenPort of the two ends."},
	CodePointless:         {SeverityWarning, "Unless routers outside the cluster peer with it, turn BGP off rather than reflecting it."},

	codeDuplicateAddress:   {SeverityWarning, "Give every node an address of its own."},
	codeClusterIDNetwork:   {SeverityError, "Write an IPv4 address without a prefix length."},
	codeClusterIDInvalid:   {SeverityWarning, "Write an IPv4 address, or remove the annotation."},
	codePeerMatchesNothing: {SeverityWarning, "Correct the selector or name, or delete the BGPPeer."},
	codePeerIPInvalid:      {SeverityWarning, "Write an address, address:port or [address]:port."},
	codePeerWithoutAS:      {SeverityError, "Set asNumber."},
	codeSelectorInvalid:    {SeverityWarning, "Correct the selector."},
	codeFilterMissing:      {SeverityWarning, "Create the BGPFilter, or remove its name from the BGPPeer."},
	codeFilterNotModeled:   {SeverityWarning, "Check by hand what the filter does to routes between nodes."},
}
