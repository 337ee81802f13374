package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DefaultNodesPerReflector applies where neither nodesPerReflector nor ladder is
// set. It is not in the schema: there it would be a second choice beside every
// ladder.
const DefaultNodesPerReflector = 200

// WithDefaults returns the specification with every default filled in, whether
// or not an API server has defaulted it (a policy may come from a file).
func (s RouteReflectorAutoscalerSpec) WithDefaults() RouteReflectorAutoscalerSpec {
	out := *s.DeepCopy()
	set(&out.Mode, ModeApply)
	set(&out.Topology, TopologyAuto)
	setPointer(&out.MeshUpTo, 100)
	set(&out.ReflectorsPerClient, 3)
	set(&out.ClusterID, "224.0.0.1")
	set(&out.ZoneLabel, "topology.kubernetes.io/zone")
	set(&out.NodeMesh, NodeMeshManaged)

	set(&out.Scaling.Min, 3)
	set(&out.Scaling.Max, 100)
	setPointer(&out.Scaling.ScaleDownStabilizationSeconds, 600)
	if out.Scaling.NodesPerReflector == nil && len(out.Scaling.Ladder) == 0 {
		setPointer(&out.Scaling.NodesPerReflector, DefaultNodesPerReflector)
	}

	set(&out.Limits.SessionsPerReflector, 500)
	set(&out.Limits.PathsPerRoute, 30)
	setPointer(&out.Limits.ReflectorFailures, 1)

	set(&out.Rollout.Gate, GateSessions)
	setPointer(&out.Rollout.SettleSeconds, 5)
	set(&out.Rollout.SessionTimeoutSeconds, 300)
	setPointer(&out.Rollout.IgnoreNotReadyAfterSeconds, 600)
	setPointer(&out.Rollout.DisruptionTimeoutSeconds, 300)

	setPointer(&out.Brakes.NotReadyPercent, 20)
	setPointer(&out.Brakes.ReflectorsNotReadyPercent, 33)
	setPointer(&out.Brakes.WindowSeconds, 60)
	setPointer(&out.Brakes.ZonePercent, 90)
	setPointer(&out.Brakes.RoleChangesPerTenMinutes, 60)

	if out.Placement.Prefer == nil {
		out.Placement.Prefer = []PreferTerm{{Weight: 100, Selector: controlPlane()}}
	}
	return out
}

func controlPlane() metav1.LabelSelector {
	return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: "node-role.kubernetes.io/control-plane", Operator: metav1.LabelSelectorOpExists,
	}}}
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func setPointer(field **int32, value int32) {
	if *field == nil {
		*field = &value
	}
}
