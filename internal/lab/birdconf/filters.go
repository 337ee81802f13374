package birdconf

import (
	"fmt"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
)

// Directions of a BGPFilter's rules.
const (
	importing = "import"
	exporting = "export"
)

// functionName is what confd calls the function of a BGPFilter.
func functionName(filter, direction string, family Family) string {
	return fmt.Sprintf("'bgp_%s_%sFilterV%d'", filter, direction, family)
}

// callFilters leaves out filters that do not exist and those without rules for
// the direction, as confd does.
func callFilters(t *text, in *Input, family Family, names []string, direction string) {
	for _, name := range names {
		for i := range in.Filters {
			if f := &in.Filters[i]; f.Name == name && len(rulesOf(f, direction, family)) > 0 {
				t.line("    %s();", functionName(name, direction, family))
			}
		}
	}
}

func rulesOf(f *calico.BGPFilter, direction string, family Family) []calico.BGPFilterRule {
	switch {
	case direction == importing && family == IPv4:
		return f.Spec.ImportV4
	case direction == importing:
		return f.Spec.ImportV6
	case family == IPv4:
		return f.Spec.ExportV4
	default:
		return f.Spec.ExportV6
	}
}

func renderFilter(t *text, f *calico.BGPFilter, family Family) {
	for _, direction := range []string{importing, exporting} {
		rules := rulesOf(f, direction, family)
		if len(rules) == 0 {
			continue
		}
		t.line("function %s() {", functionName(f.Name, direction, family))
		for i := range rules {
			t.line("  %s", renderRule(&rules[i]))
		}
		t.line("}")
	}
}

func renderRule(r *calico.BGPFilterRule) string {
	var conditions []string
	if r.CIDR != "" {
		conditions = append(conditions, fmt.Sprintf("(net %s %s)", matchOperators[r.MatchOperator], r.CIDR))
	}
	if r.Communities != nil {
		for _, value := range r.Communities.Values {
			conditions = append(conditions, fmt.Sprintf("(%s ~ bgp_community)", community(value)))
		}
	}
	statements := ""
	for _, op := range r.Operations {
		if op.AddCommunity != nil {
			statements += fmt.Sprintf("bgp_community.add(%s); ", community(op.AddCommunity.Value))
		}
	}
	statements += strings.ToLower(r.Action) + ";"
	if len(conditions) == 0 {
		return statements
	}
	return fmt.Sprintf("if (%s) then { %s }", strings.Join(conditions, " && "), statements)
}

var matchOperators = map[string]string{"Equal": "=", "NotEqual": "!=", "In": "~", "NotIn": "!~"}

// community writes "64512:7" as BIRD does.
func community(value string) string {
	a, b, _ := strings.Cut(value, ":")
	return fmt.Sprintf("(%s, %s)", a, b)
}
