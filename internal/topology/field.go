package topology

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"tapetum.dev/tapetum/internal/inventory"
)

// shortlist is for how many candidates of a zone the load is asked: it costs the
// API server a list of pods each.
const shortlist = 8

// field is who is there to choose from.
type field struct {
	request Request
	// kept are the standing reflectors that can stay, the most senior first.
	kept []candidate
	// stopgaps are standing reflectors that should go but still work.
	stopgaps []candidate
	// candidates are the nodes that could become reflectors, the best first.
	candidates []candidate
	// reserve are those that could but were lost as reflectors not long ago.
	reserve []candidate
	// leaving tells why a standing reflector cannot stay.
	leaving    map[string]string
	ineligible map[string]int
	// chosen and pinned are names of the request.
	chosen, pinned map[string]bool
}

type candidate struct {
	node   *inventory.Node
	zone   string
	weight int
	load   int
	// pinned by the policy; chosen by an earlier pass, or awaited by it. Neither counts where
	// a node is unreliable.
	pinned, chosen, unreliable bool
}

// unreliableReason is why such a node is not chosen, and does not stay.
const unreliableReason = "was lost as a route reflector and has not been ready for an hour since"

func newField(request Request, rules *inventory.Rules) *field {
	f := &field{
		request: request, leaving: map[string]string{}, ineligible: map[string]int{},
		chosen: set(request.Chosen), pinned: set(request.Spec.Placement.Pinned),
	}
	byName := index(request.Nodes)
	standing := map[string]bool{}
	for _, name := range request.Standing {
		standing[name] = true
		node := byName[name]
		if node == nil {
			f.leaving[name] = "its node is gone"
			continue
		}
		reason, usable := rules.Unkeepable(node, request.Now)
		if failed := request.Failed[name]; failed != "" {
			reason, usable = failed, false
		}
		if _, unreliable := request.Unreliable[name]; unreliable && reason == "" {
			reason = unreliableReason
		}
		switch {
		case reason == "":
			f.kept = append(f.kept, f.candidate(node, rules))
		case usable:
			f.stopgaps = append(f.stopgaps, f.candidate(node, rules))
			fallthrough
		default:
			f.leaving[name] = reason
		}
	}
	for i := range request.Nodes {
		node := &request.Nodes[i]
		if standing[node.Name] {
			continue
		}
		if reason := rules.Ineligible(node); reason != "" {
			f.ineligible[reason]++
			continue
		}
		c := f.candidate(node, rules)
		if c.unreliable {
			f.ineligible[unreliableReason]++
			f.reserve = append(f.reserve, c)
			continue
		}
		f.candidates = append(f.candidates, c)
	}
	slices.SortFunc(f.candidates, f.compare)
	return f
}

// copy is the field to be changed apart.
func (f *field) copy() *field {
	out := *f
	out.kept, out.stopgaps, out.candidates = slices.Clone(f.kept), slices.Clone(f.stopgaps), slices.Clone(f.candidates)
	out.reserve = slices.Clone(f.reserve)
	out.leaving, out.ineligible = maps.Clone(f.leaving), maps.Clone(f.ineligible)
	return &out
}

func (f *field) candidate(node *inventory.Node, rules *inventory.Rules) candidate {
	_, unreliable := f.request.Unreliable[node.Name]
	_, awaited := f.request.Clocks[ClockAwaited+node.Name]
	return candidate{
		node: node, zone: node.Labels[f.request.Spec.ZoneLabel], weight: rules.Weight(node),
		load:   f.load(node.Name),
		pinned: f.pinned[node.Name] && !unreliable, chosen: (f.chosen[node.Name] || awaited) && !unreliable,
		unreliable: unreliable,
	}
}

// callReserve lets the unreliable nodes be chosen too, after all others. It tells
// whether there are any.
func (f *field) callReserve() bool {
	if len(f.reserve) == 0 {
		return false
	}
	f.candidates = append(f.candidates, f.reserve...)
	f.reserve = nil
	delete(f.ineligible, unreliableReason)
	slices.SortFunc(f.candidates, f.compare)
	return true
}

func (f *field) empty() bool { return len(f.kept)+len(f.stopgaps)+len(f.candidates) == 0 }

// compare puts the better candidate first: pinned, then chosen before, then the policy's
// weight, then the newest kubelet and image (the oldest are rolled next, and the role
// would move once more), then the least load, then the older node, then the name.
func (f *field) compare(a, b candidate) int {
	if a.unreliable != b.unreliable {
		return compareBool(a.unreliable, b.unreliable)
	}
	if a.pinned != b.pinned {
		return -compareBool(a.pinned, b.pinned)
	}
	if a.chosen != b.chosen {
		return -compareBool(a.chosen, b.chosen)
	}
	return cmp.Or(cmp.Compare(b.weight, a.weight), compareVersions(b.node, a.node), cmp.Compare(a.load, b.load),
		a.node.Created.Compare(b.node.Created), strings.Compare(a.node.Name, b.node.Name))
}

// load of a candidate. One that is not known ranks behind all that are.
func (f *field) load(name string) int {
	if load, known := f.request.Load[name]; known {
		return load
	}
	return 1 << 30
}

// asks returns the best candidates of each zone by all but their load, where no
// load has been asked for yet: a shortlist, and no fewer than are needed there.
func (f *field) asks(needed map[string]int) []string {
	if f.request.Load != nil {
		return nil
	}
	count := map[string]int{}
	var names []string
	for _, c := range f.candidates {
		if count[c.zone] < max(shortlist, needed[c.zone]+shortlist/2) {
			count[c.zone]++
			names = append(names, c.node.Name)
		}
	}
	slices.Sort(names)
	return names
}

// only leaves out the nodes for which why gives a reason.
func (f *field) only(why func(node string) string) {
	filter := func(from []candidate, told func(name, reason string)) []candidate {
		return slices.DeleteFunc(from, func(c candidate) bool {
			reason := why(c.node.Name)
			if reason != "" {
				told(c.node.Name, reason)
			}
			return reason != ""
		})
	}
	f.kept = filter(f.kept, func(name, reason string) { f.leaving[name] = reason })
	f.stopgaps = filter(f.stopgaps, func(name, reason string) { f.leaving[name] = reason })
	f.candidates = filter(f.candidates, func(_, reason string) { f.ineligible[reason]++ })
	f.reserve = filter(f.reserve, func(_, reason string) { f.ineligible[reason]++ })
}

func set(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[name] = true
	}
	return out
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// CompareNatural compares texts with the numbers in them as numbers, so that
// v1.9.0 comes before v1.10.0.
func CompareNatural(a, b string) int {
	if a == b {
		return 0
	}
	for a != "" && b != "" {
		headA, restA := chunk(a)
		headB, restB := chunk(b)
		if headA != headB {
			numberA, errA := strconv.ParseUint(headA, 10, 64)
			numberB, errB := strconv.ParseUint(headB, 10, 64)
			if errA == nil && errB == nil && numberA != numberB {
				return cmp.Compare(numberA, numberB)
			}
			return strings.Compare(headA, headB)
		}
		a, b = restA, restB
	}
	return strings.Compare(a, b)
}

// chunk cuts off the leading run of digits, or of anything else.
func chunk(s string) (head, rest string) {
	digits := unicode.IsDigit(rune(s[0]))
	for i := 1; i < len(s); i++ {
		if unicode.IsDigit(rune(s[i])) != digits {
			return s[:i], s[i:]
		}
	}
	return s, ""
}
