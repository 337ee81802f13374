package selector

import (
	"slices"
	"strings"
)

// expression is a node of the parsed selector.
type expression interface {
	matches(labels map[string]string) bool
	write(b *strings.Builder)
	keys(to []string) []string
}

const (
	wordAll    = "all()"
	wordGlobal = "global()"
)

type (
	// everything is all() or global(). Calico uses global() to keep policies off
	// namespaces; nodes have none, so both match every node.
	everything struct{ word string }
	has        struct{ key string }
	compare    struct {
		key, value string
		operator   kind
	}
	// inSet is in and not in; the values are sorted.
	inSet struct {
		key     string
		values  []string
		negated bool
	}
	not   struct{ of expression }
	allOf []expression
	anyOf []expression
)

func (everything) matches(map[string]string) bool { return true }

func (e has) matches(labels map[string]string) bool {
	_, ok := labels[e.key]
	return ok
}

// A label that is not there equals nothing, so != matches it.
func (e compare) matches(labels map[string]string) bool {
	value, ok := labels[e.key]
	switch e.operator {
	case kindEqual:
		return ok && value == e.value
	case kindNotEqual:
		return !ok || value != e.value
	case kindContains:
		return ok && strings.Contains(value, e.value)
	case kindStartsWith:
		return ok && strings.HasPrefix(value, e.value)
	default:
		return ok && strings.HasSuffix(value, e.value)
	}
}

func (e inSet) matches(labels map[string]string) bool {
	value, ok := labels[e.key]
	if ok {
		_, ok = slices.BinarySearch(e.values, value)
	}
	return ok != e.negated
}

func (e not) matches(labels map[string]string) bool { return !e.of.matches(labels) }

func (e allOf) matches(labels map[string]string) bool {
	for _, term := range e {
		if !term.matches(labels) {
			return false
		}
	}
	return true
}

func (e anyOf) matches(labels map[string]string) bool {
	for _, term := range e {
		if term.matches(labels) {
			return true
		}
	}
	return false
}
