package controller

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// FuzzKeysOf: whoever else has written on a node, and whatever: what is to be taken
// away there is ours, and a cluster ID that we did not write is told as somebody's.
func FuzzKeysOf(f *testing.F) {
	const owned = `{"f:metadata":{"f:annotations":{"f:` + v1alpha1.ClusterIDAnnotation + `":{}}}}`
	f.Add(owned, v1alpha1.FieldManager, "Apply", "224.0.0.1", "core", "zone", "224.0.0.1")
	f.Add("{", "kubectl", "Update", "\x1b", "", v1alpha1.HomeLabel, "")
	f.Add(`{"f:metadata":[]}`, v1alpha1.FieldManager, "", "", "x", v1alpha1.NodeKeyPrefix+"x", "1.2.3.4")
	f.Add(`null`, "", "", "0.0.0.0", "x", v1alpha1.ServesLabelPrefix, "1.2.3.4")
	f.Fuzz(func(t *testing.T, fields, manager, operation, id, tier, label, wanted string) {
		entry := metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationType(operation), FieldsV1: metav1.NewFieldsV1(fields)}
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{label: tier}, Annotations: map[string]string{v1alpha1.ClusterIDAnnotation: id}, ManagedFields: []metav1.ManagedFieldsEntry{entry},
		}}
		if tier != "" {
			node.Labels[v1alpha1.ReflectorLabel] = tier
		}
		role := &rollout.NodeRole{Node: "n1", ClusterID: wanted, Labels: map[string]string{}}
		keys := keysOf(node, role)
		for _, key := range keys.extraLabels {
			if !strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) {
				t.Errorf("label %q would be taken away", key)
			}
		}
		if _, reflector := node.Labels[v1alpha1.ReflectorLabel]; !reflector && manager != v1alpha1.FieldManager && keys.foreignID != id {
			t.Errorf("cluster ID %q of somebody's is told as %q", id, keys.foreignID)
		}
		body, _, err := roleBody(node, role, keys)
		if err != nil || len(body) == 0 {
			t.Errorf("body %q: %v", body, err)
		}
		lastModifier(node.ManagedFields)
	})
}

// FuzzJudgeAPIService: no APIService makes the reader panic, and only one without a
// service, or whose condition says so, is available.
func FuzzJudgeAPIService(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"spec":{"service":{"name":"x"}}}`, `{"spec":{"service":{}},"status":{"conditions":[{"type":"Available","status":"True"}]}}`,
		`{"spec":{"service":{}},"status":{"conditions":[{"type":"Available","status":"False","message":"\u001b[2J"}]}}`,
		`{"spec":{"service":{}},"status":{"conditions":[{"type":"Available","status":"False"}]}}`, `[`, `{"spec":[]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		problem, err := judgeAPIService(raw)
		var service apiService
		if json.Unmarshal(raw, &service) != nil {
			if err == nil {
				t.Errorf("%q is taken", raw)
			}
			return
		}
		available := service.Spec.Service == nil
		for _, condition := range service.Status.Conditions {
			available = available || condition.Type == "Available" && condition.Status == "True"
		}
		if problem == "" && !available {
			t.Errorf("%s is available", raw)
		}
	})
}

// FuzzNote: an event and a condition take any text.
func FuzzNote(f *testing.F) {
	f.Add(hostile, 1)
	f.Add("ü", 5000)
	f.Fuzz(func(t *testing.T, text string, times int) {
		text = strings.Repeat(text, min(max(times, 0), 10_000/max(len(text), 1)))
		note, message := toNote(text), toMessage(text)
		if len(note) > maxNote || len(message) > maxMessage || strings.ContainsAny(note, "\n\x1b\r") || strings.ContainsAny(message, "\x1b\r") {
			t.Errorf("%.100q becomes %.100q and %.100q", text, note, message)
		}
		if toMessage(message) != message || toNote(note) != note {
			t.Errorf("%.100q is not stable", text)
		}
	})
}
