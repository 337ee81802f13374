package topology

// filtered sees to the tag filter: who can carry it, and where it cannot be had, how
// many reflectors there may be at most without it.
func filtered(request Request, f *field, plan *Plan) (most int, ok bool) {
	most = int(request.Spec.Scaling.Max)
	if request.TagFilter.Cluster {
		plan.TagFilter = true
		f.only(func(node string) string {
			if request.TagFilter.On(node) {
				return ""
			}
			return "runs a calico-node that cannot do the tag filter, which v3.32 and newer can"
		})
		if !f.empty() {
			return most, true
		}
		plan.problem(ReasonTagFilterUnavailable, "no node can be a route reflector that carries the tag filter: %s", plan.Describe())
		return 0, false
	}
	why := orUnknown(request.TagFilter.Why)
	least, k := int(request.Spec.Scaling.Min), int(request.Spec.ReflectorsPerClient)
	need, fits := smallest(plan.Nodes, k, int(request.Spec.Limits.SessionsPerReflector), max(least, k), most)
	if !fits || need > unfilteredIDs {
		plan.problem(ReasonTagFilterUnavailable,
			"topology Multi needs %d route reflectors for %d nodes, and more than %d only with the tag filter, which this cluster cannot have: %s; the reflectors stay as they are",
			need, plan.Nodes, unfilteredIDs, why)
		return 0, false
	}
	if paths := unfilteredPaths(k, unfilteredIDs); paths > int(request.Spec.Limits.PathsPerRoute) {
		plan.problem(ReasonTagFilterUnavailable,
			"topology Multi without the tag filter gives a client up to %d paths a route, limits.pathsPerRoute allows %d, and this cluster cannot have the filter: %s; the reflectors stay as they are",
			paths, request.Spec.Limits.PathsPerRoute, why)
		return 0, false
	}
	if wish := Count(request.Spec.Scaling, plan.Nodes); wish > unfilteredIDs {
		plan.problem(ReasonTagFilterUnavailable,
			"%d of %d route reflectors: more need the tag filter, which this cluster cannot have: %s", unfilteredIDs, wish, why)
	}
	return min(most, unfilteredIDs), true
}

// unfilteredPaths is the most paths a route that a client has with k of m reflectors
// of distinct IDs, all joined and nothing filtered: each home of the one end with
// each of the other over every way through the mesh that passes no reflector twice.
func unfilteredPaths(k, m int) int {
	k = min(k, m)
	ways, way := 0, 1
	for j := range max(m-1, 0) {
		ways += way
		way *= m - 2 - j
	}
	shared := max(0, 2*k-m)
	return shared + (k*k-shared)*ways
}
