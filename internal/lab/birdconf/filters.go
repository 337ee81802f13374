package birdconf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
)

// Direction is that of a BGPFilter's rules.
type Direction string

// Directions.
const (
	Import Direction = "import"
	Export Direction = "export"
)

// functionName is what confd calls the function of a BGPFilter.
func functionName(filter string, direction Direction, family Family) string {
	return fmt.Sprintf("'bgp_%s_%sFilterV%d'", filter, direction, family)
}

// FilterCalls returns the lines that call the functions of the named filters, each
// with its end. Filters that do not exist and those without rules for the direction
// are left out, as confd does.
func FilterCalls(filters []calico.BGPFilter, family Family, names []string, direction Direction) string {
	t := &text{}
	for _, name := range names {
		for i := range filters {
			if f := &filters[i]; f.Name == name && len(rulesOf(f, direction, family)) > 0 {
				t.line("    %s();", functionName(name, direction, family))
			}
		}
	}
	return t.String()
}

// FilterFunctions returns the lines that define the functions of all filters, by
// name.
func FilterFunctions(filters []calico.BGPFilter, family Family) string {
	t := &text{}
	sorted := slices.SortedFunc(slices.Values(filters), func(a, b calico.BGPFilter) int { return cmp.Compare(a.Name, b.Name) })
	for i := range sorted {
		renderFilter(t, &sorted[i], family)
	}
	return t.String()
}

func rulesOf(f *calico.BGPFilter, direction Direction, family Family) []calico.BGPFilterRule {
	switch {
	case direction == Import && family == IPv4:
		return f.Spec.ImportV4
	case direction == Import:
		return f.Spec.ImportV6
	case family == IPv4:
		return f.Spec.ExportV4
	default:
		return f.Spec.ExportV6
	}
}

func renderFilter(t *text, f *calico.BGPFilter, family Family) {
	for _, direction := range []Direction{Import, Export} {
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
