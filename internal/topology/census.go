package topology

import (
	"maps"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// census counts, by zone, what there is to plan with.
type census struct {
	// zones with nodes, sorted.
	zones []string
	// nodes that speak BGP.
	nodes map[string]int
	// able are the nodes that are reflectors and can stay, or can become one. Those
	// that only stay while nobody replaces them are not planned with.
	able  map[string]int
	total int
}

func (f *field) census() census {
	c := census{nodes: map[string]int{}, able: map[string]int{}}
	for i := range f.request.Nodes {
		if node := &f.request.Nodes[i]; node.HasBGP() && !node.Deleting {
			c.nodes[node.Labels[f.request.Spec.ZoneLabel]]++
			c.total++
		}
	}
	for _, some := range [][]candidate{f.kept, f.candidates} {
		for _, one := range some {
			c.able[one.zone]++
			c.nodes[one.zone] += 0
		}
	}
	c.zones = slices.Sorted(maps.Keys(c.nodes))
	return c
}

// reach is the number of zones that can have reflectors, and of the nodes that can
// be one.
func (c census) reach() (zones, nodes int) {
	for _, able := range c.able {
		if able > 0 {
			zones++
			nodes += able
		}
	}
	return zones, nodes
}

// spread divides m reflectors over the zones for clients with k homes: in proportion
// to the homes that should be there, at least one a zone if there are enough, and
// nowhere so many that the homes of some clients would all be there. What a zone is
// short of goes to the others. The sum is less than m only where too few nodes are
// able.
func (c census) spread(m, k int) map[string]int {
	out := map[string]int{}
	weights := c.weights(k)
	most := m
	if zones, _ := c.reach(); zones > 1 && k > 1 {
		most = max(m*(k-1)/k, 1)
	}
	for range m {
		best, found := c.neediest(out, weights, most)
		if !found {
			best, found = c.neediest(out, weights, m)
		}
		if !found {
			break
		}
		out[best]++
	}
	return out
}

// limit is the most of m reflectors that may stand in a zone if the homes of no
// client shall all be there, as far as other zones can take the rest.
func (c census) limit(zone string, m, k int) int {
	elsewhere := 0
	for other, able := range c.able {
		if other != zone {
			elsewhere += able
		}
	}
	if k < 2 {
		return m
	}
	return m - min(m/k, elsewhere)
}

// neediest is the zone that has the fewest reflectors for its weight; first those
// that have none.
func (c census) neediest(has map[string]int, weights map[string]float64, most int) (best string, found bool) {
	need := func(zone string) float64 {
		if has[zone] == 0 {
			return float64(c.total*100+1) * (1 + weights[zone])
		}
		return weights[zone] / float64(2*has[zone]+1)
	}
	for _, zone := range c.zones {
		if has[zone] < min(c.able[zone], most) && (!found || need(zone) > need(best)) {
			best, found = zone, true
		}
	}
	return best, found
}

// weights is how many homes each zone should have: one of each of its own clients,
// one of each client of other zones shared among these, and the rest evenly.
func (c census) weights(k int) map[string]float64 {
	zones, _ := c.reach()
	served := 0
	for zone, able := range c.able {
		if able > 0 {
			served += c.nodes[zone]
		}
	}
	out := map[string]float64{}
	for _, zone := range c.zones {
		if c.able[zone] == 0 {
			continue
		}
		homes := float64(c.nodes[zone]) + float64((c.total-served)*k)/float64(zones)
		if zones > 1 && k > 1 {
			homes += float64(served-c.nodes[zone])/float64(zones-1) + float64((k-2)*served)/float64(zones)
		}
		out[zone] = homes
	}
	return out
}

// pick chooses m reflectors of a tier for clients with k homes: first who stays, then
// the new ones. Pinned nodes are among them in any case. New ones go first to the
// zones that rate highest. leaving tells why others do not stay.
func (f *field) pick(tier string, c census, m, k int, rating map[string]int) (kept, chosen []candidate, leaving map[string]string) {
	leaving = maps.Clone(f.leaving)
	target, count := c.spread(m, k), map[string]int{}
	kept = slices.Clone(f.kept)
	for _, one := range kept {
		count[one.zone]++
	}
	drop := func(at int, why string) {
		leaving[kept[at].node.Name] = why
		count[kept[at].zone]--
		kept = slices.Delete(kept, at, at+1)
	}
	shrink := func(most int, why string) {
		for len(kept) > most {
			at := leaver(kept, tier, count, target)
			if at < 0 {
				return
			}
			drop(at, why)
		}
	}
	shrink(m, "fewer route reflectors are enough")
	waiting := 0
	for _, one := range f.candidates {
		if one.pinned {
			waiting++
		}
	}
	shrink(max(m-waiting, 0), "a pinned node takes its place")
	for _, zone := range c.zones {
		for count[zone] > c.limit(zone, m, k) {
			at := leaver(kept, tier, count, map[string]int{zone: -1})
			if at < 0 || kept[at].zone != zone {
				break
			}
			drop(at, "too many route reflectors stand in its zone")
		}
	}
	served := map[string]bool{}
	short := func(zone string) int {
		short := target[zone] - count[zone]
		switch {
		case count[zone] >= c.limit(zone, m, k):
			return short - 2*c.total
		case rating[zone] > 0 && served[zone]:
			return short
		}
		return short + rating[zone]*c.total
	}
	chosen = f.recruit(m-len(kept), short, func(zone string) {
		count[zone]++
		served[zone] = true
	})
	// Nobody can replace these yet: working reflectors stay on as stopgaps.
	for _, one := range f.stopgaps {
		if len(kept)+len(chosen) < m {
			delete(leaving, one.node.Name)
			kept = append(kept, one)
		}
	}
	return kept, chosen, leaving
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
