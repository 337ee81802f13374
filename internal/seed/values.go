package seed

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Most notes that are kept, and most bytes of a value that one repeats: they end
// up in a condition of the status.
const (
	maxNotes = 20
	maxValue = 60
)

// values reads fields of the section. It takes whatever is there: the definition
// of the kind may be anybody's.
type values struct {
	section map[string]any
	known   map[string]bool
	notes   []string
}

func (v *values) note(format string, args ...any) {
	v.notes = append(v.notes, fmt.Sprintf(format, args...))
}

// get returns a field; null counts as unset.
func (v *values) get(name string) (any, bool) {
	v.known[name] = true
	value := v.section[name]
	return value, value != nil
}

// text returns a field that must be a string.
func (v *values) text(name, fallback string) (string, bool) {
	value, set := v.get(name)
	if !set {
		return fallback, false
	}
	text, ok := value.(string)
	if !ok {
		v.note("%s is no text but %s: %q is taken", name, show(value), fallback)
		return fallback, false
	}
	return text, true
}

// number returns a field that must be a number.
func (v *values) number(name string, fallback float64) float64 {
	value, set := v.get(name)
	if !set {
		return fallback
	}
	number, ok := float(value)
	if !ok {
		v.note("%s is no number but %s: %v is taken", name, show(value), fallback)
		return fallback
	}
	return number
}

// whole returns a field that must be a whole number between two bounds.
func (v *values) whole(name string, fallback, low, high int32) int32 {
	value, set := v.get(name)
	if !set {
		return fallback
	}
	number, ok := float(value)
	switch {
	case !ok || number != math.Trunc(number):
		v.note("%s is no whole number but %s: %d is taken", name, show(value), fallback)
		return fallback
	case number < float64(low):
		v.note("%s is %s, less than can be asked for: %d is taken", name, show(value), low)
		return low
	case number > float64(high):
		v.note("%s is %s, more than can be asked for: %d is taken", name, show(value), high)
		return high
	}
	return int32(number)
}

// float takes what decoders make of a number in JSON. Infinities and NaN, which
// JSON does not have, are none.
func float(value any) (float64, bool) {
	var number float64
	switch value := value.(type) {
	case int:
		number = float64(value)
	case int32:
		number = float64(value)
	case int64:
		number = float64(value)
	case float32:
		number = float64(value)
	case float64:
		number = value
	case json.Number:
		parsed, err := value.Float64()
		if err != nil {
			return 0, false
		}
		number = parsed
	default:
		return 0, false
	}
	return number, !math.IsNaN(number) && !math.IsInf(number, 0)
}

// unknown notes the fields that nobody has asked for.
func (v *values) unknown() {
	for _, name := range slices.Sorted(maps.Keys(v.section)) {
		if !v.known[name] {
			v.note("%s is no field of the section: ignored", show(name))
		}
	}
}

// result returns the notes, not too many of them.
func (v *values) result() []string {
	if len(v.notes) > maxNotes {
		return append(v.notes[:maxNotes:maxNotes], fmt.Sprintf("and %d notes more", len(v.notes)-maxNotes))
	}
	return v.notes
}

// show prints a value on one line, not too much of it.
func show(value any) string {
	text := fmt.Sprint(value)
	if data, err := json.Marshal(value); err == nil {
		text = string(data)
	}
	if len(text) > maxValue {
		text = text[:maxValue] + "..."
	}
	return strings.ToValidUTF8(text, "?")
}
