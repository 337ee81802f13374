package faults

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// Soak is a long life of a large cluster: an autoscaler of nodes that follows the
// hours of the day, and faults now and then.
type Soak struct {
	Seed  uint64
	Nodes int
	Spec  v1alpha1.RouteReflectorAutoscalerSpec
	// For is how long it may take, by the clock Wall; Until how much time it aims to
	// simulate.
	For, Until time.Duration
	Wall       func() time.Time
	Out        io.Writer
	// MostSteps and MostStatus bound how many steps, and writes of status, there may be an
	// hour, on each day; 0: those of a large cluster.
	MostSteps, MostStatus int

	w    *World
	rng  *rand.Rand
	acts map[string]int
	// held is since when steps have been held; zero: they are not.
	held time.Time
	days []measure
}

// measure is what a process is made of.
type measure struct {
	goroutines int
	heap       uint64
}

func takeMeasure() measure {
	runtime.GC()
	runtime.GC() // what finalizers have let go
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return measure{runtime.NumGoroutine(), stats.HeapAlloc}
}

func (m measure) String() string {
	return fmt.Sprintf("%d goroutines, heap %.1f MB", m.goroutines, float64(m.heap)/1e6)
}

// What a soak may grow by after its first day.
const (
	moreGoroutines = 2
	moreHeap       = 64 << 20
)

// What it may cost, so that something which goes round in circles is found: steps within
// scaleEvery, which is less than a loop takes and more than any change of topology; and
// steps and writes of status an hour, on each day.
const (
	mostStepsAtOnce  = 300
	mostStepsAnHour  = 20
	mostStatusAnHour = 120
	// mostHeld is for how long a step may be held because it is not proved: some faults end.
	mostHeld = 3 * time.Hour
)

// rates are how often acts happen, by what is usual in large clusters; each is drawn
// once in that time on average.
var rates = []struct {
	act   string
	every time.Duration
}{
	{"power off", 2 * time.Hour}, {"power on", 90 * time.Minute}, {"reflector dies", 18 * time.Hour}, {"reflector deleted", 30 * time.Hour},
	{"kubelet flaps", time.Hour}, {"cordon", 2 * time.Hour}, {"uncordon", 5 * time.Hour}, {"role erased", 36 * time.Hour},
	{"home erased", 24 * time.Hour}, {"object edited", 12 * time.Hour},
	{"peer edited", 48 * time.Hour}, {"peer deleted", 72 * time.Hour}, {"crash", 6 * time.Hour}, {"watch", time.Hour},
	{"storm", 8 * time.Hour},
}

// firstNodes is with how many nodes a soak begins.
const firstNodes = 120

// trustAgain is after what time a status forgets which reflectors were unreliable.
const trustAgain = 75 * time.Minute

// scaleEvery is how often the autoscaler acts.
const scaleEvery = 10 * time.Minute

// Run plays, tells each day, and returns what is wrong in the end, nil for nothing.
func (s *Soak) Run() []string {
	began := s.Wall()
	s.rng = rand.New(rand.NewPCG(s.Seed, 0x736f616b)) //nolint:gosec // a simulation wants a seed
	s.acts = map[string]int{}
	start := takeMeasure()
	// It begins small: a mesh of a thousand nodes has half a million sessions.
	s.w = New(Config{
		Seed: s.Seed, Timing: DefaultTiming(), Nodes: min(s.Nodes, firstNodes), Zones: 3, Spec: s.Spec,
		MaxNodes: s.Nodes * 12 / 10, ProveEach: 50, Inject: s.inject,
	})
	defer s.w.Close()
	s.print("at the start: %v", start)
	s.w.Settle(12 * time.Hour)
	for len(s.w.NodeNames()) < s.Nodes && len(s.w.violations) == 0 {
		for range min(50, s.Nodes-len(s.w.NodeNames())) {
			s.w.Join()
		}
		s.w.Run(2 * time.Minute)
	}
	s.w.Settle(12 * time.Hour)
	s.print("%d nodes on %s after %v and %d steps; seed %d", s.Nodes, s.w.policy().Status.Topology, s.age(), s.w.Writes, s.Seed)
	s.live(began)
	s.w.Heal()
	s.w.Settle(12 * time.Hour)
	s.w.Run(trustAgain)
	s.w.Rest(time.Hour)
	s.w.CheckRoutes()
	s.w.CheckComplete()
	end := takeMeasure()
	s.report(began, start, end)
	return append(s.w.Violations(), s.leaks(end)...)
}

func (s *Soak) age() time.Duration { return s.w.now.Sub(epoch).Round(time.Second) }

// live plays until one of the two times is over.
func (s *Soak) live(began time.Time) {
	day := s.w.now.Add(24 * time.Hour)
	before := s.written()
	for s.age() < s.Until && s.Wall().Sub(began) < s.For && len(s.w.violations) == 0 {
		s.autoscale()
		for _, rate := range rates {
			if s.rng.Float64() < float64(scaleEvery)/float64(rate.every) {
				s.happen(rate.act)
			}
		}
		steps := s.w.Writes
		s.w.Run(scaleEvery)
		s.w.closeAccount()
		s.w.CheckRoutes()
		s.stuck()
		if n := s.w.Writes - steps; n > mostStepsAtOnce {
			s.w.violate("%d steps within %v, at most %d are expected: by action %v", n, scaleEvery, mostStepsAtOnce, s.w.Steps)
		}
		if !s.w.now.Before(day) {
			day = day.Add(24 * time.Hour)
			now := s.written()
			s.bound(before, now)
			before = now
			s.days = append(s.days, takeMeasure())
			s.print("day %d: %d nodes, %d passes, %d steps, %v; %v; %v by the clock", len(s.days), len(s.w.NodeNames()),
				s.w.Passes, s.w.Writes, s.days[len(s.days)-1], s.lost(), s.Wall().Sub(began).Round(time.Second))
		}
	}
}

