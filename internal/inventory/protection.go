package inventory

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// Protection is the value of an annotation that keeps an autoscaler of nodes away.
const Protection = "true"

// ProtectionKeys are the annotations that protect a node from autoscalers, sorted.
var ProtectionKeys = []string{v1alpha1.ScaleDownDisabledAnnotation, v1alpha1.DoNotDisruptAnnotation}

// protection tells which of the protecting annotations of a node are ours, and
// which are somebody else's and say something else.
func protection(node *corev1.Node) (ours, otherwise []string) {
	for _, key := range ProtectionKeys {
		value, set := node.Annotations[key]
		switch {
		case !set:
		case ownsAnnotation(node.ManagedFields, key):
			ours = append(ours, key)
		case value != Protection:
			otherwise = append(otherwise, key)
		}
	}
	return ours, otherwise
}

// ownsAnnotation tells whether our field manager owns the annotation, by apply or
// by patch.
func ownsAnnotation(entries []metav1.ManagedFieldsEntry, key string) bool {
	return slices.ContainsFunc(entries, func(entry metav1.ManagedFieldsEntry) bool {
		if entry.Manager != v1alpha1.FieldManager || entry.FieldsV1 == nil {
			return false
		}
		raw := entry.FieldsV1.String()
		if !strings.Contains(raw, key) {
			return false // most nodes; reading JSON costs more
		}
		var fields struct {
			Metadata struct {
				Annotations map[string]json.RawMessage `json:"f:annotations"`
			} `json:"f:metadata"`
		}
		if json.Unmarshal([]byte(raw), &fields) != nil {
			return false
		}
		_, owns := fields.Metadata.Annotations["f:"+key]
		return owns
	})
}

// ProtectionFields are the least managed fields from which FromKubernetes tells of
// the protection what it tells of all of them: for a cache of many nodes.
func ProtectionFields(node *corev1.Node) []metav1.ManagedFieldsEntry {
	ours, _ := protection(node)
	if len(ours) == 0 {
		return nil
	}
	parts := make([]string, 0, len(ours))
	for _, key := range ours {
		parts = append(parts, `"f:`+key+`":{}`)
	}
	return []metav1.ManagedFieldsEntry{{
		Manager: v1alpha1.FieldManager, Operation: metav1.ManagedFieldsOperationApply,
		FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{` + strings.Join(parts, ",") + `}}}`),
	}}
}
