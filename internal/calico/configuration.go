package calico

const (
	// DefaultConfiguration is the name of the cluster's BGPConfiguration.
	DefaultConfiguration = "default"
	// nodeConfigurationPrefix plus a node's name is the name of that node's own.
	nodeConfigurationPrefix = "node."

	// DefaultASNumber is the AS of a cluster that sets none.
	DefaultASNumber uint32 = 64512
	// DefaultPort is where BIRD listens when no port is configured.
	DefaultPort uint16 = 179
)

// Default returns the cluster's BGPConfiguration, nil where there is none. The
// result points into the slice.
func Default(configurations []BGPConfiguration) *BGPConfiguration {
	return named(configurations, DefaultConfiguration)
}

// MeshEnabled tells whether Calico peers all nodes with each other: it does
// unless the cluster's BGPConfiguration says no.
func MeshEnabled(configurations []BGPConfiguration) bool {
	c := Default(configurations)
	return c == nil || c.Spec.NodeToNodeMeshEnabled == nil || *c.Spec.NodeToNodeMeshEnabled
}

// GlobalAS is the AS of every node that has none of its own.
func GlobalAS(configurations []BGPConfiguration) uint32 {
	if c := Default(configurations); c != nil && c.Spec.ASNumber != nil && *c.Spec.ASNumber != 0 {
		return *c.Spec.ASNumber
	}
	return DefaultASNumber
}

// ListenPort is the port that is configured for a node, by its own
// BGPConfiguration or else the cluster's. 0 means that none is: BIRD listens on
// DefaultPort, but that is not the same as configuring DefaultPort, since a
// configured port becomes part of the sessions' names.
func ListenPort(configurations []BGPConfiguration, node string) uint16 {
	if c := named(configurations, nodeConfigurationPrefix+node); c != nil && c.Spec.ListenPort != 0 {
		return c.Spec.ListenPort
	}
	if c := Default(configurations); c != nil {
		return c.Spec.ListenPort
	}
	return 0
}

func named(configurations []BGPConfiguration, name string) *BGPConfiguration {
	for i := range configurations {
		if configurations[i].Name == name {
			return &configurations[i]
		}
	}
	return nil
}
