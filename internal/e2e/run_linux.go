package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// ErrLost says that ordinary nodes lost routes though nothing had failed: what must
// never happen did.
var ErrLost = errors.New("ordinary nodes lost routes")

// ErrChanges says that more nodes changed their role than what happened asks for.
var ErrChanges = errors.New("too many role changes")

// ErrUnseen says that a scenario had no ordinary pair to watch, or that the
// controller was not killed between two of its steps: what it was to show it did not.
var ErrUnseen = errors.New("the scenario shows nothing")

// ErrStuck says that a scenario did not come to its end in time.
var ErrStuck = errors.New("the scenario did not come to its end")

// Story names a sequence of scenarios.
type Story string

// Stories.
const (
	// StoryFull is every planned transition and what can happen in it, the usual
	// faults and rolls, with IPv4.
	StoryFull Story = "full"
	// StoryShort is what fits into the tests that run all the time, with IPv4.
	StoryShort Story = "short"
	// StoryDualStack is what the second address family could change.
	StoryDualStack Story = "dual-stack"
	// StoryIPv6 is the same on nodes that have no IPv4 address.
	StoryIPv6 Story = "ipv6"
	// StoryTopologies goes through those that a larger cluster needs, StoryRolls
	// rolls over all nodes in each of them.
	StoryTopologies Story = "topologies"
	StoryRolls      Story = "rolls"
	// StoryDeaths is reflectors that die, and how long it takes until they are
	// replaced; StoryMishaps what else goes wrong.
	StoryDeaths  Story = "deaths"
	StoryMishaps Story = "mishaps"
	// StoryKills is every transition with the controller killed in the middle.
	StoryKills Story = "kills"
)

// Stories are all that a full measurement plays, each on a cluster of its own.
func Stories() []Story {
	return []Story{StoryFull, StoryTopologies, StoryRolls, StoryDeaths, StoryMishaps, StoryKills, StoryDualStack, StoryIPv6}
}

// leastForTopologies is how many nodes those for larger clusters have at least: nine
// reflectors in three zones, as many that get the role while others lose it, and
// others that never have it.
const leastForTopologies = 21

// prepare makes the options what the story needs.
func (o *RunOptions) prepare() error {
	o.Families = []birdconf.Family{birdconf.IPv4}
	switch o.Story {
	case StoryFull, StoryShort, StoryDeaths, StoryMishaps, StoryKills:
	case StoryDualStack:
		o.Families = []birdconf.Family{birdconf.IPv4, birdconf.IPv6}
	case StoryIPv6:
		o.Families = []birdconf.Family{birdconf.IPv6}
	case StoryTopologies, StoryRolls:
		o.Nodes = max(o.Nodes, leastForTopologies)
	default:
		return fmt.Errorf("there is no story %q", o.Story)
	}
	return nil
}

// RunOptions say what to run, and where to tell.
type RunOptions struct {
	Options
	// Story is what happens.
	Story Story
	// Only runs the scenarios with these numbers, from 1; nil: all.
	Only map[int]bool
	// Timeout bounds each scenario.
	Timeout time.Duration
	Out     io.Writer
	// Jobs is how many runs there are on this machine at the same time.
	Jobs int
	// Progress is told after each scenario what has been measured so far; nil:
	// nobody is.
	Progress func(Report)
}

// run is one that is under way.
type run struct {
	options RunOptions
	cluster *cluster
	begun   time.Time
	victim  string     // the node that the scenario is about
	rng     *rand.Rand // what is left to chance
	// killed is when the controller was, in this scenario; nil: it was not.
	killed atomic.Pointer[time.Time]

	saying sync.Mutex
}

// Run boots a cluster, plays all scenarios and returns what was measured, as far as
// it got. The error wraps ErrLost and ErrChanges where there were results that must
// not be, after all scenarios.
func Run(ctx context.Context, o RunOptions) (*Report, error) {
	if err := o.prepare(); err != nil {
		return &Report{}, err
	}
	r := &run{options: o, begun: time.Now(), rng: rand.New(rand.NewPCG(o.Seed, 0))} //nolint:gosec // repeatable
	report := &Report{Environment: describe(&o)}
	var err error
	if r.cluster, err = startCluster(ctx, o.Options, func(text string) { r.say("%s", text) }); err != nil {
		return report, err
	}
	report.Environment.RealTime = r.cluster.lan.monitor.realTime
	err = r.play(ctx, report)
	return report, errors.Join(err, r.cluster.stop())
}

func (r *run) say(format string, args ...any) {
	r.saying.Lock()
	defer r.saying.Unlock()
	_, _ = fmt.Fprintf(r.options.Out, "%-10s %7.1fs  %s\n", r.options.Story, time.Since(r.begun).Seconds(), fmt.Sprintf(format, args...)) // for people to read
}

