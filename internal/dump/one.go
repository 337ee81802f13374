package dump

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// One reads the only object of a file, which must be of the kind wanted and have no field
// that into does not know. It returns the text as UTF-8. Every error is an *Error.
func One(file string, data []byte, want schema.GroupVersionKind, into any) ([]byte, error) {
	wanted := fmt.Sprintf("want a %s of %s", want.Kind, want.GroupVersion())
	refuse := func(line int, reason string) ([]byte, error) {
		return nil, &Error{File: file, Line: line, Reason: reason}
	}
	text, err := plain(data)
	if err != nil {
		return refuse(0, "is no text: "+wanted)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return refuse(0, "holds no object: "+wanted)
	}
	if found := documents(text); len(found) > 1 {
		return refuse(found[1].line, "holds more than one object: "+wanted+" alone")
	}
	// What it is first: the fields of another kind would all be unknown.
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(text, &kind); err != nil {
		reason, line := oneReason(err)
		return refuse(line, reason+": "+wanted)
	}
	switch found := kind.GroupVersionKind(); {
	case found.Empty():
		return refuse(0, "holds no object: "+wanted)
	case found != want:
		return refuse(0, fmt.Sprintf("holds a %s %s: %s", kind.APIVersion, kind.Kind, wanted))
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		reason, line := oneReason(err)
		return refuse(line, reason)
	}
	return text, nil
}

// oneReason explains why a text cannot be decoded, and gives the line where it is known.
func oneReason(err error) (reason string, line int) {
	if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return typeReason(typed), 0
	}
	if inner := errors.Unwrap(errors.Unwrap(err)); inner != nil {
		return decodeReason(inner), 0 // valid YAML, which does not fit
	}
	return yamlError(err)
}
