package faults

import (
	"container/heap"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/fabric"
	"tapetum.dev/tapetum/internal/rollout"
)

// Config is what a world begins with.
type Config struct {
	Seed   uint64
	Timing Timing
	// Nodes in Zones; 0 zones: none has a zone.
	Nodes, Zones int
	// Spec of the RouteReflectorAutoscaler.
	Spec v1alpha1.RouteReflectorAutoscalerSpec
	// Leaders is how many controllers believe that they lead; 0: one.
	Leaders int
	// From are the objects of a world that was at rest; nil: begin with the mesh.
	From *Snapshot
	// Decide is for tests of the tests; nil: rollout.Next.
	Decide func(rollout.Input) rollout.Output
	// Inject chooses a fault for a request; nil: none.
	Inject func(*World, *Request) Fault
	// Verbose keeps a log of everything.
	Verbose bool
	// MaxNodes is how many nodes random histories let join.
	MaxNodes int
	// ProveEach is of how many writes one is given to the oracle; 0: each.
	ProveEach int
}

// World is a cluster in virtual time. It is not safe for concurrent use. Close ends
// it.
type World struct {
	Config
	// Passes and Writes count those of all controllers; StatusWrites are those of
	// the RouteReflectorAutoscaler's status alone, and not in Writes.
	Passes, Writes, StatusWrites int
	// Steps counts writes by action, Events what happened to the world.
	Steps map[string]int

	timing Timing
	now    time.Time
	rng    *rand.Rand
	queue  eventQueue
	order  uint64
	store  *store
	fabric *fabric.Fabric
	trims  map[trimKey]trimmedObject

	processes []*process
	requests  int
	// lastWrite is when a step was written, or somebody changed the world.
	lastWrite time.Time
	// lastStatus are the fields of the status that the last write of it changed.
	lastStatus []string
	// lostAt is when a reflector was lost last, by an act, editedAt when a hand was at
	// work; stormUntil when requests end to fail.
	lostAt, editedAt, stormUntil time.Time

	serial    int
	inventory map[string]converted
	syncing   bool
	reports   map[string]*reporter
	// off are nodes that carry no routes, mute those whose kubelet has renewed no Lease
	// since, still those whose Lease nobody sees renewed, gagged those whose calico-node is
	// just being replaced.
	off         map[string]death
	mute, still map[string]time.Time
	gagged      map[string]bool
	rolls       int

	check      checker
	violations []string
	log        []string
	closed     bool
}

type converted struct {
	version string
	node    inventory.Node
}

// New returns a world whose clock stands at its beginning; its controllers run.
func New(c Config) *World {
	w := &World{
		Config: c, timing: c.Timing, now: epoch, Steps: map[string]int{},
		rng:   rand.New(rand.NewPCG(c.Seed, 0x6661756c7473)), //nolint:gosec // a simulation wants a seed
		trims: map[trimKey]trimmedObject{}, inventory: map[string]converted{}, reports: map[string]*reporter{},
		off: map[string]death{}, mute: map[string]time.Time{}, still: map[string]time.Time{}, gagged: map[string]bool{},
	}
	w.check.changed = map[string]bool{}
	w.store = newStore(func() time.Time { return w.now })
	w.fabric = fabric.New(c.Seed, c.Timing.Fabric)
	w.store.watch = w.onChange
	if c.From != nil {
		w.load(c.From)
	} else {
		w.populate()
	}
	// The sessions that stand come up before the story begins.
	w.Run(40 * time.Second)
	w.resetAccount()
	for i := range max(1, c.Leaders) {
		w.startProcess(leaderName(i))
	}
	return w
}

var epoch = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func leaderName(i int) string { return string(rune('A' + i)) }

// Close ends all controllers.
func (w *World) Close() {
	for _, p := range w.processes {
		if !p.dead {
			p.kill()
		}
	}
	w.closed = true
}

// Snapshot is what the API server holds.
type Snapshot struct {
	now     time.Time
	version uint64
	uids    uint64
	serial  int
	tables  map[string]*table
	owners  map[string]owners
}

// Snapshot returns what stands, to begin other worlds with.
func (w *World) Snapshot() *Snapshot {
	s := &Snapshot{now: w.now, version: w.store.version, uids: w.store.uids, serial: w.serial, tables: map[string]*table{}, owners: maps.Clone(w.store.owners)}
	for kind, t := range w.store.tables {
		s.tables[kind] = t.clone()
	}
	return s
}

func (w *World) load(s *Snapshot) {
	w.now, w.serial = s.now, s.serial
	w.store.version, w.store.uids, w.store.owners = s.version, s.uids, maps.Clone(s.owners)
	for _, kind := range slices.Sorted(maps.Keys(s.tables)) {
		w.store.tables[kind] = s.tables[kind].clone()
		for i, object := range s.tables[kind].objects {
			w.onChange(change{kind: kind, key: s.tables[kind].keys[i], after: object})
		}
	}
}

