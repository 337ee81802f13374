package render

import (
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/topology"
)

// CatchAllSet is the clients that a catch-all selector of ours takes in: those that
// at least one of its terms does not leave out.
type CatchAllSet []leftOut

// leftOut are the conditions that leave a client out of a term: "settled", or a
// label and its value.
type leftOut map[string]bool

const (
	isSettled = "!has(" + v1alpha1.SettledLabel + ")"
	orBetween = ") || ("
)

// ReadCatchAll reads a node selector that CatchAll or Widened has written. False:
// somebody else wrote it.
func ReadCatchAll(selector string) (CatchAllSet, bool) {
	terms := []string{selector}
	if strings.HasPrefix(selector, "(") && strings.HasSuffix(selector, ")") {
		terms = strings.Split(selector[1:len(selector)-1], orBetween)
	}
	var out CatchAllSet
	for _, text := range terms {
		term, ok := readTerm(text)
		if !ok {
			return nil, false
		}
		out = append(out, term)
	}
	return out, true
}

func readTerm(text string) (leftOut, bool) {
	parts := strings.Split(text, " && ")
	if parts[0] != isClient {
		return nil, false
	}
	out := leftOut{}
	for _, part := range parts[1:] {
		if part == isSettled {
			out[isSettled] = true
			continue
		}
		inner, negated := strings.CutPrefix(part, "!(")
		label, set, in := strings.Cut(inner, " in {")
		values, closed := strings.CutSuffix(set, "})")
		if !negated || !in || !closed || !plainLabel(label) {
			return nil, false
		}
		for _, value := range strings.Split(values, ", ") {
			if !quoted(value) {
				return nil, false
			}
			out[label+"="+value] = true
		}
	}
	return out, true
}

// Covers tells whether every client that CatchAll(groups) takes in, now or ever, is
// taken in by s.
func (s CatchAllSet) Covers(groups []topology.Group) bool {
	other, ok := readTerm(CatchAll(groups))
	return ok && s.covers(other)
}

func (s CatchAllSet) covers(other leftOut) bool {
	return slices.ContainsFunc(s, func(term leftOut) bool {
		for condition := range term {
			if !other[condition] {
				return false
			}
		}
		return true
	})
}

// HeedsSettled tells whether the settled label keeps some client out.
func (s CatchAllSet) HeedsSettled() bool {
	return slices.ContainsFunc(s, func(term leftOut) bool { return term[isSettled] })
}

// Widened is the catch-all selector that takes in all that the given one of ours
// takes in, and all that CatchAll(groups) does. Where that would be too long, or the
// given one is not of ours, it is that of every client.
func Widened(selector string, groups []topology.Group) string {
	standing, known := ReadCatchAll(selector)
	if known && standing.Covers(groups) {
		return selector
	}
	want := CatchAll(groups)
	if !known {
		return EveryClient
	}
	if only, ok := ReadCatchAll(want); ok && !slices.ContainsFunc(standing, func(term leftOut) bool { return !only.covers(term) }) {
		return want
	}
	terms := strings.TrimSuffix(strings.TrimPrefix(selector, "("), ")")
	if len(standing) == 1 {
		terms = selector
	}
	if both := "(" + terms + orBetween + want + ")"; len(both) <= MaxSelector && len(standing) < 3 {
		return both
	}
	return EveryClient
}
