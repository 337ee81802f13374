package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/dump"
	"tapetum.dev/tapetum/internal/topology"
)

// topologies by their names in lower case.
var topologies = map[string]v1alpha1.Topology{
	"auto": v1alpha1.TopologyAuto, "mesh": v1alpha1.TopologyMesh, "single": v1alpha1.TopologySingle,
	"multi": v1alpha1.TopologyMulti, "quorum": v1alpha1.TopologyQuorum, "hierarchy": v1alpha1.TopologyHierarchy,
}

// parseTopology takes a topology's name in any case.
func parseTopology(name string) (v1alpha1.Topology, error) {
	if known, ok := topologies[strings.ToLower(name)]; ok {
		return known, nil
	}
	return "", fmt.Errorf("topology %q: want Auto, Mesh, Single, Multi, Quorum or Hierarchy", name)
}

// policyOf is the policy in a cluster, with all defaults; only defaults where it
// has none.
func policyOf(c *dump.Cluster) v1alpha1.RouteReflectorAutoscalerSpec {
	if c.Autoscaler == nil {
		return v1alpha1.RouteReflectorAutoscalerSpec{}.WithDefaults()
	}
	return c.Autoscaler.Spec.WithDefaults()
}

// policyFlag is the file of --policy; "": none.
type policyFlag string

func (p *policyFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(p), "policy", "", "`file` with a RouteReflectorAutoscaler")
}

// read returns the policy; nil where there is no file.
func (p policyFlag) read() (*v1alpha1.RouteReflectorAutoscaler, error) {
	if p == "" {
		return nil, nil
	}
	return readPolicyFile(string(p))
}

// readPolicyFile reads a RouteReflectorAutoscaler and refuses what the API server
// would refuse.
func readPolicyFile(path string) (*v1alpha1.RouteReflectorAutoscaler, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--policy: %w", err)
	}
	policy := &v1alpha1.RouteReflectorAutoscaler{}
	text, err := dump.One(path, data, v1alpha1.GroupVersion.WithKind("RouteReflectorAutoscaler"), policy)
	if err != nil {
		return nil, err
	}
	if err := checkPolicy(&policy.Spec); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := checkSchema(text, policy); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return policy, nil
}

// checkPolicy looks at what decides a plan. The topology is taken in any case.
func checkPolicy(spec *v1alpha1.RouteReflectorAutoscalerSpec) error {
	if spec.Topology != "" {
		known, err := parseTopology(string(spec.Topology))
		if err != nil {
			return fmt.Errorf("spec.%w", err)
		}
		spec.Topology = known
	}
	if err := checkScaling(spec); err != nil {
		return err
	}
	full := spec.WithDefaults()
	if *full.MeshUpTo < 0 || *full.Limits.ReflectorFailures < 0 {
		return errors.New("spec: meshUpTo and limits.reflectorFailures must not be negative")
	}
	if id, err := netip.ParseAddr(full.ClusterID); err != nil || !id.Is4() || id.IsUnspecified() {
		return fmt.Errorf("spec.clusterID is %q: want a bare IPv4 address such as 224.0.0.1", full.ClusterID)
	}
	if found := topology.Contradictions(full); len(found) > 0 {
		return errors.New("spec." + strings.Join(found, "; spec."))
	}
	return nil
}

func checkScaling(spec *v1alpha1.RouteReflectorAutoscalerSpec) error {
	full, ratio := spec.WithDefaults().Scaling, spec.Scaling.NodesPerReflector
	switch {
	case full.Min < 1 || full.Min > full.Max:
		return fmt.Errorf("spec.scaling.min is %d, scaling.max %d: want 1 ≤ min ≤ max", full.Min, full.Max)
	case ratio != nil && len(spec.Scaling.Ladder) > 0:
		return errors.New("spec.scaling: set only one of nodesPerReflector and ladder")
	case ratio != nil && *ratio < 1:
		return fmt.Errorf("spec.scaling.nodesPerReflector is %d: want at least 1", *ratio)
	}
	return nil
}
