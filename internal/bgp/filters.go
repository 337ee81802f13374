package bgp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
)

// chainPair are the filters of one side of a session: indexes into tables.chains.
type chainPair struct{ imports, exports int32 }

// chain are the rules of the filters of a session in one direction, in order. The
// first rule that matches decides; a route that none matches is accepted.
type chain []rule

// rule is one rule of a BGPFilter as far as it is modeled.
type rule struct {
	// community that the route must carry, as a bit; 0 for any route.
	community uint64
	// predicate is the index of the CIDR match, or nowhere.
	predicate int32
	// ebgp: 0 any session, 1 only eBGP, 2 only iBGP.
	session uint8
	// learned: only routes learned from a BGP peer.
	learned bool
	accept  bool
	add     uint64
}

const (
	anySession  = 0
	onlyEBGP    = 1
	onlyIBGP    = 2
	maxMaskBits = 63
	// unknownBlock is the bit of routes of which no address block is known: CIDR
	// rules accept them and never reject them.
	unknownBlock = uint64(1) << maxMaskBits
)

// route is what filters look at.
type route struct {
	communities uint64
	kind        uint64
	learned     bool
	ebgp        bool
}

// pass runs a route through the chain: the communities it carries afterwards, and
// whether it is let through.
func (c chain) pass(r route) (uint64, bool) {
	for i := range c {
		if c[i].matches(r) {
			return r.communities | c[i].add, c[i].accept
		}
	}
	return r.communities, true
}

func (r *rule) matches(x route) bool {
	switch {
	case r.community != 0 && x.communities&r.community == 0,
		r.session == onlyEBGP && !x.ebgp,
		r.session == onlyIBGP && x.ebgp,
		r.learned && !x.learned:
		return false
	case r.predicate == nowhere:
		return true
	case x.kind == unknownBlock:
		return r.accept
	}
	return x.kind&(1<<uint(r.predicate)) != 0
}

// predicate is a match of a rule on the destination of a route.
type predicate struct {
	prefix   netip.Prefix
	operator string
	min, max int32
}

func (p predicate) matches(block netip.Prefix) bool {
	inside := p.prefix.Bits() <= block.Bits() && p.prefix.Contains(block.Addr())
	equal := p.prefix == block
	long := int32(block.Bits())
	lengthOK := (p.min < 0 || long >= p.min) && (p.max < 0 || long <= p.max)
	switch p.operator {
	case "NotIn":
		return !inside
	case "Equal":
		return equal
	case "NotEqual":
		return !equal
	default:
		return inside && lengthOK
	}
}

// direction is one of the four rule lists of a BGPFilter.
type direction struct {
	family Family
	export bool
}

func rulesOf(f *calico.BGPFilter, d direction) []calico.BGPFilterRule {
	switch {
	case d.family == IPv4 && d.export:
		return f.Spec.ExportV4
	case d.family == IPv4:
		return f.Spec.ImportV4
	case d.export:
		return f.Spec.ExportV6
	default:
		return f.Spec.ImportV6
	}
}

// readFilters compiles the BGPFilters of a view.
func (v *view) readFilters(filters []calico.BGPFilter) {
	v.filters = make(map[string][4]chain, len(filters))
	order := make([]int, len(filters))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(filters[a].Name, filters[b].Name) })
	for _, i := range order {
		var compiled [4]chain
		for slot := range compiled {
			d := direction{Family(slot / 2), slot%2 == 1}
			for _, src := range rulesOf(&filters[i], d) {
				if r, ok := v.readRule(filters[i].Name, &src, d.family); ok {
					compiled[slot] = append(compiled[slot], r)
				}
			}
		}
		v.filters[filters[i].Name] = compiled
	}
}

// readRule tells false where the rule can match nothing that the model knows.
func (v *view) readRule(filter string, src *calico.BGPFilterRule, family Family) (rule, bool) {
	r := rule{predicate: nowhere, accept: src.Action == "Accept"}
	if src.Interface != "" || len(src.ASPathPrefix) > 0 || src.Priority != nil {
		v.notModeled(filter, "matches on interface, asPathPrefix and priority are not modeled: the rule is left out")
		return r, false
	}
	r.learned = src.Source == "RemotePeers"
	switch src.PeerType {
	case "eBGP":
		r.session = onlyEBGP
	case "iBGP":
		r.session = onlyIBGP
	}
	if src.Communities != nil && len(src.Communities.Values) > 0 {
		if r.community = v.community(src.Communities.Values[0]); r.community == 0 {
			v.notModeled(filter, "more than 63 different communities: the rule is left out")
			return r, false
		}
	}
	if src.CIDR != "" && !v.readPredicate(filter, src, family, &r) {
		return r, false
	}
	v.readOperations(filter, src, &r)
	return r, true
}

