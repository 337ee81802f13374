package lab

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/lab/fabric"
)

// Options say what cluster to run.
type Options struct {
	// Nodes in all, of which ControlPlanes are control-plane nodes; spread over
	// Zones.
	Nodes, ControlPlanes, Zones int
	// Racks in all, each in one zone; 0: nodes have no rack label.
	Racks     int
	DualStack bool
	// CalicoVersion is that of the cluster and of calico-node on every node.
	CalicoVersion string
	// Group in which Calico's kinds are served: calico.GroupV3 or calico.GroupV1.
	Group schema.GroupVersion
	// Seed of the simulated sessions.
	Seed uint64
	// Timing of the simulated sessions.
	Timing fabric.Timing
	// NotReadyAfter is how long after a node has fallen silent it becomes NotReady.
	NotReadyAfter time.Duration
	// Heartbeat is how often every node renews its conditions.
	Heartbeat time.Duration

	// Dir keeps everything of this lab; it must exist and be empty. Processes with other
	// working directories are told of it, so its path is absolute.
	Dir string
	// Assets is the folder with kube-apiserver and etcd; "": where they are
	// usually.
	Assets string
	// Log receives the output of etcd and kube-apiserver.
	Log io.Writer
	// Progress is told what is being done; may be nil.
	Progress func(string)
}

// DefaultOptions are those of a small cluster with Kubernetes' and BGP's real
// timing.
func DefaultOptions() Options {
	return Options{
		Nodes: 120, ControlPlanes: 3, Zones: 3, Group: calico.GroupV3, Seed: 1, CalicoVersion: "v3.33.0",
		Timing: fabric.DefaultTiming(), NotReadyAfter: 40 * time.Second, Heartbeat: 5 * time.Minute,
	}
}

func (o *Options) check() error {
	if err := o.checkSize(); err != nil {
		return err
	}
	if !filepath.IsAbs(o.Dir) {
		return fmt.Errorf("a lab needs the absolute path of a folder, not %q", o.Dir)
	}
	if o.Group != calico.GroupV3 && o.Group != calico.GroupV1 {
		return fmt.Errorf("Calico has no API group %s: want %s or %s", o.Group, calico.GroupV3, calico.GroupV1) //nolint:staticcheck // a name
	}
	if _, err := calico.ParseVersion(o.CalicoVersion); err != nil {
		return err
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return nil
}

func (o *Options) checkSize() error {
	switch {
	case o.Nodes < 1 || o.Nodes > maxNodes:
		return fmt.Errorf("a lab has 1 to %d nodes, not %d", maxNodes, o.Nodes)
	case o.Zones < 1 || o.Zones > maxZones:
		return fmt.Errorf("a lab has 1 to %d zones, not %d", maxZones, o.Zones)
	case o.Racks != 0 && (o.Racks < o.Zones || o.Racks > maxRacks):
		return fmt.Errorf("%d zones have %d to %d racks, or none; not %d", o.Zones, o.Zones, maxRacks, o.Racks)
	case o.ControlPlanes < 0 || o.ControlPlanes > o.Nodes:
		return fmt.Errorf("%d of %d nodes cannot be control-plane nodes", o.ControlPlanes, o.Nodes)
	}
	return nil
}

// What the address plan has room for.
const (
	maxNodes = 5000
	maxZones = 26
	maxRacks = 999
)
