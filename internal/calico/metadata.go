package calico

import (
	"encoding/json"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// MetadataAnnotation is where Calico keeps, as JSON, the metadata that the user
// of projectcalico.org/v3 set, on the crd.projectcalico.org/v1 object that stands
// behind it. Labels and annotations of others than Calico itself are only there
// once an object was written through v3. The annotation does not exist where the
// v3 resources are stored as they are.
// Source: Calico's libcalico-go/lib/backend/k8s/resources/resources.go.
const MetadataAnnotation = "projectcalico.org/metadata"

// packedMetadata is the part of the annotation that Tapetum reads.
type packedMetadata struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Labels are the labels of an object as a user of projectcalico.org/v3 sees them,
// whichever group the object was read from: its own and the packed ones, which
// win as they do in Calico. A packed annotation that is no JSON counts as absent.
// The result is a new map.
//
// Because labels can be packed away at any time, objects of group v1 cannot be
// listed by label: list all and ask for each.
func Labels(obj metav1.Object) map[string]string {
	packed, _ := unpack(obj)
	return merge(obj.GetLabels(), packed.Labels)
}

// Annotations are the annotations as a user of projectcalico.org/v3 sees them,
// without the packed one. The result is a new map.
func Annotations(obj metav1.Object) map[string]string {
	packed, _ := unpack(obj)
	out := merge(obj.GetAnnotations(), packed.Annotations)
	delete(out, MetadataAnnotation)
	return out
}

// ManagedByUs tells whether an object carries the label that marks what is
// Tapetum's. Everything else is never written.
func ManagedByUs(obj metav1.Object) bool {
	return Labels(obj)[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue
}

// PackMetadata makes an object of group crd.projectcalico.org/v1 show its own
// labels and annotations through projectcalico.org/v3 too. They stay on the
// object as well. Labels and annotations that are only in the packed annotation
// are kept there, as is all else that Calico has packed (its creation time,
// owners). A packed annotation that is no JSON, which Calico refuses to read, is
// replaced.
func PackMetadata(obj metav1.Object) error {
	fields := map[string]json.RawMessage{}
	if raw := obj.GetAnnotations()[MetadataAnnotation]; raw != "" {
		if _, err := unpack(obj); err == nil {
			// Cannot fail: the same text has just been read as an object.
			_ = json.Unmarshal([]byte(raw), &fields)
		}
	}
	if fields == nil { // the JSON was null
		fields = map[string]json.RawMessage{}
	}
	packed, _ := unpack(obj)
	own := maps.Clone(obj.GetAnnotations())
	delete(own, MetadataAnnotation)
	if err := setField(fields, "labels", merge(packed.Labels, obj.GetLabels())); err != nil {
		return err
	}
	if err := setField(fields, "annotations", merge(packed.Annotations, own)); err != nil {
		return err
	}
	if _, ok := fields["creationTimestamp"]; !ok {
		// Calico writes null for "take the object's own".
		fields["creationTimestamp"] = json.RawMessage("null")
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("pack the metadata of %s: %w", obj.GetName(), err)
	}
	annotations := maps.Clone(obj.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[MetadataAnnotation] = string(text)
	obj.SetAnnotations(annotations)
	return nil
}

func setField(fields map[string]json.RawMessage, name string, value map[string]string) error {
	if len(value) == 0 {
		delete(fields, name)
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	fields[name] = text
	return nil
}

// unpack reads the packed annotation; without one the result is empty.
func unpack(obj metav1.Object) (packedMetadata, error) {
	raw, ok := obj.GetAnnotations()[MetadataAnnotation]
	if !ok {
		return packedMetadata{}, nil
	}
	var packed packedMetadata
	if err := json.Unmarshal([]byte(raw), &packed); err != nil {
		return packedMetadata{}, fmt.Errorf("annotation %s of %s: %w", MetadataAnnotation, obj.GetName(), err)
	}
	return packed, nil
}

// merge returns a new map; over wins.
func merge(base, over map[string]string) map[string]string {
	out := make(map[string]string, len(base)+len(over))
	maps.Copy(out, base)
	maps.Copy(out, over)
	return out
}
