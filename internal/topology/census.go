package topology

import (
	"maps"
	"slices"
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
