package fabric

import (
	"fmt"
	"net/netip"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
)

// tags is a set of communities, by index.
type tags uint64

// maxTags is how many communities are told apart. Further ones share the last
// bit.
const maxTags = 64

// rule is one rule of a BGPFilter that can match at all on its session.
type rule struct {
	learned bool // matches only routes that were learned by BGP
	needs   tags // a community that the route must carry, 0 for none
	adds    tags
	accept  bool
}

// ruleset is what the filters of one protocol do to the routes of one family.
// Equal ones are one pointer; nil lets everything pass.
type ruleset struct{ imports, exports []rule }

// apply runs a route through rules: the first that matches decides, and what no
// rule matches passes, as Calico lets all that its blocks originate pass.
func apply(rules []rule, carried tags, learned bool) (tags, bool) {
	for i := range rules {
		r := &rules[i]
		if r.learned && !learned || carried&r.needs != r.needs {
			continue
		}
		return carried | r.adds, r.accept
	}
	return carried, true
}

func (r *ruleset) export(carried tags, learned bool) (tags, bool) {
	if r == nil {
		return carried, true
	}
	return apply(r.exports, carried, learned)
}

func (r *ruleset) imported(carried tags) (tags, bool) {
	if r == nil {
		return carried, true
	}
	return apply(r.imports, carried, true)
}

// rulesKey says of what a ruleset is made within one version.
type rulesKey struct {
	spec   *calico.BGPPeerSpec
	family int
	inside bool // both ends have one AS number
	old    bool // this calico-node does not know communities
}

// rulesOf returns what the filters that a BGPPeer names do on a session. A
// filter that does not exist is skipped without a word, as Calico does.
func (f *Fabric) rulesOf(v *version, k rulesKey) *ruleset {
	if len(k.spec.Filters) == 0 {
		return nil
	}
	if known, ok := v.rules[k]; ok {
		return known
	}
	var r ruleset
	for _, name := range k.spec.Filters {
		spec := v.filters[name]
		if spec == nil {
			continue
		}
		imports, exports := spec.ImportV4, spec.ExportV4
		if k.family == v6 {
			imports, exports = spec.ImportV6, spec.ExportV6
		}
		r.imports = f.appendRules(r.imports, imports, k)
		r.exports = f.appendRules(r.exports, exports, k)
	}
	v.rules[k] = f.internRules(r)
	return v.rules[k]
}

func (f *Fabric) internRules(r ruleset) *ruleset {
	if len(r.imports) == 0 && len(r.exports) == 0 {
		return nil
	}
	text := fmt.Sprint(r.imports, r.exports)
	known, ok := f.rulesets[text]
	if !ok {
		known = &r
		f.rulesets[text] = known
	}
	return known
}

func (f *Fabric) appendRules(out []rule, in []calico.BGPFilterRule, k rulesKey) []rule {
	for i := range in {
		if r, ok := f.readRule(in[i], k); ok {
			out = append(out, r)
		}
	}
	return out
}

// readRule returns a rule; false where it can match no route of the model.
func (f *Fabric) readRule(in calico.BGPFilterRule, k rulesKey) (rule, bool) {
	if k.old {
		// What came with v3.32 is not in the older calico-node's types: it drops the
		// fields and renders what is left of the rule.
		in.Communities, in.ASPathPrefix, in.Priority, in.Operations = nil, nil, nil, nil
	}
	if in.PeerType != "" && (in.PeerType == "iBGP") != k.inside {
		return rule{}, false
	}
	// Routes of the model have no interface, priority or AS path.
	if in.Interface != "" || in.Priority != nil || len(in.ASPathPrefix) > 0 || !matchesBlock(&in, k.family) {
		return rule{}, false
	}
	r := rule{learned: in.Source == "RemotePeers", accept: in.Action == "Accept"}
	if c := in.Communities; c != nil {
		if len(c.Values) == 0 {
			return rule{}, false
		}
		r.needs = f.tag(c.Values[0]) // Calico renders the first only
	}
	for _, op := range in.Operations {
		if op.AddCommunity != nil {
			r.adds |= f.tag(op.AddCommunity.Value)
		}
	}
	return r, true
}

// Calico's default block sizes.
var blockBits = [families]int32{26, 122}

// matchesBlock: the model knows no addresses of pods. It takes every block to
// lie outside of any network that a rule names but the one that holds all.
func matchesBlock(r *calico.BGPFilterRule, family int) bool {
	if r.CIDR == "" {
		return true
	}
	cidr, err := netip.ParsePrefix(r.CIDR)
	inside := err == nil && cidr.Bits() == 0 && r.MatchOperator != "Equal" && r.MatchOperator != "NotEqual"
	if l := r.PrefixLength; inside && l != nil {
		inside = (l.Min == nil || *l.Min <= blockBits[family]) && (l.Max == nil || *l.Max >= blockBits[family])
	}
	return inside != strings.HasPrefix(r.MatchOperator, "Not")
}

// tag returns the bit of a community.
func (f *Fabric) tag(community string) tags {
	i, ok := f.communities[community]
	if !ok {
		i = min(len(f.communities), maxTags-1)
		f.communities[community] = i
	}
	return 1 << i
}
