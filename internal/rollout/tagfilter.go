package rollout

import (
	"reflect"
	"slices"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

func filterObject(name string) string { return "BGPFilter/" + name }

// filter is the tag filter as it stands; nil: none.
func (s *state) filter() *calico.BGPFilter {
	i := slices.IndexFunc(s.in.Filters, func(f calico.BGPFilter) bool { return f.Name == render.FilterName })
	if i < 0 {
		return nil
	}
	return &s.in.Filters[i]
}

// named tells whether a BGPPeer names the tag filter.
func named(peer *calico.BGPPeer) bool { return slices.Contains(peer.Spec.Filters, render.FilterName) }

// filterNamed: some peering of ours names the tag filter.
func (s *state) filterNamed() bool { return slices.ContainsFunc(s.standing.All(), named) }

// tagFilter makes sure of the filter before anything names it, and whenever
// something does: Calico skips a filter that is missing without a word, and the
// paths of every route multiply.
func (s *state) tagFilter() *verdict {
	inUse := s.filterNamed()
	if !s.plan.TagFilter && !inUse {
		return nil
	}
	want := render.Filter()
	standing := s.filter()
	switch {
	case standing == nil:
		return s.add(&Step{
			Action: CreateFilter, Object: filterObject(want.Name), Filter: want, Repair: inUse,
			Why: "it keeps a route from passing twice through the mesh of the route reflectors, and must be there before a peering names it",
		})
	case !calico.ManagedByUs(standing):
		return waitFor(ReasonForeignFilter,
			"BGPFilter %s is not Tapetum's (no label app.kubernetes.io/managed-by=tapetum): give it another name, or delete it", want.Name).needsPerson()
	case !reflect.DeepEqual(standing.Spec, want.Spec):
		mended := standing.DeepCopy()
		mended.Spec = want.Spec
		return s.add(&Step{
			Action: PatchFilter, Object: filterObject(want.Name), Filter: mended, Repair: true,
			Why: "somebody edited what keeps a route from passing twice through the mesh of the route reflectors",
		})
	}
	return nil
}

// carries tells whether a peering among reflectors that is created now names the
// tag filter: as the plan says, and on the way out of Multi as the others do, so
// that two peerings which cover the same pair are alike.
func (s *state) carries() bool {
	if s.plan.TagFilter {
		return true
	}
	return s.hasTier(topology.TierMulti) && s.standing.Mesh != nil && named(s.standing.Mesh)
}

// reflectorPeerings are the standing peerings that carry the tag filter where there
// is one.
func (s *state) reflectorPeerings() []*calico.BGPPeer {
	var out []*calico.BGPPeer
	if s.standing.Mesh != nil {
		out = append(out, s.standing.Mesh)
	}
	for _, pin := range s.standing.Pins {
		out = append(out, pin.Peer)
	}
	return out
}

// carryFilter puts the tag filter on the live peerings of the reflectors. BIRD then
// only sends its routes anew, no session restarts.
func (s *state) carryFilter() *verdict {
	if !s.plan.TagFilter {
		return nil
	}
	for _, peer := range s.reflectorPeerings() {
		if named(peer) {
			continue
		}
		filtered := peer.DeepCopy()
		filtered.Spec.Filters = append(filtered.Spec.Filters, render.FilterName)
		return s.add(&Step{
			Action: PatchPeer, Object: peerObject(peer.Name), Peer: filtered, Repair: s.undone(peerObject(peer.Name)),
			Why: "with a cluster ID of its own on each reflector, paths would multiply without the tag filter",
		})
	}
	return nil
}

// dropFilter takes the tag filter away once no reflector has an ID of its own.
func (s *state) dropFilter() *verdict {
	if s.plan.TagFilter || s.hasTier(topology.TierMulti) || s.brake != "" {
		return nil
	}
	for _, peer := range s.reflectorPeerings() {
		if !named(peer) {
			continue
		}
		plain := peer.DeepCopy()
		plain.Spec.Filters = slices.DeleteFunc(plain.Spec.Filters, func(name string) bool { return name == render.FilterName })
		if len(plain.Spec.Filters) == 0 {
			plain.Spec.Filters = nil
		}
		return s.add(&Step{
			Action: PatchPeer, Object: peerObject(peer.Name), Peer: plain, Subtractive: true,
			Why: "no route reflector has a cluster ID of its own any more: the tag filter has nothing to do",
		})
	}
	if standing := s.filter(); standing != nil && calico.ManagedByUs(standing) && !s.filterNamed() {
		step := &Step{
			Action: DeleteFilter, Object: filterObject(standing.Name), Filter: standing, Subtractive: true,
			Why: "no peering names it any more",
		}
		return s.add(step)
	}
	return nil
}
