package e2e

import (
	"context"
	"slices"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// Names of scenarios, and what is added where something happens in the middle.
const (
	toReflectors = "mesh to 3 reflectors"
	growth       = "3 to 5 reflectors"
	shrinking    = "5 to 3 reflectors"
	toMesh       = "reflectors to mesh"
	replacement  = "replace a reflector"
	birdKilled   = "BIRD of a reflector killed"
	killed       = ", controller killed in the middle"
	late         = ", every third node 3 to 5 s late"
	unpatched    = ", controller killed between pins and role"
	afterThat    = ", after that"
)

// planned are the transitions that somebody asks for, between three reflectors and
// three reflectors.
func (r *run) planned() []scenario {
	return []scenario{
		{name: growth, act: scale(more), want: reflectors(more)},
		{name: shrinking, act: scale(few), want: reflectors(few)},
		{name: replacement, act: onVictim(exclude(true)), want: r.without(few), after: exclude(false)},
		{name: "drain a reflector", act: onVictim(cordon(true)), want: r.without(few), after: cordon(false)},
		{name: "Single to Multi", act: topology(v1alpha1.TopologyMulti), want: r.severalIDs},
		{name: "Multi to Single", act: topology(v1alpha1.TopologySingle), want: r.oneID},
	}
}

func (r *run) there() scenario {
	return scenario{name: toReflectors, act: topology(v1alpha1.TopologySingle), want: reflectors(few)}
}

func (r *run) back() scenario {
	return scenario{name: toMesh, act: topology(v1alpha1.TopologyMesh), want: meshOnly}
}

// faults are what nobody plans.
func (r *run) faults() []scenario {
	return []scenario{
		{name: birdKilled, fault: true, act: onVictim(killBird), want: reflectors(few), atLeast: 10 * time.Second, roleChanges: none},
		{
			name: "link of a reflector cut for 15 s", fault: true, act: onVictim(cutLink), want: reflectors(few),
			atLeast: 30 * time.Second, after: mendLink,
		},
		{
			name: "power of a reflector cut", fault: true, replaced: true, act: onVictim(powerOff), want: r.without(few),
			atLeast: untilForgotten, after: powerOn,
		},
	}
}

// rolls take every node in turn.
func (r *run) rolls() []scenario {
	return []scenario{
		{name: "calico-node restarted on all nodes", act: rollAgents, want: reflectors(few), roleChanges: none},
		{
			name: "all nodes upgraded", act: both(stabilize(usualStabilization), rollNodes), want: reflectors(few),
			roleChanges: onceEach, after: stabilize(briefStabilization),
		},
	}
}

func none(*run) int { return 0 }

// onceEach lets every reflector's role move once: away and back, or to another node.
func onceEach(*run) int { return 2 * few }

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
		{name: growth + ", calico-node of the new one restarted", act: scale(more), want: reflectors(more), onStep: onPromoted(killBird)},
		{name: shrinking + afterThat + " too", act: scale(few), want: reflectors(few)},
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

// full is everything: there, all transitions and faults, and back; then once more
// with the controller killed in the middle of each.
func (r *run) full() []scenario {
	all := slices.Concat([]scenario{r.there()}, r.planned(), r.hardships(), r.faults(), r.rolls(), []scenario{r.back()})
	for _, s := range slices.Concat([]scenario{r.there()}, r.planned(), []scenario{r.back()}) {
		s.onStep = inTheMiddle(s.name, crash)
		s.name += killed
		all = append(all, s)
	}
	return all
}

// short is what fits into the tests that run all the time.
func (r *run) short() []scenario {
	return choose(r.full(), toReflectors, replacement, toMesh)
}

// again is what another address family could change: pins are of one family each.
func (r *run) again(suffix string) []scenario {
	all := choose(r.full(), toReflectors, growth, shrinking, replacement, growth+late, shrinking+late, growth+unpatched, shrinking+afterThat, birdKilled, toMesh)
	for i := range all {
		all[i].name += suffix
	}
	return all
}

func choose(all []scenario, names ...string) []scenario {
	return slices.DeleteFunc(all, func(s scenario) bool { return !slices.Contains(names, s.name) })
}
