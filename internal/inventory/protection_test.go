package inventory

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

func TestProtection(t *testing.T) {
	t.Parallel()
	const scaleDown, disrupt = v1alpha1.ScaleDownDisabledAnnotation, v1alpha1.DoNotDisruptAnnotation
	owns := func(manager string, keys ...string) metav1.ManagedFieldsEntry {
		fields := ""
		for _, key := range keys {
			fields += `,"f:` + key + `":{}`
		}
		return metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationApply,
			FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{".":{}` + fields + `},"f:labels":{"f:x":{}}}}`),
		}
	}
	tests := []struct {
		name            string
		annotations     map[string]string
		fields          []metav1.ManagedFieldsEntry
		ours, otherwise []string
	}{
		{name: "none"},
		{name: "ours", annotations: map[string]string{disrupt: "true", scaleDown: "true"},
			fields: []metav1.ManagedFieldsEntry{owns("kubelet"), owns("tapetum", scaleDown, disrupt)}, ours: []string{scaleDown, disrupt}},
		{name: "one is ours", annotations: map[string]string{disrupt: "true", scaleDown: "true"},
			fields: []metav1.ManagedFieldsEntry{owns("kubectl", scaleDown), owns("tapetum", disrupt)}, ours: []string{disrupt}},
		{name: "shared", annotations: map[string]string{disrupt: "true"},
			fields: []metav1.ManagedFieldsEntry{owns("kubectl", disrupt), owns("tapetum", disrupt)}, ours: []string{disrupt}},
		{name: "somebody's with the same value", annotations: map[string]string{disrupt: "true"},
			fields: []metav1.ManagedFieldsEntry{owns("kubectl", disrupt), owns("tapetum", "projectcalico.org/RouteReflectorClusterID")}},
		{name: "somebody's with another", annotations: map[string]string{disrupt: "false"},
			fields: []metav1.ManagedFieldsEntry{owns("kubectl", disrupt)}, otherwise: []string{disrupt}},
		{name: "owned, but not there", fields: []metav1.ManagedFieldsEntry{owns("tapetum", disrupt)}},
		{name: "fields that cannot be read", annotations: map[string]string{disrupt: "true"},
			fields: []metav1.ManagedFieldsEntry{{Manager: "tapetum", FieldsV1: metav1.NewFieldsV1(`{"f:` + disrupt)}, {Manager: "tapetum"}}},
		{name: "a label of that name", annotations: map[string]string{disrupt: "true"},
			fields: []metav1.ManagedFieldsEntry{{Manager: "tapetum", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:` + disrupt + `":{}}}}`)}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Annotations: test.annotations, ManagedFields: test.fields}}
			check := func(what string) {
				got := FromKubernetes(node)
				if diff := cmp.Diff(test.ours, got.Protected); diff != "" {
					t.Errorf("%s: protected (-want +got):\n%s", what, diff)
				}
				if diff := cmp.Diff(test.otherwise, got.ProtectedOtherwise); diff != "" {
					t.Errorf("%s: protected otherwise (-want +got):\n%s", what, diff)
				}
			}
			check("all managed fields")
			node.ManagedFields = ProtectionFields(node)
			check("the least managed fields")
		})
	}
}
