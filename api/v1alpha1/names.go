package v1alpha1

// Names by which Tapetum marks what is its own. Everything that does not carry
// one of them belongs to somebody else and is never written.
const (
	// SingletonName is the only name a RouteReflectorAutoscaler may have.
	SingletonName = "default"

	// FieldManager is the field manager of every write.
	FieldManager = "tapetum"

	// ManagedByLabel with ManagedByValue marks the BGPPeers, BGPFilters and
	// CalicoNodeStatuses that are Tapetum's.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedByValue is the value of ManagedByLabel.
	ManagedByValue = "tapetum"

	// Finalizer holds a deleted RouteReflectorAutoscaler until the mesh is back.
	Finalizer = "tapetum.dev/restore-mesh"

	// NodeKeyPrefix is the prefix of all labels and annotations on nodes. The
	// NodeRestriction admission plugin forbids kubelets to set such keys, so a
	// node cannot make itself a reflector.
	NodeKeyPrefix = "tapetum.node-restriction.kubernetes.io/"
	// ReflectorLabel is on every reflector; its value is the tier.
	ReflectorLabel = NodeKeyPrefix + "reflector"
	// ServesLabelPrefix plus a group's name is on every reflector with which
	// that group's clients peer.
	ServesLabelPrefix = NodeKeyPrefix + "serves."
	// HomeLabel on a client names the group (a shard of the clients) to which it
	// belongs, where no label of the cluster's tells. It adds the sessions with the
	// reflectors that serve the group.
	HomeLabel = NodeKeyPrefix + "home"
	// SettledLabel on a client says that its group's sessions were seen up; the
	// catch-all BGPPeer leaves such nodes out. The value is the group's name.
	SettledLabel = NodeKeyPrefix + "settled"
	// RenewedLabel is on a reflector whose sessions have got the new options, while
	// a change of options goes from one reflector to the next.
	RenewedLabel = NodeKeyPrefix + "renewed"
	// CordonedAnnotation on a node says that the cordon was set to dedicate the
	// node to route reflection, so it stays eligible.
	CordonedAnnotation = NodeKeyPrefix + "cordoned"

	// ClusterIDAnnotation is Calico's: a node with it is a route reflector.
	ClusterIDAnnotation = "projectcalico.org/RouteReflectorClusterID"

	// ScaleDownDisabledAnnotation is cluster-autoscaler's: a node with it is not
	// removed for being underused.
	ScaleDownDisabledAnnotation = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
	// DoNotDisruptAnnotation is Karpenter's: a node with it is not disrupted
	// voluntarily.
	DoNotDisruptAnnotation = "karpenter.sh/do-not-disrupt"

	// SourceAnnotation on the RouteReflectorAutoscaler names the object that it is
	// kept in step with, as "Kind/name"; absent: a person's own.
	SourceAnnotation = "tapetum.dev/source"
	// MeshAnnotation on the RouteReflectorAutoscaler keeps, as JSON, what the
	// mesh fields of BGPConfiguration/default were before Tapetum turned the
	// mesh off.
	MeshAnnotation = "tapetum.dev/mesh-before"
	// AbandonAnnotation set to "true" lets a RouteReflectorAutoscaler be deleted
	// while everything that Tapetum made stays as it is.
	AbandonAnnotation = "tapetum.dev/abandon"
	// PauseAnnotation on the RouteReflectorAutoscaler set to "true" pauses, as
	// spec.mode Paused does, and without a change of the policy.
	PauseAnnotation = "tapetum.dev/pause"
	// ForceStepAnnotation on the RouteReflectorAutoscaler with the id of the step that
	// is held (status.brakes.heldStep.id) has that one step taken, once.
	ForceStepAnnotation = "tapetum.dev/force-step"
)
