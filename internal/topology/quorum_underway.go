package topology

// underWay plans with the design that the last pass looked for, while it is not the one
// that stands, or its shards are those of another; nil where there is none, or it no
// longer fits.
//
// The search alone would not stay with it: the homes that have been written are those
// of its shards, and by these another that was over the limit of sessions, or the one
// that stands, may be just below it. Nor do the labels always tell it: a design of fewer
// points, which may have far fewer sessions, takes the place of one of more that the
// cluster has outgrown. Nor do they tell whose shards it was found to fit with.
// Where nothing stands and no home is written nothing is lost by searching again.
func (q *quorumPlanner) underWay(stands []*design) *quorumResult {
	if len(stands) == 0 && !homesStand(q.request.Nodes) {
		return nil
	}
	for i := range designs() {
		d := &designs()[i]
		if d.points > q.able || d.points < q.floor() || !q.fits(d, q.plan.Nodes) {
			continue
		}
		if result := q.resume(d, stands); result != nil {
			return result
		}
	}
	return nil
}

// resume goes on with a change to the design, with its own shards or those of another of
// which there are reflectors; nil where there is none under way, or it no longer fits.
func (q *quorumPlanner) resume(d *design, stands []*design) *quorumResult {
	if (len(stands) == 0 || d != stands[0]) && q.remembers(d, nil) {
		if result := q.make(d); result.most <= q.sessions {
			return result
		}
	}
	for _, other := range stands {
		if d == other || !q.remembers(d, other) {
			continue
		}
		if result := q.where(q.make(other)).make(d); result.most <= q.sessions {
			result.suits = other
			return result
		}
	}
	return nil
}

// clockOf is the clock of a change to the design with the shards of another, if any.
func clockOf(d, suits *design) string {
	name := ClockDesign + d.name()
	if suits != nil {
		name += "/" + suits.name()
	}
	return name
}

// remembers tells whether the last pass looked for the design.
func (q *quorumPlanner) remembers(d, suits *design) bool {
	_, running := q.request.Clocks[clockOf(d, suits)]
	return running
}

// remember keeps the design for the next pass. Should it be lost, the next pass searches
// again: the rollout then may go another way, with every step proved as before.
func (q *quorumPlanner) remember(result *quorumResult) {
	clock := clockOf(result.d, result.suits)
	since, running := q.request.Clocks[clock]
	if !running || since.After(q.request.Now) {
		since = q.request.Now
	}
	q.plan.Clocks[clock] = since
}
