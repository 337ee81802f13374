package seed

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// maxExclude is how many terms placement.exclude may have.
const maxExclude = 16

// excluded reads incompatibleLabels: a list, separated by commas, of "k" (a node
// that has the label is no reflector), "k=" (that has it with no value) and "k=v".
// Terms of one label become one selector.
func (v *values) excluded() []metav1.LabelSelector {
	const name = "incompatibleLabels"
	value, set := v.get(name)
	if !set {
		return nil
	}
	var terms []string
	switch value := value.(type) {
	case string:
		terms = strings.Split(value, ",")
	case []any: // not the seed's form, but what it means is plain
		for _, item := range value {
			text, ok := item.(string)
			if !ok {
				v.note("%s: %s is no text: ignored", name, show(item))
				continue
			}
			terms = append(terms, strings.Split(text, ",")...)
		}
	default:
		v.note("%s is no text but %s: ignored, no node is excluded", name, show(value))
		return nil
	}
	var keys []requirement
	for _, term := range terms {
		if term = strings.TrimSpace(term); term != "" {
			keys = v.require(keys, term)
		}
	}
	if len(keys) > maxExclude {
		v.note("%s names %d labels, placement.exclude takes %d: nodes that only match one of the last are NOT excluded", name, len(keys), maxExclude)
		keys = keys[:maxExclude]
	}
	var selectors []metav1.LabelSelector
	for _, key := range keys {
		selectors = append(selectors, metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{key}})
	}
	return selectors
}

type requirement = metav1.LabelSelectorRequirement

// require adds a term to the requirements, one a label.
func (v *values) require(keys []requirement, term string) []requirement {
	key, value, valued := strings.Cut(term, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if problems := validation.IsQualifiedName(key); len(problems) > 0 {
		v.note("incompatibleLabels: %s is no label: ignored", show(term))
		return keys
	}
	if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
		v.note("incompatibleLabels: %s has no value that a label can have: ignored", show(term))
		return keys
	}
	i := slices.IndexFunc(keys, func(r requirement) bool { return r.Key == key })
	if i < 0 {
		keys = append(keys, requirement{Key: key, Operator: metav1.LabelSelectorOpIn})
		i = len(keys) - 1
	}
	switch r := &keys[i]; {
	case !valued:
		r.Operator, r.Values = metav1.LabelSelectorOpExists, nil
	case r.Operator == metav1.LabelSelectorOpIn && !slices.Contains(r.Values, value):
		r.Values = append(r.Values, value)
	}
	return keys
}
