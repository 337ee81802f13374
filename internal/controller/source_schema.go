package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"tapetum.dev/tapetum/internal/seed"
)

// errNoSchema: the API server does not describe the kind, or not yet.
var errNoSchema = errors.New("the API server does not describe the kind")

// schemaKeeps asks the API server for the published schema of a group, which
// everybody may read, whether it has the section.
func schemaKeeps(config *rest.Config) (func(context.Context, schema.GroupVersion) (bool, error), error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("discovery client: %w", err)
	}
	return func(ctx context.Context, group schema.GroupVersion) (bool, error) {
		paths, err := client.OpenAPIV3WithContext(ctx).PathsWithContext(ctx)
		if err != nil {
			return false, fmt.Errorf("list the schemas of the API server: %w", err)
		}
		path, ok := paths["apis/"+group.String()]
		if !ok {
			return false, errNoSchema
		}
		data, err := path.SchemaWithContext(ctx, "application/json")
		if err != nil {
			return false, fmt.Errorf("read the schema of %s: %w", group, err)
		}
		return documentKeeps(data)
	}, nil
}

// openAPI is the part of a schema that is read.
type openAPI struct {
	Ref        string             `json:"$ref"`
	AllOf      []openAPI          `json:"allOf"`
	Properties map[string]openAPI `json:"properties"`
	Additional json.RawMessage    `json:"additionalProperties"`
	Unknown    bool               `json:"x-kubernetes-preserve-unknown-fields"`
	Kinds      []struct {
		Kind string `json:"kind"`
	} `json:"x-kubernetes-group-version-kind"`
}

// documentKeeps tells whether a document of OpenAPI v3 has a place for the section.
func documentKeeps(data []byte) (bool, error) {
	var document struct {
		Components struct {
			Schemas map[string]openAPI `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return false, fmt.Errorf("schema of the API server: %w", err)
	}
	schemas := document.Components.Schemas
	for _, kind := range schemas {
		if len(kind.Kinds) == 1 && kind.Kinds[0].Kind == seed.Kind {
			return has(schemas, kind, strings.Split(seed.Path, "."), 0), nil
		}
	}
	return false, errNoSchema
}

// maxReferences bounds how deep references are followed: they may go in a circle.
const maxReferences = 20

// has tells whether a path leads to a place that is kept.
func has(schemas map[string]openAPI, at openAPI, path []string, depth int) bool {
	switch {
	case depth > maxReferences:
		return false
	case len(path) == 0 || at.Unknown:
		return true
	}
	if next, ok := at.Properties[path[0]]; ok {
		return has(schemas, next, path[1:], depth)
	}
	if text := string(at.Additional); text != "" && text != "false" {
		return true
	}
	if name, ok := strings.CutPrefix(at.Ref, "#/components/schemas/"); ok && has(schemas, schemas[name], path, depth+1) {
		return true
	}
	for _, part := range at.AllOf {
		if has(schemas, part, path, depth+1) {
			return true
		}
	}
	return false
}
