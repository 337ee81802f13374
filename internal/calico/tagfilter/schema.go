package tagfilter

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/calico/render"
)

// kind is the kind of the filter.
const kind = "BGPFilter"

// schema is the part of an OpenAPI v3 schema that tells which fields an object may
// have, in an API server's description or in a CustomResourceDefinition.
type schema struct {
	Ref        string            `json:"$ref"`
	AllOf      []schema          `json:"allOf"`
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
	Preserve   bool              `json:"x-kubernetes-preserve-unknown-fields"`
	Kinds      []struct {
		Group string `json:"group"`
		Kind  string `json:"kind"`
	} `json:"x-kubernetes-group-version-kind"`
}

// schemas are those that references lead to, by name.
type schemas map[string]json.RawMessage

// refPrefix is where the references in an API server's description lead.
const refPrefix = "#/components/schemas/"

// OpenAPIProblem reads what an API server says of an API group (OpenAPI v3, as it is
// served below /openapi/v3) and tells what its BGPFilters lack for the tag filter;
// "" when nothing, or when they are not described at all. An error means that the text
// cannot be read.
func OpenAPIProblem(text []byte, group string) (problem string, described bool, err error) {
	var document struct {
		Components struct {
			Schemas schemas `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return "", false, fmt.Errorf("OpenAPI description of %s: %w", group, err)
	}
	all := document.Components.Schemas
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasSuffix(name, kind) {
			continue // reading all of them costs much more than looking at the names
		}
		var found schema
		if err := json.Unmarshal(all[name], &found); err != nil {
			return "", false, fmt.Errorf("OpenAPI description of %s, %s: %w", group, name, err)
		}
		if found.is(group) {
			return lacking(found, all), true, nil
		}
	}
	return "", false, nil
}

func (s *schema) is(group string) bool {
	for _, k := range s.Kinds {
		if k.Group == group && k.Kind == kind {
			return true
		}
	}
	return false
}

// DefinitionProblem is OpenAPIProblem for a CustomResourceDefinition of BGPFilter, as
// JSON. The version counts in which objects are stored.
func DefinitionProblem(text []byte) (string, error) {
	var definition struct {
		Spec struct {
			Versions []struct {
				Storage bool `json:"storage"`
				Schema  struct {
					OpenAPIV3Schema schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(text, &definition); err != nil {
		return "", fmt.Errorf("CustomResourceDefinition of %s: %w", kind, err)
	}
	for i := range definition.Spec.Versions {
		if version := &definition.Spec.Versions[i]; version.Storage {
			return lacking(version.Schema.OpenAPIV3Schema, nil), nil
		}
	}
	return "its CustomResourceDefinition has no version that is stored", nil
}

// lacking says which field of the filter the schema does not know; such a field
// would be dropped without a word.
func lacking(found schema, all schemas) string {
	text, err := json.Marshal(map[string]any{"spec": render.Filter().Spec})
	if err != nil {
		return err.Error()
	}
	var filter any
	if err := json.Unmarshal(text, &filter); err != nil {
		return err.Error()
	}
	if missing := all.missing(found, filter, kind); missing != "" {
		return "this Calico's definition of " + kind + " has no field " + missing
	}
	return ""
}

// missing returns the path of the first field of value that is not in the schema.
func (all schemas) missing(s schema, value any, path string) string {
	s = all.resolve(s, 0)
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			property, ok := s.Properties[name]
			if !ok && s.Preserve {
				continue
			}
			if !ok {
				return path + "." + name
			}
			if missing := all.missing(property, value[name], path+"."+name); missing != "" {
				return missing
			}
		}
	case []any:
		if s.Items == nil {
			if s.Preserve {
				return ""
			}
			return path + "[]"
		}
		for _, element := range value {
			if missing := all.missing(*s.Items, element, path+"[]"); missing != "" {
				return missing
			}
		}
	}
	return ""
}

// maxDepth bounds references that lead in a circle.
const maxDepth = 10

// resolve follows references. An API server wraps one in allOf where it adds a
// default or a description.
func (all schemas) resolve(s schema, depth int) schema {
	if depth > maxDepth {
		return schema{}
	}
	if s.Ref != "" {
		var target schema
		if json.Unmarshal(all[strings.TrimPrefix(s.Ref, refPrefix)], &target) != nil {
			return schema{}
		}
		return all.resolve(target, depth+1)
	}
	if len(s.AllOf) == 1 && len(s.Properties) == 0 && s.Items == nil {
		return all.resolve(s.AllOf[0], depth+1)
	}
	return s
}
