package controller

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

func TestLastModifier(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	entry := func(manager string, minute int, fields, subresource string) metav1.ManagedFieldsEntry {
		at := metav1.NewTime(start.Add(time.Duration(minute) * time.Minute))
		return metav1.ManagedFieldsEntry{Manager: manager, Time: &at, Subresource: subresource, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const spec = `{"f:spec":{"f:peerSelector":{}}}`
	ours := `{"f:metadata":{"f:labels":{"f:` + v1alpha1.ReflectorLabel + `":{}}}}`
	clusterID := `{"f:metadata":{"f:annotations":{"f:` + v1alpha1.ClusterIDAnnotation + `":{}}}}`
	tests := map[string]struct {
		entries []metav1.ManagedFieldsEntry
		want    string
	}{
		"nobody":                       {nil, ""},
		"us alone":                     {[]metav1.ManagedFieldsEntry{entry(v1alpha1.FieldManager, 5, spec, "")}, ""},
		"the last one":                 {[]metav1.ManagedFieldsEntry{entry("argocd", 2, spec, ""), entry("kubectl", 1, spec, ""), entry(v1alpha1.FieldManager, 5, spec, "")}, "argocd"},
		"status does not count":        {[]metav1.ManagedFieldsEntry{entry("kubelet", 9, `{"f:status":{}}`, "status"), entry("kubectl", 1, spec, "")}, "kubectl"},
		"an owner of our label":        {[]metav1.ManagedFieldsEntry{entry("kubectl-label", 1, ours, ""), entry("autoscaler", 9, spec, "")}, "kubectl-label"},
		"an owner of our annotation":   {[]metav1.ManagedFieldsEntry{entry("calico-node", 1, clusterID, ""), entry("autoscaler", 9, spec, "")}, "calico-node"},
		"the same time: first by name": {[]metav1.ManagedFieldsEntry{entry("b", 1, spec, ""), entry("a", 1, spec, "")}, "a"},
		"without a time or fields":     {[]metav1.ManagedFieldsEntry{{Manager: "old"}}, "old"},
	}
	for name, test := range tests {
		if got := lastModifier(test.entries); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
