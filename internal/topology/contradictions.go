package topology

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// Reasons of contradictions.
const (
	// ReasonContradiction: two fields of the policy exclude each other.
	ReasonContradiction = "ContradictingPolicy"
	// ReasonPinned: a node of placement.pinned is not there, or cannot be a reflector.
	ReasonPinned = "PinnedNodeUnfit"
)

// Contradictions lists what in a policy excludes each other whatever the cluster, in
// the order of the fields: which fields, what they must be, and what they are. The
// specification must have its defaults. The API server refuses the same, in the same
// words but the values (api/v1alpha1/types.go); this is for policies that come from
// a file, and for a definition that is older than the controller.
func Contradictions(spec v1alpha1.RouteReflectorAutoscalerSpec) []string {
	var out []string
	say := func(wrong bool, format string, args ...any) {
		if wrong {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	scaling, limits, k := spec.Scaling, spec.Limits, spec.ReflectorsPerClient
	failures, topology := *limits.ReflectorFailures, spec.Topology
	mesh, multi := topology == v1alpha1.TopologyMesh, topology == v1alpha1.TopologyMulti
	say(scaling.Min > scaling.Max, "scaling.min must not be greater than scaling.max (%d, %d)", scaling.Min, scaling.Max)
	say(!mesh && failures >= scaling.Max, "limits.reflectorFailures must be less than scaling.max (%d, %d)", failures, scaling.Max)
	say(multi && k > scaling.Max, "reflectorsPerClient must not be greater than scaling.max (%d, %d)", k, scaling.Max)
	say(multi && failures >= k,
		"limits.reflectorFailures must be less than reflectorsPerClient, else a client can lose all its route reflectors (%d, %d)",
		failures, k)
	say(multi && k*k > limits.PathsPerRoute,
		"reflectorsPerClient squared is the number of paths a route in Multi: it must not be greater than limits.pathsPerRoute (%d, %d)",
		k*k, limits.PathsPerRoute)
	say(topology == v1alpha1.TopologySingle && scaling.Min > limits.PathsPerRoute,
		"scaling.min is the least number of paths a route in Single: it must not be greater than limits.pathsPerRoute (%d, %d)",
		scaling.Min, limits.PathsPerRoute)
	say(!mesh && topology != v1alpha1.TopologyHierarchy && scaling.Min > limits.SessionsPerReflector+1,
		"scaling.min is the least number of route reflectors that peer with each other: it must not be greater than limits.sessionsPerReflector and 1 (%d, %d)",
		scaling.Min, limits.SessionsPerReflector)
	say(!mesh && len(spec.Placement.Pinned) > int(scaling.Max),
		"placement.pinned must not name more nodes than scaling.max (%d, %d)", len(spec.Placement.Pinned), scaling.Max)
	say(!slices.IsSortedFunc(scaling.Ladder, func(a, b v1alpha1.LadderStep) int { return cmp.Compare(a.Nodes, b.Nodes) }),
		"scaling.ladder is out of order: list its steps by ascending nodes")
	say(*spec.Brakes.ZonePercent != 0 && *spec.Brakes.ZonePercent < 50,
		"brakes.zonePercent must be 0 (off) or at least 50: a zone of which less is not ready is not gone (%d)", *spec.Brakes.ZonePercent)
	say(descends(scaling.Ladder), "scaling.ladder is out of order: a step with more nodes must not have fewer reflectors")
	return out
}

// descends: some step of the ladder has more nodes and fewer reflectors than another.
func descends(ladder []v1alpha1.LadderStep) bool {
	for _, a := range ladder {
		for _, b := range ladder {
			if b.Nodes > a.Nodes && b.Reflectors < a.Reflectors {
				return true
			}
		}
	}
	return false
}

// contradicts notes what in the policy excludes each other; what stands then stays.
func (p *Plan) contradicts(request Request) bool {
	found := Contradictions(request.Spec)
	for _, message := range found {
		p.problem(ReasonContradiction, "spec: %s; the reflectors stay as they are until it is mended", message)
	}
	return len(found) > 0
}

// contradictsNodes notes what the policy asks of nodes that are not there. The plan
// does what it can.
func (p *Plan) contradictsNodes(request Request, f *field, rules *inventory.Rules) {
	if p.Topology == v1alpha1.TopologyMesh {
		return
	}
	p.pinnedUnfit(request, rules)
	need := int(*request.Spec.Limits.ReflectorFailures) + 1
	if able := len(f.kept) + len(f.stopgaps) + len(f.candidates); able > 0 && able < need {
		if len(p.Ineligible) == 0 {
			p.problem(ReasonTooFewEligible, "spec.limits.reflectorFailures %d needs %d route reflectors, there %s: lower it, or add nodes",
				need-1, need, some(able, "is only 1 node", fmt.Sprintf("are only %d nodes", able)))
			return
		}
		p.problem(ReasonTooFewEligible,
			"spec.limits.reflectorFailures %d needs %d route reflectors, only %d of %d nodes can be one (%s): lower it, or change spec.placement",
			need-1, need, able, p.Nodes, p.Describe())
	}
}

// pinnedUnfit names pinned nodes that are not there or cannot be reflectors, and why.
func (p *Plan) pinnedUnfit(request Request, rules *inventory.Rules) {
	if len(request.Spec.Placement.Pinned) == 0 {
		return
	}
	byName := index(request.Nodes)
	for _, name := range slices.Sorted(slices.Values(request.Spec.Placement.Pinned)) {
		node := byName[name]
		if node == nil {
			p.problem(ReasonPinned, "spec.placement.pinned names %s, which does not exist: take it out of the list, or add the node", name)
			continue
		}
		reason := ""
		if slices.Contains(request.Standing, name) {
			reason, _ = rules.Unkeepable(node, request.Now)
		} else {
			reason = rules.Ineligible(node)
		}
		if reason != "" {
			p.problem(ReasonPinned, "spec.placement.pinned names %s, which %s and so cannot be a route reflector: take it out of the list, or mend that", name, reason)
		}
	}
}

// noCandidates notes that no node can be a reflector, and what bars them.
func (p *Plan) noCandidates() {
	remedy := ""
	if terms, all := barred(p.Ineligible); all {
		remedy = ": change " + terms
	}
	p.problem(ReasonTooFewEligible, "no node can be a route reflector: %s%s", p.Describe(), remedy)
}

// barred tells whether the policy itself bars every node, and by which terms.
func barred(reasons map[string]int) (string, bool) {
	var terms []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		_, term, ours := strings.Cut(reason, "spec.placement.")
		if !ours {
			return "", false
		}
		terms = append(terms, "spec.placement."+term)
	}
	return strings.Join(terms, " and "), len(terms) > 0
}