// stuck tells where the rollout has waited for too long for a proof that does not come.
func (s *Soak) stuck() {
	if !strings.Contains(s.w.policy().Status.NextStep, rollout.ReasonNotProved) {
		s.held = time.Time{}
		return
	}
	if s.held.IsZero() {
		s.held = s.w.now
	}
	if d := s.w.now.Sub(s.held); d > mostHeld {
		s.w.violate("nothing has been proved for %v: %s", d, s.w.conditions())
	}
}

// writes are how many steps and how many times a status have been written.
type writes struct{ steps, status int }

func (s *Soak) written() writes { return writes{s.w.Writes, s.w.StatusWrites} }

// bound tells where more was written than may be in a day.
func (s *Soak) bound(before, now writes) {
	const hours = 24
	steps, status := cmp.Or(s.MostSteps, mostStepsAnHour), cmp.Or(s.MostStatus, mostStatusAnHour)
	if n := now.steps - before.steps; n > steps*hours {
		s.w.violate("%d steps in %d hours, at most %d an hour are expected: by action %v", n, hours, steps, s.w.Steps)
	}
	if n := now.status - before.status; n > status*hours {
		s.w.violate("the status was written %d times in %d hours, at most %d an hour are expected", n, hours, status)
	}
}

// happen does an act at some moment of the time that comes.
func (s *Soak) happen(name string) {
	at := time.Duration(s.rng.Int64N(int64(scaleEvery)))
	r := rand.New(rand.NewPCG(s.Seed, s.rng.Uint64())) //nolint:gosec // a simulation wants a seed
	s.w.In(at, func() {
		for _, act := range Acts {
			if act.Name == name && s.w.Do(act, r) != "" {
				s.acts[name]++
			}
		}
		if name == "storm" {
			s.acts[name]++
			s.w.stormUntil = s.w.now.Add(5 * time.Minute)
		}
	})
}

// inject lets a request in twenty fail while a storm is on.
func (s *Soak) inject(w *World, r *Request) Fault {
	if !w.now.Before(w.stormUntil) || s.rng.IntN(20) > 0 {
		return None
	}
	if r.Writes() {
		return pick(WriteFaults, s.rng)
	}
	return pick(ReadFaults, s.rng)
}

// autoscale moves the number of nodes towards what the hour asks for, a few at a time.
func (s *Soak) autoscale() {
	hour := float64(s.w.now.Unix()%86400) / 3600
	swing := 0.08 * math.Sin((hour-9)/24*2*math.Pi)
	want := int(float64(s.Nodes)*(1+swing)) + s.rng.IntN(9) - 4
	have := len(s.w.NodeNames())
	step := 1 + s.rng.IntN(8)
	switch {
	case have < want:
		for range min(step, want-have) {
			s.w.Join()
		}
		s.acts["join"] += min(step, want-have)
	case have > want:
		gone := min(step, have-want)
		ordinary := s.w.ordinary()
		s.rng.Shuffle(len(ordinary), func(i, j int) { ordinary[i], ordinary[j] = ordinary[j], ordinary[i] })
		for _, name := range ordinary[:min(gone, len(ordinary))] {
			s.w.Leave(name)
		}
		s.acts["leave"] += gone
	}
}

func (s *Soak) lost() string {
	lost := s.w.Lost()
	return fmt.Sprintf("route-seconds lost: %.1f ordinary, %.1f changing, %.1f by hands", lost.Ordinary.RouteTime.Seconds(),
		lost.Changing.RouteTime.Seconds(), s.w.check.byHand.RouteTime.Seconds())
}

func (s *Soak) report(began time.Time, start, end measure) {
	w := s.w
	wall := s.Wall().Sub(began)
	hours := s.age().Hours()
	s.print("simulated %.1f days in %v (%.0f times as fast)", hours/24, wall.Round(time.Second), s.age().Seconds()/wall.Seconds())
	if s.age() < s.Until {
		s.print("the aim of %.1f days was not reached", s.Until.Hours()/24)
	}
	s.print("%d nodes, %d reflectors, %s", len(w.NodeNames()), len(w.Reflectors()), w.policy().Status.Topology)
	s.print("passes: %d, requests: %d", w.Passes, w.requests)
	s.print("writes an hour: %.1f steps, %.1f of status", float64(w.Writes)/hours, float64(w.StatusWrites)/hours)
	s.print("steps: %d, role changes: %d, by action %v", w.Writes, w.Steps["SetRole"]+w.Steps["ClearRole"], w.Steps)
	s.print("what happened: %v", s.acts)
	s.print("%s", s.lost())
	s.print("start: %v; end: %v", start, end)
}

// leaks tells what has grown since the first day.
func (s *Soak) leaks(end measure) []string {
	if len(s.days) == 0 {
		return nil
	}
	var out []string
	if first := s.days[0]; end.goroutines > first.goroutines+moreGoroutines {
		out = append(out, fmt.Sprintf("goroutines grew from %d to %d", first.goroutines, end.goroutines))
	}
	if first := s.days[0]; end.heap > first.heap+first.heap/2+moreHeap {
		out = append(out, fmt.Sprintf("the heap grew from %.1f MB to %.1f MB", float64(first.heap)/1e6, float64(end.heap)/1e6))
	}
	return out
}

func (s *Soak) print(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Out, format+"\n", args...) // nothing else could be told either
}
