// Package selector reads Calico's selectors, such as
// `has(rack) && zone in {"a", "b"}`, and tells which labels they match.
//
// The grammar and its corner cases are those of Calico's own parser, so that a
// selector which it refuses is refused here and one which it takes means the
// same here. Pure: it must not know what is selected.
package selector
