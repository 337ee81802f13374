package replan

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/topology"
)

// Cluster is what stands.
type Cluster struct {
	// Autoscaler is the policy. It is never nil.
	Autoscaler     *v1alpha1.RouteReflectorAutoscaler
	Nodes          []inventory.Node
	Peers          []calico.BGPPeer
	Configurations []calico.BGPConfiguration
	Filters        []calico.BGPFilter
	Statuses       []calico.CalicoNodeStatus
	DatastoreReady bool
	// TagFilter tells whether Calico can do the tag filter.
	TagFilter topology.TagFilterSupport
	// Idle tells of a node whether it is known to own no address block, so that
	// nothing is interrupted when it becomes a route reflector; nil: of none.
	Idle func(node string) bool
}

// Step is one write on the way.
type Step struct {
	rollout.Step
	// Number of the step, from 1.
	Number int
	// At is when it could be taken at the earliest, after the first one, if every
	// session came up at once.
	At time.Duration
	// Awaited is the reason (rollout.Reason…) for which it had to wait, "" for none.
	Awaited string
	// AwaitedWhat is rollout's message of that wait.
	AwaitedWhat string
}

// Way is the list of steps, and where it leads.
type Way struct {
	Steps []Step
	// Reached: nothing is left to do. Otherwise Held says what only a person, or
	// a change in the cluster, can help.
	Reached bool
	Held    string
	// Final is the cluster at the end of the way.
	Final Cluster
	// Status is the policy's status at the end.
	Status v1alpha1.RouteReflectorAutoscalerStatus
}

// Bounds of a way: rollout never takes more than a few writes a reflector and
// pair of reflectors, and its longest window is a day.
const (
	maxSteps = 20_000
	maxTime  = 48 * time.Hour
)

// Find follows the steps from the cluster at the moment now. The mode of the
// policy does not matter: what it lists is what Apply would do. The cluster given
// is not changed.
func Find(cluster Cluster, now time.Time) Way {
	w := newWalk(cluster, now)
	w.report()
	for len(w.way.Steps) < maxSteps && w.now.Sub(now) < maxTime {
		out := w.next()
		w.cluster.Autoscaler.Status = out.Status
		if out.Step != nil {
			w.take(out.Step)
			if out.Step.Action == rollout.RemoveFinalizer && w.cluster.Autoscaler.DeletionTimestamp != nil {
				w.way.Reached = true // the policy is gone
				return w.done()
			}
			continue
		}
		if w.unreported() {
			// Sessions come up and are reported only once a step waits for them, so
			// that the list tells which do.
			w.note(out)
			w.report()
			continue
		}
		if w.ended(out) {
			return w.done()
		}
		w.note(out)
		w.now = w.now.Add(out.RequeueAfter)
	}
	w.way.Held = "the steps come to no end; this is an error of Tapetum's"
	return w.done()
}

// walk is the way so far.
type walk struct {
	cluster    Cluster
	start, now time.Time
	way        Way
	// stale are the nodes whose sessions the last step may have changed; all: any.
	stale map[string]bool
	all   bool
	// waiting is the last wait since the last step.
	waiting, waitingWhat string
}

func newWalk(cluster Cluster, now time.Time) *walk {
	w := &walk{cluster: clone(cluster), start: now, now: now, all: true}
	w.cluster.Autoscaler.Spec.Mode = v1alpha1.ModeApply
	if w.cluster.Autoscaler.Name == "" {
		w.cluster.Autoscaler.Name = v1alpha1.SingletonName
	}
	return w
}

// next asks rollout, with the load of candidates where it asks for it.
func (w *walk) next() rollout.Output {
	in := rollout.Input{
		Now: w.now, Autoscaler: w.cluster.Autoscaler, Nodes: w.cluster.Nodes, Peers: w.cluster.Peers,
		Configurations: w.cluster.Configurations, Filters: w.cluster.Filters, Statuses: w.cluster.Statuses,
		DatastoreReady: w.cluster.DatastoreReady, TagFilter: w.cluster.TagFilter,
	}
	out := rollout.Next(in)
	if len(out.AskLoad) == 0 {
		return out
	}
	in.Load = map[string]int{}
	for _, name := range out.AskLoad {
		if w.cluster.Idle != nil && w.cluster.Idle(name) {
			in.Load[name] = 0
		}
	}
	return rollout.Next(in)
}

func (w *walk) take(step *rollout.Step) {
	if len(w.way.Steps) == 0 {
		w.start = w.now
	}
	w.way.Steps = append(w.way.Steps, Step{
		Step: *step, Number: len(w.way.Steps) + 1, At: w.now.Sub(w.start),
		Awaited: w.waiting, AwaitedWhat: w.waitingWhat,
	})
	w.waiting, w.waitingWhat = "", ""
	w.cluster.apply(step)
	w.touch(step)
}

// ended: no step, and either nothing is left, or waiting alone does not help.
func (w *walk) ended(out rollout.Output) bool {
	if out.RequeueAfter > 0 {
		return false
	}
	progressing := condition(out, v1alpha1.ConditionProgressing)
	if progressing.Reason == steady {
		w.way.Reached = true
	} else {
		w.way.Held = progressing.Message
	}
	return true
}

// steady is the reason of the condition Progressing where no step is left.
const steady = "Steady"

// note keeps what the next step waits for.
func (w *walk) note(out rollout.Output) {
	if c := condition(out, v1alpha1.ConditionProgressing); c.Reason != steady {
		w.waiting, w.waitingWhat = c.Reason, c.Message
	}
}

func condition(out rollout.Output, name string) metav1.Condition {
	if c := meta.FindStatusCondition(out.Status.Conditions, name); c != nil {
		return *c
	}
	return metav1.Condition{}
}

func (w *walk) done() Way {
	w.way.Final, w.way.Status = w.cluster, w.cluster.Autoscaler.Status
	return w.way
}
