package controller

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

const (
	// vitalsEvery is how often the Leases of reflectors are read, by name: to watch them
	// would be to watch those of all nodes, each of which changes every 10 s.
	vitalsEvery = 10 * time.Second
	// vitalsTimeout bounds one such round.
	vitalsTimeout = 8 * time.Second
	// lateAfter is how old a Lease may be. Kubelets renew theirs every 10 s.
	lateAfter = 20 * time.Second
	// witnesses are the nodes a zone with reflectors, other than these, whose Leases are
	// read as well: where theirs are late too, it is not one node that is dead.
	witnesses = 2
	// agentsRetry is when the pods of calico-node are asked for again where they could
	// not be watched.
	agentsRetry = 10 * time.Minute
	// leaseNamespace holds the Leases of nodes.
	leaseNamespace = corev1.NamespaceNodeLease
)

// vitalWatch knows early whether reflectors are alive. Leases are compared with what
// they were when they were read last, by our own clock: those of nodes may be wrong.
type vitalWatch struct {
	cached, live client.Reader
	// agents watches the pods of calico-node, nil: nobody does; pods is what they tell.
	agents *agentWatch
	pods   *podWatch
	now    func() time.Time
	// kick asks for a pass: a node has become late, or is not late any more.
	kick func()
	log  logr.Logger

	mu        sync.Mutex
	leases    map[string]*leaseSeen
	names     []string // that are looked at, sorted
	zoneLabel string
	said      string
	// retry is when the pods of calico-node are asked for again; zero: they are
	// watched, or it was not tried yet.
	retry time.Time
	// watched: they are. Only passes use it.
	watched bool
}

// leaseSeen is what a node's Lease was, and since when it has been so.
type leaseSeen struct {
	renewed string
	since   time.Time
	// moved: it has been seen to change, so that since is a heartbeat.
	moved bool
	late  bool
	// unread: it could not be read the last time.
	unread bool
}

// known: something can be said of the node. What has not changed since it was first
// read is a heartbeat only once it should have changed.
func (l *leaseSeen) known() bool { return l != nil && !l.unread && (l.moved || l.late) }

func newVitalWatch(cached, live client.Reader, agents *agentWatch, now func() time.Time, kick func(), log logr.Logger) *vitalWatch {
	w := &vitalWatch{cached: cached, live: live, agents: agents, now: now, kick: kick, log: log, leases: map[string]*leaseSeen{}}
	w.pods = newPodWatch(now, func(node string, leaves bool) {
		if leaves || w.matters(node) { // gates wait for any node that leaves
			kick()
		}
	})
	if agents != nil {
		agents.pods = w.pods
	}
	return w
}

// Start reads Leases until the context ends. It runs with the leader only.
func (w *vitalWatch) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		round, cancel := context.WithTimeout(ctx, vitalsTimeout)
		w.Round(round)
		cancel()
		// Replicas of many clusters must not ask in step.
		sleep(ctx, vitalsEvery*9/10+rand.N(vitalsEvery/5))
	}
	return nil
}

// NeedLeaderElection makes a standby read nothing.
func (w *vitalWatch) NeedLeaderElection() bool { return true }

// Round reads the Lease of each node that matters once.
func (w *vitalWatch) Round(ctx context.Context) {
	names, err := w.whose(ctx)
	if err != nil {
		w.complain(err)
		return
	}
	changed := w.adopt(names) || w.due()
	var failed error
	for i, name := range names {
		is, err := w.readOne(ctx, name)
		changed = changed || is
		if err != nil && !apierrors.IsNotFound(err) {
			failed = err
			if ctx.Err() != nil || apierrors.IsForbidden(err) {
				changed = w.miss(names[i+1:]...) || changed // they fail likewise
				break
			}
		}
	}
	w.complain(failed)
	if changed {
		w.kick()
	}
}

// complain says once why Leases cannot be read. What is not known makes nobody
// suspected.
func (w *vitalWatch) complain(err error) {
	text := ""
	if err != nil && !errors.Is(err, context.Canceled) {
		text = err.Error()
	}
	if text != "" && text != w.said {
		w.log.Info("the Leases of nodes cannot be read: a dead reflector is noticed later", "reason", text)
	}
	w.said = text
}

// whose Leases are read: those of reflectors, and of a few other nodes of their zones
// that are ready.
func (w *vitalWatch) whose(ctx context.Context) ([]string, error) {
	var list corev1.NodeList
	if err := w.cached.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var names []string
	others, zones := map[string][]string{}, map[string]bool{}
	w.mu.Lock()
	label := w.zoneLabel
	w.mu.Unlock()
	for i := range list.Items {
		node := &list.Items[i]
		zone := node.Labels[label]
		if _, reflector := node.Labels[v1alpha1.ReflectorLabel]; reflector {
			names, zones[zone] = append(names, node.Name), true
		} else if isReady(node) {
			others[zone] = append(others[zone], node.Name)
		}
	}
	for zone := range zones {
		slices.Sort(others[zone])
		names = append(names, others[zone][:min(witnesses, len(others[zone]))]...)
	}
	slices.Sort(names)
	return names, nil
}

