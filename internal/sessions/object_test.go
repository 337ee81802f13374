package sessions

import (
	"testing"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// Whose an object is, is told alike everywhere: also where the label is only in what
// Calico has packed away, once the object was written through projectcalico.org/v3.
func TestOurs(t *testing.T) {
	packed := New("n1")
	if err := calico.PackMetadata(packed); err != nil {
		t.Fatal(err)
	}
	packedOnly := packed.DeepCopy()
	packedOnly.Labels = nil
	foreign := New("n1")
	foreign.Labels = map[string]string{v1alpha1.ManagedByLabel: "somebody"}
	packedAway := packed.DeepCopy()
	packedAway.Annotations[calico.MetadataAnnotation] = `{"labels":{"` + v1alpha1.ManagedByLabel + `":"somebody"}}`
	tests := map[string]struct {
		status *calico.CalicoNodeStatus
		want   bool
	}{
		"labeled":                  {New("n1"), true},
		"packed too":               {packed, true},
		"packed only":              {packedOnly, true},
		"somebody's":               {foreign, false},
		"the packed label decides": {packedAway, false},
		"without labels at all":    {&calico.CalicoNodeStatus{}, false},
	}
	for name, test := range tests {
		if got := Ours(test.status); got != test.want || got != calico.ManagedByUs(test.status) {
			t.Errorf("%s: ours %v, want %v", name, got, test.want)
		}
	}
	if !Asks(packedOnly) {
		t.Error("an object whose label is packed away does not count as asking")
	}
}
