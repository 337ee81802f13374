package topology

import (
	"maps"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// pick chooses m reflectors of a tier for clients with k homes: first who stays, then
// the new ones. Pinned nodes are among them in any case. New ones go first to the
// zones that rate highest. leaving tells why others do not stay.
func (f *field) pick(tier string, c census, m, k int, rating map[string]int) (kept, chosen []candidate, leaving map[string]string) {
	p := &picker{c: c, m: m, k: k, tier: tier, target: c.spread(m, k), count: map[string]int{}, rating: rating, filled: map[string]bool{}}
	p.kept, p.leaving = slices.Clone(f.kept), maps.Clone(f.leaving)
	waiting := 0
	for _, one := range p.kept {
		p.count[one.zone]++
	}
	for _, one := range f.candidates {
		if one.pinned {
			waiting++
		}
	}
	p.shrink(m, "fewer route reflectors are enough")
	p.shrink(max(m-waiting, 0), "a pinned node takes its place")
	p.unbundle()
	chosen = f.recruit(m-len(p.kept), p.short, func(zone string) {
		p.count[zone]++
		p.filled[zone] = true
	})
	// Nobody can replace these yet: working reflectors stay on as stopgaps.
	for _, one := range f.stopgaps {
		if len(p.kept)+len(chosen) < m {
			delete(p.leaving, one.node.Name)
			p.kept = append(p.kept, one)
		}
	}
	return p.kept, chosen, p.leaving
}

// picker chooses m reflectors.
type picker struct {
	c             census
	m, k          int
	tier          string
	target, count map[string]int
	rating        map[string]int
	// filled zones have got a new reflector.
	filled  map[string]bool
	kept    []candidate
	leaving map[string]string
}

func (p *picker) drop(at int, why string) {
	p.leaving[p.kept[at].node.Name] = why
	p.count[p.kept[at].zone]--
	p.kept = slices.Delete(p.kept, at, at+1)
}

func (p *picker) shrink(most int, why string) {
	for len(p.kept) > most {
		at := leaver(p.kept, p.tier, p.count, p.target)
		if at < 0 {
			return
		}
		p.drop(at, why)
	}
}

// unbundle gives up reflectors where a zone has so many that the homes of some
// clients would all be there, though other zones can have them.
func (p *picker) unbundle() {
	for _, zone := range p.c.zones {
		for p.count[zone] > p.c.limit(zone, p.m, p.k) {
			at := leaver(p.kept, p.tier, p.count, map[string]int{zone: -1})
			if at < 0 || p.kept[at].zone != zone {
				break
			}
			p.drop(at, "too many route reflectors stand in its zone")
		}
	}
}

// short is how much a zone needs a new reflector.
func (p *picker) short(zone string) int {
	short := p.target[zone] - p.count[zone]
	switch {
	case p.count[zone] >= p.c.limit(zone, p.m, p.k):
		return short - 2*p.c.total
	case p.rating[zone] > 0 && p.filled[zone]:
		return short
	}
	return short + p.rating[zone]*p.c.total
}

// leaver is the reflector to give up next: one of another tier, of a zone that has
// more than its target, the newest. Never a pinned one.
func leaver(kept []candidate, tier string, count, target map[string]int) int {
	best := -1
	for i, c := range kept {
		if !c.pinned && (best < 0 || rank(c, tier, count, target) >= rank(kept[best], tier, count, target) &&
			(rank(c, tier, count, target) > rank(kept[best], tier, count, target) || newer(c, kept[best]))) {
			best = i
		}
	}
	return best
}

func rank(c candidate, tier string, count, target map[string]int) int {
	rank := 0
	if c.node.Labels[v1alpha1.ReflectorLabel] != tier {
		rank++
	}
	if count[c.zone] > target[c.zone] {
		rank += 2
	}
	return rank
}

// newer: by age, and by name among nodes of one age.
func newer(a, b candidate) bool {
	if !a.node.Created.Equal(b.node.Created) {
		return a.node.Created.After(b.node.Created)
	}
	return a.node.Name > b.node.Name
}

// recruit picks n candidates: the pinned ones, then each from the zone that is short
// of the most; among such zones the one with the best candidate.
func (f *field) recruit(n int, short func(zone string) int, took func(zone string)) []candidate {
	var chosen []candidate
	var order []string
	queue := map[string][]candidate{}
	for _, c := range f.candidates {
		if c.pinned && len(chosen) < n {
			chosen = append(chosen, c)
			took(c.zone)
			continue
		}
		if queue[c.zone] == nil {
			order = append(order, c.zone)
		}
		queue[c.zone] = append(queue[c.zone], c)
	}
	for len(chosen) < n {
		best, found := "", false
		for _, zone := range order {
			if len(queue[zone]) > 0 && (!found || short(zone) > short(best)) {
				best, found = zone, true
			}
		}
		if !found {
			break
		}
		chosen = append(chosen, queue[best][0])
		queue[best] = queue[best][1:]
		took(best)
	}
	return chosen
}