// event is something that will happen.
type event struct {
	at    time.Time
	order uint64
	do    func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].order < q[j].order
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push adds an event; for container/heap.
func (q *eventQueue) Push(x any) { *q = append(*q, x.(event)) }

// Pop takes the last one; for container/heap.
func (q *eventQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return last
}

// at has something happen; what lies in the past happens now.
func (w *World) at(at time.Time, do func()) {
	if at.Before(w.now) {
		at = w.now
	}
	w.order++
	heap.Push(&w.queue, event{at, w.order, do})
}

// In has something happen after a time.
func (w *World) In(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

// Now is the time.
func (w *World) Now() time.Time { return w.now }

// Run lets so much time pass, but ends where an invariant breaks.
func (w *World) Run(d time.Duration) {
	end := w.now.Add(d)
	for len(w.violations) == 0 && len(w.queue) > 0 && !w.queue[0].at.After(end) {
		w.next()
	}
	if len(w.violations) == 0 {
		w.now = end
	}
}

func (w *World) next() {
	if len(w.queue) == 0 {
		w.violate("nothing will ever happen any more: %s", w.conditions())
		return
	}
	e := heap.Pop(&w.queue).(event)
	w.now = e.at
	e.do()
}

// quiet is for how long nothing must happen before a rollout counts as over: longer
// than it takes until a dead node is noticed.
const quiet = 60 * time.Second

// Settle runs until the policy is Ready and all is quiet. Not within the limit is a
// violation.
func (w *World) Settle(limit time.Duration) {
	end := w.now.Add(limit)
	for len(w.violations) == 0 && !w.settled() {
		if w.now.After(end) {
			w.CheckRoutes() // says more, if it is that
			w.violate("not settled after %v: %s", limit, w.conditions())
			return
		}
		w.next()
	}
}

// settled tells whether the policy is Ready and all has been quiet for long enough, or
// will have been when the next thing happens: then that time passes.
func (w *World) settled() bool {
	rest := w.lastWrite.Add(quiet)
	if !w.ready() || len(w.queue) > 0 && !w.queue[0].at.After(rest) {
		return false
	}
	if w.now.Before(rest) {
		w.now = rest
	}
	return true
}

// forgetting is for how long a status remembers what it will forget by itself, such as
// the role changes of the last ten minutes.
const forgetting = 11 * time.Minute

// Rest runs on and asserts that no step is written but of reports, and once the status has
// forgotten what it forgets by itself, and reflectors that lacked sessions have been looked at
// once more, not one write at all.
func (w *World) Rest(d time.Duration) {
	steps := w.Writes - w.reportWrites()
	w.Run(forgetting)
	reports, status := w.reportWrites(), w.StatusWrites
	w.Run(d)
	if len(w.violations) > 0 {
		return
	}
	now := w.reportWrites()
	if steps, reports, status = w.Writes-now-steps, now-reports, w.StatusWrites-status; steps+reports+status > 0 {
		w.violate("%d steps, %d writes of reports and %d of status at rest, the last of %v", steps, reports, status, w.lastStatus)
	}
}

// reportWrites are the writes of CalicoNodeStatuses so far.
func (w *World) reportWrites() int {
	return w.Steps[string(rollout.CreateStatus)] + w.Steps[string(rollout.PatchStatus)] + w.Steps[string(rollout.DeleteStatus)]
}

func (w *World) tell(format string, args ...any) {
	if w.Verbose {
		w.log = append(w.log, w.now.Format("02 15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

func (w *World) violate(format string, args ...any) {
	text := w.now.Format("02 15:04:05.000 ") + fmt.Sprintf(format, args...)
	w.violations = append(w.violations, text)
	w.tell("VIOLATION %s", text)
}

// Violations are the invariants that were broken; a world stands still at the first.
func (w *World) Violations() []string { return w.violations }

// Log is what happened, where Verbose.
func (w *World) Log() string { return strings.Join(w.log, "\n") }

func (w *World) policy() *v1alpha1.RouteReflectorAutoscaler {
	policy, _ := w.store.get("RouteReflectorAutoscaler", v1alpha1.SingletonName).(*v1alpha1.RouteReflectorAutoscaler)
	return policy
}

// restart starts a controller again after its death, with an empty memory.
func (w *World) restart(name string, prepare func(*process)) {
	w.In(w.timing.Restart, func() {
		w.processes = slices.DeleteFunc(w.processes, func(p *process) bool { return p.dead })
		if w.closed {
			return
		}
		next := w.startProcess(name)
		if prepare != nil {
			prepare(next)
		}
	})
}

// each visits the objects of a kind.
func each[T client.Object](w *World, kind string, visit func(T)) {
	for _, object := range w.store.table(kind).objects {
		if typed, ok := object.(T); ok {
			visit(typed)
		}
	}
}
