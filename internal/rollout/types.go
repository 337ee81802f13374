package rollout

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// Input is all that a decision depends on.
type Input struct {
	Now time.Time
	// Autoscaler is the policy, with the status that the last pass left: its
	// clocks and reverts are the only memory between two passes.
	Autoscaler *v1alpha1.RouteReflectorAutoscaler

	Nodes          []inventory.Node
	Peers          []calico.BGPPeer
	Configurations []calico.BGPConfiguration
	Filters        []calico.BGPFilter
	Statuses       []calico.CalicoNodeStatus
	// DatastoreReady is ClusterInformation's; false pauses all writes.
	DatastoreReady bool
	// Frozen, when set, says why nothing may be written (an API group that is
	// served but unavailable, a cache that is incomplete).
	Frozen string

	// TagFilter tells whether, and on which nodes, Calico can do the tag filter.
	TagFilter topology.TagFilterSupport
	// Load is the number of pod-network pods of candidates, 0 also for a node
	// that owns no address block. Only of nodes that Output.AskLoad named; a node
	// that was asked for and is missing is not known. Nil: not asked yet.
	Load map[string]int
	// Vitals tell early of reflectors, and of some other nodes, whether they are alive;
	// by node. Of a node that is not in it nothing is known.
	Vitals map[string]Vital
	// APIBackSince is when the API server first answered again after it had not; zero:
	// it has not been away while this process has run.
	APIBackSince time.Time
	// Modifiers tells, for an object "Kind/name", which field manager other than
	// ours changed it last. Only of the objects that Output.AskModifier named.
	Modifiers map[string]string
}

// Output is a decision.
type Output struct {
	// Step to write now; nil: nothing.
	Step *Step
	// AskLoad: candidates whose load decides; ask and decide again.
	AskLoad []string
	// RequeueAfter is when to decide again though nothing changes; 0: never.
	RequeueAfter time.Duration
	// Status is the complete status. Conditions carry no transition times.
	Status v1alpha1.RouteReflectorAutoscalerStatus
}

// AtRest tells whether nothing is left to do.
func (o *Output) AtRest() bool { return o.Step == nil && o.Status.NextStep == nothingLeft }

// Action is the kind of a step.
type Action string

// Actions. Each is one write, but for SetHomes, which is one for each node named: in
// any order, and harmless when only some of them are done.
const (
	CreatePeer      Action = "CreatePeer"
	PatchPeer       Action = "PatchPeer"
	DeletePeer      Action = "DeletePeer"
	CreateFilter    Action = "CreateFilter"
	PatchFilter     Action = "PatchFilter"
	DeleteFilter    Action = "DeleteFilter"
	SetHomes        Action = "SetHomes"
	SetRole         Action = "SetRole"
	ClearRole       Action = "ClearRole"
	MeshOff         Action = "MeshOff"
	MeshOn          Action = "MeshOn"
	SaveMesh        Action = "SaveMesh"
	ForgetMesh      Action = "ForgetMesh"
	CreateStatus    Action = "CreateStatus"
	PatchStatus     Action = "PatchStatus"
	DeleteStatus    Action = "DeleteStatus"
	AddFinalizer    Action = "AddFinalizer"
	RemoveFinalizer Action = "RemoveFinalizer"
)

// Step is one write, and why.
type Step struct {
	Action Action
	// Object written, as "Kind/name".
	Object string
	// Why in one sentence, for a person.
	Why string
	// WaitsFor says what the next step will wait for, "" where it need not wait.
	WaitsFor string
	// Costs names the nodes whose own routes the step interrupts.
	Costs []string
	// Subtractive: something that may carry routes is taken away.
	Subtractive bool
	// Repair: somebody undid what had been written before.
	Repair bool
	// Proof is what the oracle found, in one sentence.
	Proof string
	// Forced: a person has had it taken though caution held it.
	Forced bool
	// changes: the node is a route reflector already, the mesh is on already.
	changes bool
	// restarts: sessions end or restart by it.
	restarts bool
	// probes is the CalicoNodeStatus by which a node is asked to answer anew; "": none.
	probes string

	// Peer to create, to patch to, or to delete (CreatePeer, PatchPeer, DeletePeer).
	Peer *calico.BGPPeer
	// Filter to create, to patch to, or to delete (CreateFilter, PatchFilter, DeleteFilter).
	Filter *calico.BGPFilter
	// Homes to apply (SetHomes): complete labels of ours on clients.
	Homes []NodeRole
	// NodeStatus to create, patch to or delete (CreateStatus, PatchStatus, DeleteStatus).
	NodeStatus *calico.CalicoNodeStatus
	// Role to apply (SetRole, ClearRole).
	Role *NodeRole
	// Mesh fields to write (MeshOff, MeshOn) or to keep (SaveMesh).
	Mesh *MeshFields
}

// brief names a step in a few words.
func (s *Step) brief() string {
	kind, name, _ := strings.Cut(s.Object, "/")
	switch s.Action {
	case SetRole:
		if s.changes {
			return "changing the role of " + name
		}
		return "making " + name + " a route reflector"
	case ClearRole:
		return "taking the role from " + name
	case SetHomes:
		if len(s.Homes) == 1 {
			return "telling the group of " + name
		}
		return "telling the groups of " + name + " and " + plural(len(s.Homes)-1, "other node")
	}
	if s.Action == MeshOn && s.changes {
		return "restoring the options of the node-to-node mesh"
	}
	if does, known := verbs[s.Action]; known {
		return does + " " + kind + " " + name
	}
	if text, known := others[s.Action]; known {
		return text
	}
	return string(s.Action)
}

// verbs are what steps do to an object that they name.
var verbs = map[Action]string{
	CreatePeer: "creating", CreateStatus: "creating", CreateFilter: "creating",
	PatchPeer: "changing", PatchStatus: "changing", PatchFilter: "changing",
	DeletePeer: "deleting", DeleteStatus: "deleting", DeleteFilter: "deleting",
}

// others name steps whose object says nothing.
var others = map[Action]string{
	MeshOff:         "turning the node-to-node mesh off",
	MeshOn:          "turning the node-to-node mesh on",
	SaveMesh:        "keeping what the mesh was",
	ForgetMesh:      "forgetting what the mesh was",
	AddFinalizer:    "adding the finalizer",
	RemoveFinalizer: "removing the finalizer",
}

// String tells the step and why, in one line.
func (s *Step) String() string { return s.brief() + ": " + s.Why }

// NodeRole is what server-side apply writes on a node: all labels and annotations of
// ours that it shall have (role, home, protection). What is not in it and ours, the
// apply removes.
type NodeRole struct {
	Node, UID string
	Labels    map[string]string
	// Annotations that protect the node from autoscalers; the cluster ID is apart.
	Annotations map[string]string
	ClusterID   string
	// LeftID is a cluster ID that was ours, and has been written back by another: it
	// goes, whoever owns it now.
	LeftID string
}

// MeshFields are the mesh fields of BGPConfiguration/default. It is also the
// JSON of v1alpha1.MeshAnnotation.
type MeshFields struct {
	// Enabled is nil where the field is unset, which means on.
	Enabled        *bool               `json:"nodeToNodeMeshEnabled,omitempty"`
	Password       *calico.BGPPassword `json:"nodeMeshPassword,omitempty"`
	MaxRestartTime *metav1.Duration    `json:"nodeMeshMaxRestartTime,omitempty"`
	// Existed tells whether there was a BGPConfiguration named default.
	Existed bool `json:"existed"`
	// ResourceVersion of the BGPConfiguration that the step was decided on.
	ResourceVersion string `json:"-"`
}