func isReady(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// adopt takes over which nodes matter, and drops what is known of others. It tells whether
// one of these was late, or the calico-node of a new one is not ready: when it turned so
// the node did not matter yet.
func (w *vitalWatch) adopt(names []string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	matters := slices.ContainsFunc(names, func(name string) bool {
		_, old := slices.BinarySearch(w.names, name)
		return !old && w.pods.unready(name)
	})
	w.names = names
	for name, seen := range w.leases {
		if !slices.Contains(names, name) {
			matters = matters || seen.late
			delete(w.leases, name)
		}
	}
	return matters
}

// readOne reads a Lease, and tells whether its node has become late, or is not any more.
func (w *vitalWatch) readOne(ctx context.Context, name string) (bool, error) {
	var lease coordinationv1.Lease
	err := w.live.Get(ctx, client.ObjectKey{Namespace: leaseNamespace, Name: name}, &lease)
	if err != nil {
		late := w.miss(name)
		if apierrors.IsNotFound(err) {
			w.miss(name) // there is nothing to come back to
		}
		return late, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	renewed := ""
	if lease.Spec.RenewTime != nil {
		renewed = lease.Spec.RenewTime.String()
	}
	seen := w.leases[name]
	switch {
	case seen == nil:
		w.leases[name] = &leaseSeen{renewed: renewed, since: w.now()}
		return false, nil
	case seen.renewed != renewed:
		was := seen.late
		*seen = leaseSeen{renewed: renewed, since: w.now(), moved: true}
		return was, nil
	}
	late := w.now().Sub(seen.since) > lateAfter
	was := seen.late && seen.known()
	seen.late, seen.unread = late, false
	return late != was, nil
}

// miss notes Leases that could not be read: whatever the reason, the nodes are not to
// blame for it. What was seen of them counts again if they can be read the next time, and
// is forgotten if not: then nobody may have been able to renew them either. It tells whether
// one was late.
func (w *vitalWatch) miss(names ...string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	late := false
	for _, name := range names {
		seen := w.leases[name]
		if seen == nil {
			continue
		}
		late = late || seen.late && seen.known()
		if seen.unread {
			delete(w.leases, name)
		}
		seen.unread = true
	}
	return late
}

// read returns what is known.
func (w *vitalWatch) read() map[string]inventory.Vital {
	out := map[string]inventory.Vital{}
	w.mu.Lock()
	for name, seen := range w.leases {
		if seen.known() {
			out[name] = inventory.Vital{Heartbeat: seen.since}
		}
	}
	w.mu.Unlock()
	for name, health := range w.pods.read() {
		vital := out[name]
		vital.AgentNotReady, vital.AgentStarted, vital.AgentLeaving = health.notReady, health.started, health.disrupted
		out[name] = vital
	}
	return out
}

// matters tells whether a node is one that is looked at.
func (w *vitalWatch) matters(node string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, is := slices.BinarySearch(w.names, node)
	return is
}

// of returns what is known early, where there are reflectors at all. It begins to watch
// the pods of calico-node.
func (w *vitalWatch) of(ctx context.Context, nodes []inventory.Node, zoneLabel string) map[string]inventory.Vital {
	w.mu.Lock()
	w.zoneLabel = zoneLabel
	w.mu.Unlock()
	reflects := func(node inventory.Node) bool { _, is := node.Labels[v1alpha1.ReflectorLabel]; return is }
	if !slices.ContainsFunc(nodes, reflects) {
		return nil
	}
	w.watchAgents(ctx)
	if w.pods.size() > len(nodes) {
		w.pods.forget(nodes)
	}
	return w.read()
}

// watchAgents begins to watch the pods of calico-node. Where that is refused, or takes so
// long that passes wait for it, it is tried again after a long time, after any other
// failure with the next round.
func (w *vitalWatch) watchAgents(ctx context.Context) {
	w.mu.Lock()
	wait := w.now().Before(w.retry)
	w.mu.Unlock()
	if w.agents == nil || w.watched || wait {
		return
	}
	began, retry := w.now(), time.Time{}
	problem, err := w.agents.start(ctx)
	if err != nil {
		problem = err.Error()
	}
	switch {
	case problem == "":
		w.watched = true
	case err == nil || w.now().Sub(began) >= agentTimeout:
		retry = w.now().Add(agentsRetry)
	default:
		retry = w.now().Add(vitalsEvery)
	}
	w.mu.Lock()
	w.retry = retry
	w.mu.Unlock()
	if problem != "" {
		w.log.Info("the pods of calico-node are not watched: a reflector whose BIRD is stuck is noticed later", "reason", problem)
	}
}

// due: the pods of calico-node are to be asked for again, which a pass does.
func (w *vitalWatch) due() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.retry.IsZero() && !w.now().Before(w.retry)
}
