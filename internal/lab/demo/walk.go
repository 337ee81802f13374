package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/lab"
)

// WalkOptions are those of a walk through the topologies.
type WalkOptions struct {
	Options
	// Racks of the lab. With racks, Hierarchy goes by them, else by shards.
	Racks         int
	DualStack     bool
	CalicoVersion string
	// From and To choose one pair of topologies; "": all pairs.
	From, To v1alpha1.Topology
	// NodesPerReflector and ReflectorsPerClient go into the policy.
	NodesPerReflector, ReflectorsPerClient int32
	// KeepGoing walks on from where a leg got stuck.
	KeepGoing bool
}

// leastWalkers is how many nodes a walk needs: fifteen reflectors, and clients in
// each zone.
const leastWalkers = 30

func (o *WalkOptions) check() error {
	switch {
	case o.Nodes < leastWalkers || o.Nodes > 1000:
		return fmt.Errorf("a walk needs %d to 1000 nodes, not %d", leastWalkers, o.Nodes)
	case o.Zones < 1 || o.Zones > 8:
		return fmt.Errorf("a walk needs 1 to 8 zones, not %d", o.Zones)
	case o.NodesPerReflector < 1 || o.ReflectorsPerClient < 1:
		return errors.New("a walk needs at least one node a reflector and one reflector a client")
	}
	return nil
}

func (o *WalkOptions) lab() lab.Options {
	l := o.Options.lab()
	l.Racks, l.DualStack = o.Racks, o.DualStack
	if o.CalicoVersion != "" {
		l.CalicoVersion = o.CalicoVersion
	}
	return l
}

// policy lets every topology stand: Single needs a session with each node.
func (o *WalkOptions) policy(topology v1alpha1.Topology) *v1alpha1.RouteReflectorAutoscaler {
	none, settle, ignore := int32(0), int32(2), int32(15)
	spec := v1alpha1.RouteReflectorAutoscalerSpec{
		Topology: topology,
		Scaling:  v1alpha1.Scaling{NodesPerReflector: &o.NodesPerReflector, ScaleDownStabilizationSeconds: &none},
		Limits: v1alpha1.Limits{
			SessionsPerReflector: max(500, int32(o.Nodes)), //nolint:gosec // at most 1000 nodes
		},
		ReflectorsPerClient: o.ReflectorsPerClient,
		Rollout:             v1alpha1.Rollout{SettleSeconds: &settle, IgnoreNotReadyAfterSeconds: &ignore},
	}
	if o.Racks > 0 {
		spec.RackLabel = lab.RackLabel
	}
	return &v1alpha1.RouteReflectorAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SingletonName}, Spec: spec}
}

// Walk takes a cluster from topology to topology and returns what each leg took.
// The report is returned, as far as it got, with ErrLost and ErrStuck as well.
func Walk(ctx context.Context, o WalkOptions) (*WalkReport, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	stops, err := tour(o.From, o.To)
	if err != nil {
		return nil, err
	}
	w := &walk{options: o, demo: demo{options: o.Options, lab: o.lab(), screen: newScreen(&o.Options)}}
	report := &WalkReport{Nodes: o.Nodes, Zones: o.Zones, Racks: o.Racks}
	err = w.stops(ctx, stops, report)
	if err == nil || errors.Is(err, ErrStuck) || errors.Is(err, ErrLost) {
		err = errors.Join(err, w.finish(ctx, report, err))
	}
	return report, errors.Join(err, w.stop())
}

type walk struct {
	demo
	options WalkOptions
}

func (w *walk) stops(ctx context.Context, stops []v1alpha1.Topology, report *WalkReport) error {
	w.screen.line(w.screen.style(bold, fmt.Sprintf("Walk: %d legs over the topologies, %d nodes in %d zones", len(stops)-1, w.options.Nodes, w.options.Zones)))
	if err := w.begin(ctx); err != nil {
		return err
	}
	var failed error
	for i := range stops[1:] {
		leg, err := w.leg(ctx, i+1, stops)
		if leg != nil {
			report.Legs = append(report.Legs, *leg)
		}
		if err != nil && (!w.options.KeepGoing || !errors.Is(err, ErrStuck)) {
			return err
		}
		failed = errors.Join(failed, err)
	}
	if lost := report.lostOrdinary(); lost > 0 {
		failed = errors.Join(failed, fmt.Errorf("%w: %.2f route-seconds in all", ErrLost, lost))
	}
	return failed
}

// leg goes to the i-th stop.
func (w *walk) leg(ctx context.Context, i int, stops []v1alpha1.Topology) (*Leg, error) {
	from, to := stops[i-1], stops[i]
	result, err := w.play(ctx, i, len(stops)-1, &event{
		name: fmt.Sprintf("%s to %s", from, to), topology: to,
		act: func(ctx context.Context, _ lab.State) (string, error) {
			return fmt.Sprintf("The policy asks for %s.", to), w.ask(ctx, to)
		},
	})
	if result == nil {
		return nil, err
	}
	leg := &Leg{From: from, To: to, Result: *result, Reached: err == nil}
	if err != nil {
		leg.Problem = err.Error()
	}
	return leg, errors.Join(err, w.measure(ctx, leg))
}

// ask makes the policy, or changes the topology that it asks for.
func (w *walk) ask(ctx context.Context, to v1alpha1.Topology) error {
	policy := w.options.policy(to)
	err := w.cluster.Client().Create(ctx, policy)
	if client.IgnoreAlreadyExists(err) != nil || err == nil {
		return err
	}
	patch := fmt.Sprintf(`{"spec":{"topology":%q}}`, to)
	return w.cluster.Client().Patch(ctx, policy, client.RawPatch("application/merge-patch+json", []byte(patch)))
}

// measure notes what stands at the end of a leg.
func (w *walk) measure(ctx context.Context, leg *Leg) error {
	if ctx.Err() != nil {
		return nil
	}
	v, err := w.look(ctx)
	if err != nil {
		return err
	}
	var peers calico.BGPPeerList
	if err := w.cluster.Client().List(ctx, &peers); err != nil {
		return err
	}
	leg.Peers, leg.Sessions, leg.ClusterIDs = len(peers.Items), v.state.SessionsUp, len(identities(&v.state))
	leg.NodeWrites, leg.StatusWrites = leg.nodeWrites, leg.statusWrites
	if p := v.policy; p != nil && p.Status.Promise != nil {
		leg.MaxSessions, leg.MaxPaths = p.Status.Promise.MaxSessions, p.Status.Promise.MaxPaths
	}
	return nil
}

// identities counts the reflectors by cluster ID.
func identities(s *lab.State) map[string]int {
	count := map[string]int{}
	for i := range s.Nodes {
		if n := &s.Nodes[i]; n.Reflector {
			count[n.ClusterID]++
		}
	}
	return count
}

// finish prints the result, writes it, and keeps everything up where asked to.
func (w *walk) finish(ctx context.Context, report *WalkReport, failure error) error {
	if len(report.Legs) > 0 {
		w.legs(report)
	}
	var err error
	if w.options.Report != "" {
		err = writeReport(w.options.Report, report)
	}
	w.verdict(ctx, failure)
	return err
}

func newScreen(o *Options) *screen {
	return &screen{out: o.Out, plain: o.Plain, color: o.Color && !o.Plain, width: o.Width, begun: time.Now()}
}
