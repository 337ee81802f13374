package inventory

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// FuzzFromKubernetes: no label, annotation, taint or list of managed fields makes the
// conversion panic, and what a cache keeps of the managed fields tells the same.
func FuzzFromKubernetes(f *testing.F) {
	const owned = `{"f:metadata":{"f:annotations":{"f:` + v1alpha1.DoNotDisruptAnnotation + `":{}}}}`
	f.Add("n1", "linux", "true", owned, v1alpha1.FieldManager, "224.0.0.1", "key")
	f.Add("", "", "false", "{", v1alpha1.FieldManager, "10.0.0.0/8", "\x00")
	f.Add("n1", "windows", "true", `{"f:metadata":null}`, "kubectl", "\x1b[2J", "")
	f.Add("n1", "linux", "true", `{"f:metadata":{"f:annotations":[]}}`+v1alpha1.DoNotDisruptAnnotation, v1alpha1.FieldManager, "", "a/b")
	f.Fuzz(func(t *testing.T, name, os, protected, fields, manager, id, taint string) {
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{
				Name: name, Labels: map[string]string{corev1.LabelOSStable: os, taint: id},
				Annotations:   map[string]string{v1alpha1.DoNotDisruptAnnotation: protected, v1alpha1.ClusterIDAnnotation: id},
				ManagedFields: []metav1.ManagedFieldsEntry{{Manager: manager, FieldsV1: metav1.NewFieldsV1(fields)}, {Manager: v1alpha1.FieldManager}},
			},
			Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: taint}, {Key: id}}},
		}
		got := FromKubernetes(node)
		if got.ClusterID != id || got.OS != os || len(got.Taints) != 2 || !slices.IsSorted(got.Taints) {
			t.Errorf("%+v", got)
		}
		if len(got.Protected) > 0 && manager != v1alpha1.FieldManager {
			t.Errorf("what %q owns is taken for ours", manager)
		}
		node.ManagedFields = ProtectionFields(node)
		if kept := FromKubernetes(node); !slices.Equal(kept.Protected, got.Protected) || !slices.Equal(kept.ProtectedOtherwise, got.ProtectedOtherwise) {
			t.Errorf("from what is kept: %v and %v, want %v and %v", kept.Protected, kept.ProtectedOtherwise, got.Protected, got.ProtectedOtherwise)
		}
	})
}