// Scenarios returns the names of all that Run would play, in order.
func Scenarios(o RunOptions) []string {
	var names []string
	if o.prepare() != nil {
		return nil
	}
	for _, s := range (&run{options: o}).chosen() {
		names = append(names, s.name)
	}
	return names
}

func (r *run) chosen() []scenario {
	switch r.options.Story {
	case StoryShort:
		return r.short()
	case StoryDualStack:
		return r.again(", dual stack")
	case StoryIPv6:
		return r.again(", IPv6 only")
	case StoryTopologies:
		return r.topologies()
	case StoryRolls:
		return r.upgrades()
	case StoryDeaths:
		return r.deaths()
	case StoryMishaps:
		return r.mishaps()
	case StoryKills:
		return r.kills()
	default:
		return r.full()
	}
}

func (r *run) play(ctx context.Context, report *Report) error {
	if err := r.cluster.startController(); err != nil {
		return err
	}
	story := r.chosen()
	var bad []error
	for i := range story {
		if r.options.Only != nil && !r.options.Only[i+1] {
			continue
		}
		s := &story[i]
		r.say("%d of %d: %s", i+1, len(story), s.name)
		result, err := r.one(ctx, s)
		report.Results = append(report.Results, result)
		if r.options.Progress != nil {
			r.options.Progress(Report{Environment: report.Environment, Results: slices.Clone(report.Results)})
		}
		if err == nil {
			bad = append(bad, s.faults(&result))
			err = r.putBack(ctx, s)
		}
		if err != nil {
			return errors.Join(append(bad, err)...)
		}
	}
	return errors.Join(bad...)
}

// faults are what a result must not be.
func (s *scenario) faults(x *Result) error {
	var errs []error
	if x.LostOrdinaryPairs > 0 {
		errs = append(errs, fmt.Errorf("%w: %d pairs in %q", ErrLost, x.LostOrdinaryPairs, x.Name))
	}
	if x.MostRoleChanges != nil && x.RoleChanges > *x.MostRoleChanges {
		errs = append(errs, fmt.Errorf("%w: %d in %q, at most %d", ErrChanges, x.RoleChanges, x.Name, *x.MostRoleChanges))
	}
	if x.OrdinaryPairs == 0 {
		errs = append(errs, fmt.Errorf("%w: no pair of %q is ordinary", ErrUnseen, x.Name))
	}
	if s.killedHalfWay && (x.StepsBeforeKill == 0 || x.StepsBeforeKill == x.Steps) {
		errs = append(errs, fmt.Errorf("%w: the controller was killed after %d of the %d steps of %q", ErrUnseen, x.StepsBeforeKill, x.Steps, x.Name))
	}
	return errors.Join(errs...)
}

// one plays a scenario to its end.
func (r *run) one(ctx context.Context, s *scenario) (Result, error) {
	r.cluster.forgetChanges()
	r.killed.Store(nil)
	if _, err := r.cluster.controller.steps(); err != nil {
		return Result{Name: s.name}, err
	}
	before, err := r.cluster.look(ctx)
	if err != nil {
		return Result{Name: s.name}, err
	}
	w := &watch{run: r, scenario: s, begun: time.Now(), stepped: s.onStep == nil}
	acted := make(chan error, 1)
	acting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { acted <- s.act(acting, r) }()
	err = w.follow(ctx, acted)
	result := w.sum()
	if s.roleChanges != nil {
		most := s.roleChanges(before)
		result.MostRoleChanges = &most
	}
	if err != nil {
		return result, fmt.Errorf("%s: %w", s.name, err)
	}
	r.say("      done: %d of %d ordinary pairs lost, %d of changing nodes, %d of failed ones, longest %.2f s; %d replacements up to %s; role changes %s; steps %s",
		result.LostOrdinaryPairs, result.OrdinaryPairs, result.LostChangingPairs, result.LostFailedPairs, result.LongestSeconds,
		result.Replaced, result.LongestReplaced.Round(10*time.Microsecond), result.roleChanges(), result.steps())
	return result, nil
}

// putBack does what a scenario wants done afterwards, unmeasured, and waits until all
// is at rest.
func (r *run) putBack(ctx context.Context, s *scenario) error {
	if s.after == nil {
		return nil
	}
	acted := make(chan error, 1)
	acted <- s.after(ctx, r)
	calm := &watch{run: r, scenario: &scenario{want: func(*view) string { return "" }}, begun: time.Now(), stepped: true}
	if err := calm.follow(ctx, acted); err != nil {
		return fmt.Errorf("after %s: %w", s.name, err)
	}
	return nil
}
