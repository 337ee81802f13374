package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// long tells whether everything is to be tried, which takes an hour, not a part of it.
var long = os.Getenv("TAPETUM_FAULTS") == "long"

// seeds are those to try: one that is asked for, or so many from 1 on.
func seeds(short, many int) []uint64 {
	if seed, err := strconv.ParseUint(os.Getenv("TAPETUM_FAULT_SEED"), 10, 64); err == nil {
		return []uint64{seed}
	}
	n := short
	if long {
		n = many
	}
	out := make([]uint64, n)
	for i := range out {
		out[i] = uint64(i) + 1
	}
	return out
}

var topologies = []v1alpha1.Topology{
	v1alpha1.TopologyMesh, v1alpha1.TopologySingle, v1alpha1.TopologyMulti, v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy,
}

// transition is one way from one topology to another.
type transition struct{ from, to v1alpha1.Topology }

func (tr transition) String() string { return fmt.Sprintf("%s to %s", tr.from, tr.to) }

func transitions() []transition {
	var out []transition
	for _, from := range topologies {
		for _, to := range topologies {
			if from != to {
				out = append(out, transition{from, to})
			}
		}
	}
	return out
}

// small makes a small cluster have groups, and all topologies within reach.
func small(topology v1alpha1.Topology) v1alpha1.RouteReflectorAutoscalerSpec {
	zero, each := int32(0), int32(4)
	spec := v1alpha1.RouteReflectorAutoscalerSpec{Topology: topology, ReflectorsPerClient: 2}
	spec.Scaling.NodesPerReflector = &each
	spec.Scaling.ScaleDownStabilizationSeconds = &zero
	spec.Limits.PathsPerRoute = 60
	return spec
}

const limit = 20 * time.Minute

func begin(seed uint64) Config {
	return Config{Seed: seed, Timing: DefaultTiming(), Nodes: 12, Zones: 3}
}

var rested = struct {
	sync.Mutex
	at map[v1alpha1.Topology]*Snapshot
}{at: map[v1alpha1.Topology]*Snapshot{}}

// standing is a cluster at rest in a topology.
func standing(t testing.TB, topology v1alpha1.Topology) *Snapshot {
	t.Helper()
	rested.Lock()
	defer rested.Unlock()
	if s := rested.at[topology]; s != nil {
		return s
	}
	c := begin(1)
	c.Spec = small(topology)
	w := New(c)
	defer w.Close()
	w.Settle(limit)
	sound(t, w)
	rested.at[topology] = w.Snapshot()
	return rested.at[topology]
}

// sound fails the test where an invariant is broken, with the log.
func sound(t testing.TB, w *World) {
	t.Helper()
	w.CheckRoutes()
	if v := w.Violations(); len(v) > 0 {
		t.Fatalf("seed %d: %s\n%s", w.Seed, v[0], w.Log())
	}
}

// plague is what happens to a world from the beginning of a story on, for a time.
type plague struct {
	inject func(*World, *Request) Fault
	// disturb is called at random moments, up to pause apart.
	disturb       func(*World)
	length, pause time.Duration
}

// play runs a transition under faults to its end, and returns the world.
func (tr transition) play(t testing.TB, c Config, p plague) *World {
	t.Helper()
	c.From = standing(t, tr.from)
	w := New(c)
	// The controllers look around first; the story begins with the change.
	w.Run(5 * time.Second)
	w.Inject, w.requests, w.check.writes = p.inject, 0, 0
	w.SetTopology(tr.to)
	if p.disturb != nil {
		r := seeded(c.Seed, "disturb")
		for at := time.Duration(0); at < p.length; at += time.Duration(r.Int64N(int64(p.pause))) {
			w.In(at, func() { p.disturb(w) })
		}
	}
	w.Run(p.length)
	w.Settle(limit)
	w.Inject = nil
	w.Settle(limit)
	w.Rest(2 * time.Minute)
	w.CheckRoutes()
	w.CheckComplete()
	return w
}

// references are transitions without a fault.
var references = struct {
	sync.Mutex
	of map[transition]reference
}{of: map[transition]reference{}}

type reference struct {
	outcome          Outcome
	requests, writes int
	// status tells which writes are of status only.
	status map[int]bool
}

func (tr transition) reference(t testing.TB) reference {
	t.Helper()
	references.Lock()
	defer references.Unlock()
	if r, known := references.of[tr]; known {
		return r
	}
	// Up to the end of the transition: what comes at rest is not asked for a fault.
	status, writes := map[int]bool{}, 0
	w := tr.play(t, begin(1), plague{inject: func(_ *World, r *Request) Fault {
		if r.Writes() {
			writes = r.Write
			if r.Step == "" {
				status[r.Write] = true
			}
		}
		return None
	}})
	defer w.Close()
	if v := w.Violations(); len(v) > 0 {
		t.Fatalf("%s without any fault: %s", tr, v[0])
	}
	references.of[tr] = reference{w.Outcome(), w.requests, writes, status}
	return references.of[tr]
}

// verify plays a transition under faults and compares it with one without. It
// returns whether they ended the same in every name.
func (tr transition) verify(t testing.TB, c Config, p plague, what string) bool {
	t.Helper()
	want := tr.reference(t)
	w := tr.play(t, c, p)
	defer w.Close()
	got := w.Outcome()
	if len(w.Violations()) == 0 && !got.Same(want.outcome) {
		w.violate("ended as %+v, without the fault as %+v", got, want.outcome)
	}
	if v := w.Violations(); len(v) > 0 {
		c.Verbose = true
		again := tr.play(t, c, p)
		defer again.Close()
		t.Fatalf("%s, %s, seed %d: %s\n%s", tr, what, c.Seed, v[0], again.Log())
	}
	return got.Exact == want.outcome.Exact
}

func seeded(seed uint64, of string) *rand.Rand {
	h := uint64(14695981039346656037)
	for _, b := range []byte(of) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, h))
}
