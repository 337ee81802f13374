package faults

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
)

// mergePatch is a JSON merge patch (RFC 7386) on an object or its status.
func (s *store) mergePatch(kind, key, manager string, body []byte, status bool) error {
	current := s.get(kind, key)
	if current == nil {
		return apierrors.NewNotFound(resourceOf(kind), key)
	}
	var patch map[string]any
	if err := json.Unmarshal(body, &patch); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if !fits(current, patch) {
		return apierrors.NewConflict(resourceOf(kind), key, errPrecondition)
	}
	after, err := patched(current, patch)
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	old, changed := reflect.ValueOf(current).Elem(), reflect.ValueOf(after).Elem()
	switch {
	case status: // nothing else is taken
		whole := copyOf(current)
		reflect.ValueOf(whole).Elem().FieldByName("Status").Set(changed.FieldByName("Status"))
		after = whole
	case hasStatusSubresource[kind]:
		changed.FieldByName("Status").Set(old.FieldByName("Status"))
	}
	return s.replace(current, after, manager)
}

// hasStatusSubresource: writes of the object leave its status alone.
var hasStatusSubresource = map[string]bool{"Node": true, "Pod": true, "RouteReflectorAutoscaler": true}

// fits: the object is the one, in the version, that the patch names.
func fits(current client.Object, patch map[string]any) bool {
	metadata, _ := patch["metadata"].(map[string]any)
	if version, named := metadata["resourceVersion"].(string); named && version != current.GetResourceVersion() {
		return false
	}
	uid, named := metadata["uid"].(string)
	return !named || uid == string(current.GetUID())
}

func patched(current client.Object, patch map[string]any) (client.Object, error) {
	raw, err := json.Marshal(current)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kindOf(current), err)
	}
	var document map[string]any
	if err := json.Unmarshal(raw, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", kindOf(current), err)
	}
	merge(document, patch)
	if raw, err = json.Marshal(document); err != nil {
		return nil, fmt.Errorf("%s: %w", kindOf(current), err)
	}
	after, ok := reflect.New(reflect.TypeOf(current).Elem()).Interface().(client.Object)
	if !ok {
		return nil, errUnsupported
	}
	return after, json.Unmarshal(raw, after)
}

func merge(document, patch map[string]any) {
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(document, key)
		case map[string]any:
			inner, ok := document[key].(map[string]any)
			if !ok {
				inner = map[string]any{}
			} else {
				inner = maps.Clone(inner)
			}
			merge(inner, value)
			document[key] = inner
		default:
			document[key] = value
		}
	}
}

// validate is what Calico's validation refuses of what is written here.
func validate(object client.Object) error {
	configuration, ok := object.(*calico.BGPConfiguration)
	if !ok {
		return nil
	}
	spec := &configuration.Spec
	if spec.NodeToNodeMeshEnabled != nil && !*spec.NodeToNodeMeshEnabled && (spec.NodeMeshPassword != nil || spec.NodeMeshMaxRestartTime != nil) {
		return apierrors.NewBadRequest("spec.nodeMeshPassword and nodeMeshMaxRestartTime cannot be set while the node-to-node mesh is off")
	}
	return nil
}
