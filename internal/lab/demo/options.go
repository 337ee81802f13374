package demo

import (
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/lab"
)

// Options of a demo.
type Options struct {
	Nodes, Zones int
	Seed         uint64
	Group        schema.GroupVersion
	// Plain prints lines for a log instead of a live view.
	Plain bool
	// Color uses the terminal's colors.
	Color bool
	// Width of the terminal in columns, 0: not known.
	Width func() int
	// Keep leaves everything up after the story until the context ends.
	Keep bool
	// Report is the file for the result as JSON; "": none.
	Report string
	// Timeout bounds each event.
	Timeout time.Duration
	// Dir is the folder of the lab.
	Dir string
	// Executable is the tapetum binary that is run as the controller.
	Executable string
	Out        io.Writer
}

// The demo is compressed: on a real cluster a node becomes NotReady after 40 s
// and BGP's hold time is 240 s.
const (
	notReadyAfter = 4 * time.Second
	holdTime      = 30 * time.Second
)

// leastNodes is how many nodes the story needs: three reflectors in all zones,
// and somebody to leave.
const leastNodes = 24

func (o *Options) check() error {
	switch {
	case o.Nodes < leastNodes || o.Nodes > 1000:
		return fmt.Errorf("the demo needs %d to 1000 nodes, not %d", leastNodes, o.Nodes)
	case o.Zones < 2 || o.Zones > 8:
		return fmt.Errorf("the demo needs 2 to 8 zones, so that one can be cordoned; not %d", o.Zones)
	}
	return nil
}

func (o *Options) lab() lab.Options {
	l := lab.DefaultOptions()
	l.Nodes, l.Zones, l.ControlPlanes = o.Nodes, o.Zones, o.Zones
	l.Seed, l.Group, l.Dir = o.Seed, o.Group, o.Dir
	l.NotReadyAfter, l.Timing.Hold = notReadyAfter, holdTime
	return l
}

// rule is the policy in figures, made for the number of nodes: 120 nodes give
// those of the story.
type rule struct {
	nodesPerReflector, meshUpTo, stabilization, settle, ignore int32
	// grown and shrunk are the numbers of nodes after growth, and when the mesh
	// is enough again.
	start, grown, shrunk int
}

const leastReflectors = 3

func newRule(nodes int) rule {
	return rule{
		nodesPerReflector: int32((nodes + 2) / 3), //nolint:gosec // at most 1000 nodes
		meshUpTo:          int32(nodes * 5 / 6),   //nolint:gosec // at most 1000 nodes
		stabilization:     10, settle: 2, ignore: 15,
		start: nodes, grown: nodes + nodes/2, shrunk: nodes * 5 / 8,
	}
}

// reflectors is how many the policy asks for.
func (r *rule) reflectors(nodes int) int {
	ratio := int(r.nodesPerReflector)
	return max((nodes+ratio-1)/ratio, leastReflectors)
}

func (r *rule) policy() *v1alpha1.RouteReflectorAutoscaler {
	return &v1alpha1.RouteReflectorAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SingletonName},
		Spec: v1alpha1.RouteReflectorAutoscalerSpec{
			MeshUpTo: &r.meshUpTo,
			Scaling: v1alpha1.Scaling{
				NodesPerReflector: &r.nodesPerReflector, ScaleDownStabilizationSeconds: &r.stabilization,
			},
			Rollout: v1alpha1.Rollout{SettleSeconds: &r.settle, IgnoreNotReadyAfterSeconds: &r.ignore},
		},
	}
}

// lines describe the policy as it is written in YAML.
func (r *rule) lines() []string {
	return []string{
		fmt.Sprintf("meshUpTo: %d", r.meshUpTo),
		fmt.Sprintf("scaling.nodesPerReflector: %d, min: %d", r.nodesPerReflector, leastReflectors),
		fmt.Sprintf("scaling.scaleDownStabilizationSeconds: %d", r.stabilization),
		fmt.Sprintf("rollout.settleSeconds: %d, ignoreNotReadyAfterSeconds: %d", r.settle, r.ignore),
	}
}