func (v *view) readOperations(filter string, src *calico.BGPFilterRule, r *rule) {
	for _, op := range src.Operations {
		if op.AddCommunity != nil {
			r.add |= v.community(op.AddCommunity.Value)
			continue
		}
		v.notModeled(filter, "operations other than addCommunity are not modeled: they change no route here")
	}
}

func (v *view) readPredicate(filter string, src *calico.BGPFilterRule, family Family, r *rule) bool {
	prefix, err := netip.ParsePrefix(src.CIDR)
	if err != nil || prefix.Addr().Is4() != (family == IPv4) {
		v.notModeled(filter, "cidr "+quote(src.CIDR)+" is no "+family.String()+" network: the rule is left out")
		return false
	}
	p := predicate{prefix: prefix.Masked(), operator: src.MatchOperator, min: -1, max: -1}
	if src.PrefixLength != nil && src.PrefixLength.Min != nil {
		p.min = *src.PrefixLength.Min
	}
	if src.PrefixLength != nil && src.PrefixLength.Max != nil {
		p.max = *src.PrefixLength.Max
	}
	t := v.tables
	at, ok := t.predicateIndex[p]
	if !ok {
		if len(t.predicates) == maxMaskBits {
			v.notModeled(filter, "more than 63 different CIDR matches: the rule is left out")
			return false
		}
		at = len(t.predicates)
		t.predicates = append(t.predicates, p)
		t.predicateIndex[p] = at
	}
	r.predicate = int32(at)
	return true
}

func (v *view) notModeled(filter, message string) {
	v.problems = append(v.problems, problem{codeFilterNotModeled, "BGPFilter/" + filter, message})
}

// community gives every community value a bit; 0 where there are too many.
func (v *view) community(value string) uint64 {
	t := v.tables
	if bit, ok := t.communities[value]; ok {
		return bit
	}
	if len(t.communities) >= maxMaskBits {
		return 0
	}
	bit := uint64(1) << len(t.communities)
	t.communities[value] = bit
	return bit
}

// readChains resolves the filters that a BGPPeer names. Calico skips a filter that
// does not exist without a word.
func (v *view) readChains(p *peer, names []string) {
	var joined [4]chain
	for _, name := range names {
		compiled, ok := v.filters[name]
		if !ok {
			v.problems = append(v.problems, problem{codeFilterMissing, "BGPPeer/" + p.name,
				"BGPFilter " + quote(name) + " does not exist: Calico goes on without it, and every route passes"})
			continue
		}
		for slot := range joined {
			joined[slot] = append(joined[slot], compiled[slot]...)
		}
	}
	for f := range p.chains {
		p.chains[f] = chainPair{v.tables.chain(joined[2*f]), v.tables.chain(joined[2*f+1])}
	}
}

func (t *tables) chain(c chain) int32 {
	if len(c) == 0 {
		return 0
	}
	var key []byte
	for _, r := range c {
		key = binary.BigEndian.AppendUint64(key, r.community)
		key = binary.BigEndian.AppendUint64(key, r.add)
		key = strconv.AppendInt(key, int64(r.predicate), 10)
		key = append(key, ' ', r.session, flag(r.learned), flag(r.accept))
	}
	if i, ok := t.chainIndex[string(key)]; ok {
		return i
	}
	i := int32(len(t.chains))
	t.chains = append(t.chains, slices.Clone(c))
	t.chainIndex[string(key)] = i
	return i
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// readRoutes finds the kinds of route that each node announces: which CIDR rules
// match its blocks. Without such rules all routes are of one kind. It needs the
// filters of all views that share the tables.
func (v *view) readRoutes(blocks map[string][]netip.Prefix, names []string) {
	if len(v.tables.predicates) == 0 {
		return
	}
	for i := range v.nodes {
		for f := range families {
			v.nodes[i].routes[f] = v.tables.kinds(blocks[names[i]], Family(f))
		}
	}
}

// kinds are the different kinds of the blocks of one family.
func (t *tables) kinds(blocks []netip.Prefix, f Family) []uint64 {
	var kinds []uint64
	for _, b := range blocks {
		if b.Addr().Is4() != (f == IPv4) {
			continue
		}
		var kind uint64
		for j, p := range t.predicates {
			if p.prefix.Addr().Is4() == b.Addr().Is4() && p.matches(b) {
				kind |= 1 << j
			}
		}
		kinds = append(kinds, kind)
	}
	if len(kinds) == 0 {
		return unknownBlocks
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

var unknownBlocks = []uint64{unknownBlock}
