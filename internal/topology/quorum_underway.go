package topology

// underWay plans with the design that the last pass looked for, while it is not the one
// that stands; nil where there is none, or it no longer fits.
//
// The search alone would not stay with it: the homes that have been written are those
// of its shards, and by these another that was over the limit of sessions, or the one
// that stands, may be just below it. Nor do the labels always tell it: a design of fewer points, which may have
// far fewer sessions, takes the place of one of more that the cluster has outgrown.
// Before anything has been written nothing is lost by searching again.
func (q *quorumPlanner) underWay(stands *design) *quorumResult {
	if stands == nil && !homesStand(q.request.Nodes) {
		return nil
	}
	for i := range designs() {
		d := &designs()[i]
		_, running := q.request.Clocks[ClockDesign+d.name()]
		if !running || d == stands || d.points > q.able || d.points < q.floor() || !q.fits(d, q.plan.Nodes) {
			continue
		}
		if result := q.make(d); result.most <= q.sessions {
			return result
		}
	}
	return nil
}

// remember keeps the design for the next pass. Should it be lost, the next pass searches
// again: the rollout then may go another way, with every step proved as before.
func (q *quorumPlanner) remember(d *design) {
	clock := ClockDesign + d.name()
	since, running := q.request.Clocks[clock]
	if !running || since.After(q.request.Now) {
		since = q.request.Now
	}
	q.plan.Clocks[clock] = since
}
