package dump

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// Error says what cannot be read, where.
type Error struct {
	// File is the name under which the dump was given.
	File string
	// Line in it, from 1; 0 where there is none.
	Line int
	// Object, as "Kind name", where it is known.
	Object string
	// Reason in one sentence.
	Reason string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": ")
	if e.Object != "" {
		b.WriteString(e.Object + ": ")
	}
	b.WriteString(e.Reason)
	return b.String()
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// yamlError tells the reason of a YAML parser's error and, where it has one, the
// line in the text that was parsed, from 1.
func yamlError(err error) (reason string, line int) {
	reason = err.Error()
	for _, prefix := range []string{"error converting YAML to JSON: ", "yaml: ", "unmarshal errors:\n  "} {
		reason = strings.TrimPrefix(reason, prefix)
	}
	if found := yamlLine.FindStringSubmatch(reason); found != nil {
		line, _ = strconv.Atoi(found[1])
		reason = strings.TrimPrefix(reason, found[0])
	}
	reason, _, _ = strings.Cut(reason, "\n")
	return "is not valid YAML: " + reason, line
}

// typeReason says in plain words that a value has the wrong type.
func typeReason(err *json.UnmarshalTypeError) string {
	field := err.Field
	if field == "" {
		field = "the object"
	}
	return fmt.Sprintf("%s is %s where %s is needed", field, article(err.Value), wanted(err.Type))
}

func article(value string) string {
	switch value {
	case "array":
		return "a list"
	case "object":
		return "a map"
	case "bool":
		return "true or false"
	}
	return "a " + value
}

func wanted(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a map"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return fmt.Sprintf("a whole number of 0 to %d", ^uint64(0)>>(64-t.Bits()))
	default:
		return "a whole number"
	}
}

// decodeReason explains an error of decode.
func decodeReason(err error) string {
	if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return typeReason(typed)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
