package controller

import (
	"cmp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// lastModifier names who has changed an object last, other than Tapetum and those
// who only write status. Whoever owns a field that is Tapetum's comes first:
// on a node, much is changed by many.
func lastModifier(entries []metav1.ManagedFieldsEntry) string {
	others := slices.DeleteFunc(slices.Clone(entries), func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == v1alpha1.FieldManager || e.Subresource != ""
	})
	if len(others) == 0 {
		return ""
	}
	last := slices.MaxFunc(others, func(a, b metav1.ManagedFieldsEntry) int {
		return cmp.Or(
			compare(ownsOurs(a), ownsOurs(b)),
			when(a).Compare(when(b)),
			strings.Compare(b.Manager, a.Manager),
		)
	})
	return last.Manager
}

func ownsOurs(entry metav1.ManagedFieldsEntry) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	fields := entry.FieldsV1.String()
	return strings.Contains(fields, `"f:`+v1alpha1.NodeKeyPrefix) ||
		strings.Contains(fields, `"f:`+v1alpha1.ClusterIDAnnotation+`"`)
}

func compare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func when(entry metav1.ManagedFieldsEntry) time.Time {
	if entry.Time == nil {
		return time.Time{}
	}
	return entry.Time.Time
}
