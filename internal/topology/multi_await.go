package topology

// awaiting is the draft with one reflector less, while one that was cordoned is expected
// back. A client of it does with one home less for so long, or has another one with those that
// stand where it needs them all. Nil: none is awaited, or the others are not enough.
func (p *multiPlanner) awaiting() *draft {
	stand, zone := ours(p.f.kept), p.request.Spec.ZoneLabel
	if !p.f.oneAway(zone) || stand < max(p.f.least(), p.k-1) || stand < len(p.f.kept) || len(p.f.candidates) == 0 {
		return nil
	}
	d := p.begin(stand)
	d.a.enough = max(p.k-1, min(p.f.least(), p.k))
	p.assign(d)
	if len(d.chosen) > 0 || d.bundled(p.want.apart) || d.over(p.sizer.sessions) > 0 || !p.f.awaits(p.plan, zone) {
		return nil
	}
	return d
}

// bundled tells whether the homes of some clients are all in one zone, though they should not be.
func (d *draft) bundled(apart bool) bool {
	for g := range d.a.groups {
		if apart && d.a.oneZone(g) {
			return true
		}
	}
	return apart && zones(d.all) == 1
}
