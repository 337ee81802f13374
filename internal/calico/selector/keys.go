package selector

import "slices"

// Keys are the labels that the selector looks at, sorted: two objects that agree
// in these agree in whether they match.
func (s *Selector) Keys() []string {
	keys := s.root.keys(nil)
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (everything) keys(to []string) []string { return to }

func (e has) keys(to []string) []string { return append(to, e.key) }

func (e compare) keys(to []string) []string { return append(to, e.key) }

func (e inSet) keys(to []string) []string { return append(to, e.key) }

func (e not) keys(to []string) []string { return e.of.keys(to) }

func (e allOf) keys(to []string) []string {
	for _, term := range e {
		to = term.keys(to)
	}
	return to
}

func (e anyOf) keys(to []string) []string {
	for _, term := range e {
		to = term.keys(to)
	}
	return to
}
