package seed

import (
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The object that has the section, and the section's place in it.
const (
	Kind = "KubeControllersConfiguration"
	Name = "default"
	Path = "spec.controllers.routereflector"
)

// lastApplied is where kubectl apply keeps the configuration that it was given,
// whatever the API server has made of it.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// ErrSection says that there is something in the section's place that is no section.
var ErrSection = errors.New(Path + " is no object with fields")

// steps of Path.
var steps = []string{"spec", "controllers", "routereflector"}

// Section returns the section of a KubeControllersConfiguration, as decoded from
// JSON. An empty section is one: it asks for all defaults. Null, or nothing, is
// none.
func Section(object map[string]any) (section map[string]any, found bool, err error) {
	value := any(object)
	for i, step := range steps {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil, false, nil // the API server's schema does not let it come to this
		}
		if value, ok = fields[step]; !ok || value == nil {
			return nil, false, nil
		}
		if _, ok = value.(map[string]any); !ok && i == len(steps)-1 {
			return nil, false, fmt.Errorf("%w, but %s", ErrSection, show(value))
		}
	}
	section, found = value.(map[string]any)
	return section, found, nil
}

// Trace looks for a sign that somebody has written the section into an object
// that does not have it: the API server drops, without a word, fields that its
// definition of the kind lacks. annotations are the object's. The sign is part of a
// sentence, "" where there is none: a dropped field may leave no trace at all.
func Trace(managed []metav1.ManagedFieldsEntry, annotations map[string]string) string {
	for _, entry := range managed {
		if entry.FieldsV1 != nil && owns([]byte(entry.FieldsV1.String())) {
			return fmt.Sprintf("field manager %q has set it", entry.Manager)
		}
	}
	var applied map[string]any
	if json.Unmarshal([]byte(annotations[lastApplied]), &applied) != nil {
		return ""
	}
	if _, found, err := Section(applied); found || err != nil {
		return "the configuration last given to kubectl apply has it"
	}
	return ""
}

// owns tells whether the fields of one manager have the section or a part of it.
func owns(fields []byte) bool {
	for _, step := range steps {
		var inner map[string]json.RawMessage
		if json.Unmarshal(fields, &inner) != nil {
			return false
		}
		deeper, ok := inner["f:"+step]
		if !ok {
			return false
		}
		fields = deeper
	}
	return true
}
