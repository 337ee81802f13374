package faults

import (
	"slices"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// chapter is a part of a story that begins and ends at rest.
type chapter struct {
	name string
	do   func(*World)
}

// chapters are a life: up to seven nodes, up to four reflectors.
var chapters = []chapter{
	{"mesh to single", func(w *World) { w.SetTopology(v1alpha1.TopologySingle) }},
	{"scale up", func(w *World) { w.SetSpec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Min = 4 }) }},
	{"replace", func(w *World) { w.Cordon(w.Reflectors()[0], true) }},
	{"scale down", func(w *World) { w.SetSpec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.Min = 3 }) }},
	{"back to the mesh", func(w *World) { w.SetTopology(v1alpha1.TopologyMesh) }},
}

// placed is a fault at one request.
type placed struct {
	number int
	fault  Fault
}

// explorer tries all placements of faults. A world cannot be copied, so each run
// plays a chapter again; it ends where it comes to a state that another run has been
// in with as many faults left.
type explorer struct {
	t       testing.TB
	from    *Snapshot
	chapter chapter
	want    Outcome
	faults  int
	seen    map[uint64]visit
	runs    int
	merged  int
}

// visit is which run came to a state first, and with how many faults left.
type visit struct{ run, left int }

// choices are the faults that differ at a request. Reads of one pass that fail alike
// leave the same state behind, so one read of a pass stands for all.
func choices(r *Request, first bool) []Fault {
	switch {
	case r.Writes():
		return slices.Concat(WriteFaults, CacheFaults)
	case first:
		return ReadFaults
	}
	return nil
}

// explore runs with some faults placed, and then with one more at each place after
// the last one that leads anywhere new.
func (e *explorer) explore(done []placed) {
	e.runs++
	run := e.runs
	var next []placed
	left := e.faults - len(done)
	merged := false
	c := Config{Seed: 1, Timing: FixedTiming(), From: e.from}
	pass := -1
	inject := func(w *World, r *Request) Fault {
		for _, p := range done {
			if p.number == r.Number {
				pass = w.Passes
				return p.fault
			}
		}
		if len(done) > 0 && r.Number < done[len(done)-1].number || r.Kind == "Lease" {
			return None // one that cannot be read says nothing: TestSilentDeath has it
		}
		first := w.Passes != pass
		pass = w.Passes
		of := choices(r, first)
		if len(of) == 0 || merged {
			return None
		}
		digest := w.digest(r)
		known, ok := e.seen[digest]
		switch {
		case ok && known.run == run:
			return None // it waits, and all of this has been noted
		case ok && known.left >= left:
			merged = true
			return None
		}
		e.seen[digest] = visit{run, left}
		if left > 0 {
			for _, fault := range of {
				next = append(next, placed{r.Number, fault})
			}
		}
		return None
	}
	w := New(c)
	w.Run(5 * time.Second)
	w.Inject, w.requests, w.check.writes = inject, 0, 0
	e.chapter.do(w)
	e.finish(w, &merged)
	if v := w.Violations(); len(v) > 0 {
		e.t.Fatalf("%s with %v: %s", e.chapter.name, done, v[0])
	}
	if merged {
		e.merged++
	}
	w.Close()
	for _, p := range next {
		e.explore(append(done[:len(done):len(done)], p))
	}
}

// finish runs to the end, or to where another run goes on.
func (e *explorer) finish(w *World, merged *bool) {
	end := w.Now().Add(limit)
	for !*merged && len(w.violations) == 0 && !w.settled() {
		if w.now.After(end) {
			w.violate("not settled: %s", w.conditions())
			return
		}
		w.next()
	}
	w.CheckRoutes()
	if *merged || len(w.violations) > 0 {
		return
	}
	w.Inject = nil
	w.Rest(time.Minute)
	w.CheckRoutes()
	w.CheckComplete()
	if got := w.Outcome(); len(w.violations) == 0 && !got.Same(e.want) {
		w.violate("ended as %+v, without a fault as %+v", got, e.want)
	}
}

// TestEveryFault plays a small life and places a fault of each kind at each request
// to the API server: one, or two in the long version.
func TestEveryFault(t *testing.T) {
	nodes, faults := 6, 1
	if long {
		nodes, faults = 7, 2
	}
	zero := int32(0)
	spec := v1alpha1.RouteReflectorAutoscalerSpec{Topology: v1alpha1.TopologyMesh}
	spec.Scaling.ScaleDownStabilizationSeconds = &zero
	w := New(Config{Seed: 1, Timing: FixedTiming(), Nodes: nodes, Zones: 3, Spec: spec})
	w.Settle(limit)
	from := w.Snapshot()
	w.Close()
	for _, c := range chapters {
		w := New(Config{Seed: 1, Timing: FixedTiming(), From: from})
		w.Run(5 * time.Second)
		c.do(w)
		w.Settle(limit)
		w.Rest(time.Minute)
		sound(t, w)
		want, start := w.Outcome(), from
		from = w.Snapshot()
		w.Close()
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := &explorer{t: t, from: start, chapter: c, want: want, faults: faults, seen: map[uint64]visit{}}
			e.explore(nil)
			t.Logf("%d nodes, up to %d faults: %d runs, %d of which came to a state known already, %d states; tiers %v",
				nodes, faults, e.runs, e.merged, len(e.seen), want.Tiers)
		})
	}
}
