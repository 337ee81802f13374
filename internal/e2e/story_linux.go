package e2e

import (
	"context"
	"errors"
	"slices"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// Names of scenarios, and what is added where something happens in the middle.
const (
	toReflectors  = "mesh to 3 reflectors"
	growth        = "3 to 5 reflectors"
	shrinking     = "5 to 3 reflectors"
	toMesh        = "reflectors to mesh"
	replacement   = "replace a reflector"
	draining      = "drain a reflector"
	singleToMulti = "Single to Multi"
	multiToSingle = "Multi to Single"
	birdKilled    = "BIRD of a reflector killed"
	linkCut       = "link of a reflector cut for 15 s"
	killed        = ", controller killed in the middle"
	killedToo     = ", controller killed with it"
	late          = ", every third node 3 to 5 s late"
	unpatched     = ", controller killed between pins and role"
	restarted     = ", calico-node of the new one restarted"
	afterThat     = ", after that"
	afterThatToo  = ", after that too"
)

// planned are the transitions that somebody asks for, between three reflectors and
// three reflectors.
func (r *run) planned() []scenario {
	return []scenario{
		{name: growth, act: scale(more), want: reflectors(more), half: 5},
		{name: shrinking, act: scale(few), want: reflectors(few), half: 9},
		{name: replacement, act: onVictim(exclude(true)), want: r.without(few), half: 9, after: exclude(false)},
		{name: draining, act: onVictim(cordon(true)), want: r.without(few), half: 9, after: cordon(false)},
		{name: singleToMulti, act: topology(v1alpha1.TopologyMulti), want: r.severalIDs, half: 8},
		{name: multiToSingle, act: topology(v1alpha1.TopologySingle), want: r.oneID, half: 8},
	}
}

func (r *run) there() scenario {
	return scenario{name: toReflectors, act: topology(v1alpha1.TopologySingle), want: reflectors(few), half: 8}
}

func (r *run) back() scenario {
	return scenario{name: toMesh, act: topology(v1alpha1.TopologyMesh), want: meshOnly, half: 7}
}

// faults are what nobody plans.
func (r *run) faults() []scenario {
	return []scenario{
		{name: birdKilled, act: onVictim(killBird), want: reflectors(few), atLeast: 10 * time.Second, roleChanges: perReflector(0)},
		{
			name: linkCut, act: onVictim(cutLink), want: reflectors(few),
			atLeast: 30 * time.Second, after: mendLink,
		},
		{
			name: "power of a reflector cut", replaced: true, act: onVictim(powerOff), want: r.without(few),
			atLeast: untilForgotten, after: powerOn,
		},
	}
}

// hardships are transitions in which something goes wrong in the middle.
func (r *run) hardships() []scenario {
	slow := func(context.Context, *run) error {
		slowed := map[string]Span{}
		for i, m := range r.cluster.lan.all() {
			if i%3 == 1 {
				slowed[m.name] = Span{Min: 3 * time.Second, Max: 5 * time.Second}
			}
		}
		r.cluster.lan.delay(slowed)
		return nil
	}
	asUsual := func(context.Context, *run) error {
		r.cluster.lan.delay(nil)
		return nil
	}
	return []scenario{
		{name: growth + late, act: both(slow, scale(more)), want: reflectors(more)},
		{name: shrinking + late, act: scale(few), want: reflectors(few), after: asUsual},
		{name: growth + unpatched, act: scale(more), want: reflectors(more), onStep: afterPin(crash)},
		{name: shrinking + afterThat, act: scale(few), want: reflectors(few)},
		{name: growth + restarted, act: scale(more), want: reflectors(more), onStep: onPromoted(killBird)},
		{name: shrinking + afterThatToo, act: scale(few), want: reflectors(few)},
		{name: "four replacements in a row", act: replaceFour, want: reflectors(few)},
	}
}

func both(first, second act) act {
	return func(ctx context.Context, r *run) error {
		if err := first(ctx, r); err != nil {
			return err
		}
		return second(ctx, r)
	}
}

func atOnce(first, second act) act {
	return func(ctx context.Context, r *run) error {
		other := make(chan error, 1)
		go func() { other <- second(ctx, r) }()
		err := first(ctx, r)
		return errors.Join(err, <-other)
	}
}

// full is everything: there, all transitions and faults, and back.
func (r *run) full() []scenario {
	return slices.Concat([]scenario{r.there()}, r.planned(), r.hardships(), r.faults(), r.rolls("", reflectors(few), rollCost), []scenario{r.back()})
}

// kills are the transitions, with the controller killed in the middle of each, and
// the faults that it need not do anything about, killed at the same moment.
func (r *run) kills() []scenario {
	var all []scenario
	for _, s := range slices.Concat([]scenario{r.there()}, r.planned()) {
		all = append(all, s.killed())
	}
	for _, s := range choose(r.faults(), birdKilled, linkCut) {
		s.act = atOnce(crash, s.act)
		s.name += killedToo
		all = append(all, s)
	}
	return append(all, r.back().killed())
}

// killed is the same scenario with the controller killed half way.
func (s scenario) killed() scenario {
	s.onStep, s.killedHalfWay = atStep(s.half, crash), true
	s.name += killed
	return s
}

// short is what fits into the tests that run all the time.
func (r *run) short() []scenario {
	return choose(r.full(), toReflectors, replacement, toMesh)
}

// again is what another address family could change: pins are of one family each.
func (r *run) again(suffix string) []scenario {
	all := choose(r.full(), toReflectors, growth, shrinking, replacement, singleToMulti, multiToSingle, growth+late, shrinking+late,
		growth+unpatched, shrinking+afterThat, growth+restarted, shrinking+afterThatToo, birdKilled, toMesh)
	for i := range all {
		all[i].name += suffix
	}
	return all
}

func choose(all []scenario, names ...string) []scenario {
	return slices.DeleteFunc(all, func(s scenario) bool { return !slices.Contains(names, s.name) })
}
