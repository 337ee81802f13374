package calico

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

func packed(labels map[string]string, annotation string) *BGPPeer {
	peer := &BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "clients", Labels: labels}}
	if annotation != "" {
		peer.Annotations = map[string]string{MetadataAnnotation: annotation}
	}
	return peer
}

func TestLabels(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		own        map[string]string
		annotation string
		want       map[string]string
	}{
		{"none", nil, "", map[string]string{}},
		{"own only", map[string]string{"a": "1"}, "", map[string]string{"a": "1"}},
		{"packed only", nil, `{"generation":1,"creationTimestamp":null,"labels":{"a":"1"}}`, map[string]string{"a": "1"}},
		{"packed wins", map[string]string{"a": "1", "b": "2"}, `{"labels":{"a":"9","c":"3"}}`,
			map[string]string{"a": "9", "b": "2", "c": "3"}},
		{"packed without labels", map[string]string{"a": "1"}, `{"creationTimestamp":null}`, map[string]string{"a": "1"}},
		{"null", map[string]string{"a": "1"}, `null`, map[string]string{"a": "1"}},
		{"broken", map[string]string{"a": "1"}, `{"labels":{"b":`, map[string]string{"a": "1"}},
		{"wrong type", map[string]string{"a": "1"}, `{"labels":{"b":7}}`, map[string]string{"a": "1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			peer := packed(tt.own, tt.annotation)
			before := peer.DeepCopy()
			if diff := cmp.Diff(tt.want, Labels(peer)); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, peer); diff != "" {
				t.Errorf("the object changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestManagedByUs(t *testing.T) {
	t.Parallel()
	label := map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}
	tests := []struct {
		name string
		peer *BGPPeer
		want bool
	}{
		{"label", packed(label, ""), true},
		{"packed label", packed(nil, `{"labels":{"app.kubernetes.io/managed-by":"tapetum"}}`), true},
		{"taken over through v3", packed(label, `{"labels":{"app.kubernetes.io/managed-by":"Helm"}}`), false},
		{"nobody's", packed(nil, ""), false},
		{"another's", packed(map[string]string{v1alpha1.ManagedByLabel: "Helm"}, ""), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ManagedByUs(tt.peer); got != tt.want {
				t.Errorf("ManagedByUs = %v, want %v", got, tt.want)
			}
		})
	}
}

// throughV3 does what Calico does to the metadata of a v1 object on its way to a
// user of v3.
func throughV3(t *testing.T, peer *BGPPeer) metav1.ObjectMeta {
	t.Helper()
	var meta metav1.ObjectMeta
	if err := json.Unmarshal([]byte(peer.Annotations[MetadataAnnotation]), &meta); err != nil {
		t.Fatalf("Calico could not read the packed annotation: %v", err)
	}
	return meta
}

func TestPackMetadata(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		labels     map[string]string
		annotation string
		want       string
	}{
		{"new object", map[string]string{"b": "2", "a": "1"}, "",
			`{"annotations":{"note":"x"},"creationTimestamp":null,"labels":{"a":"1","b":"2"}}`},
		{"no labels", nil, "", `{"annotations":{"note":"x"},"creationTimestamp":null}`},
		{"own labels win, the rest is kept", map[string]string{"a": "1"},
			`{"creationTimestamp":"2026-04-01T18:58:29Z","generation":3,"labels":{"a":"0","c":"3"},"ownerReferences":[{"kind":"X","name":"n","uid":"u","apiVersion":"v1"}]}`,
			`{"annotations":{"note":"x"},"creationTimestamp":"2026-04-01T18:58:29Z","generation":3,"labels":{"a":"1","c":"3"},"ownerReferences":[{"kind":"X","name":"n","uid":"u","apiVersion":"v1"}]}`},
		{"null", map[string]string{"a": "1"}, "null", `{"annotations":{"note":"x"},"creationTimestamp":null,"labels":{"a":"1"}}`},
		{"broken", map[string]string{"a": "1"}, "{", `{"annotations":{"note":"x"},"creationTimestamp":null,"labels":{"a":"1"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			peer := packed(tt.labels, tt.annotation)
			if peer.Annotations == nil {
				peer.Annotations = map[string]string{}
			}
			peer.Annotations["note"] = "x"
			if err := PackMetadata(peer); err != nil {
				t.Fatal(err)
			}
			once := peer.Annotations[MetadataAnnotation]
			if diff := cmp.Diff(tt.want, once); diff != "" {
				t.Errorf("annotation (-want +got):\n%s", diff)
			}
			for k, v := range tt.labels {
				if got := throughV3(t, peer).Labels[k]; got != v {
					t.Errorf("label %s through v3 = %q, want %q", k, got, v)
				}
			}
			if diff := cmp.Diff(map[string]string{"note": "x"}, Annotations(peer)); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			if err := PackMetadata(peer); err != nil || peer.Annotations[MetadataAnnotation] != once {
				t.Errorf("packing twice gives %s, %v; want %s", peer.Annotations[MetadataAnnotation], err, once)
			}
		})
	}
}

// FuzzPackedMetadata checks that no packed annotation makes the codec panic, and
// that after packing both groups show the same labels.
func FuzzPackedMetadata(f *testing.F) {
	for _, seed := range []string{"", "null", "{", `{"labels":{"a":"9"}}`, `{"labels":null,"annotations":{"x":null}}`, `{"Labels":{"b":"1"}}`, `[]`} {
		f.Add(seed, "a", "1")
	}
	f.Fuzz(func(t *testing.T, annotation, key, value string) {
		peer := packed(map[string]string{key: value}, annotation)
		if err := PackMetadata(peer); err != nil {
			t.Fatal(err)
		}
		var meta packedMetadata
		if err := json.Unmarshal([]byte(peer.Annotations[MetadataAnnotation]), &meta); err != nil {
			t.Fatalf("packed annotation %q: %v", peer.Annotations[MetadataAnnotation], err)
		}
		labels := Labels(peer)
		for k, v := range meta.Labels {
			if labels[k] != v {
				t.Fatalf("label %q is %q through v1 and %q through v3", k, labels[k], v)
			}
		}
	})
}
