package seed

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSection(t *testing.T) {
	tests := map[string]struct {
		object string
		want   map[string]any
		found  bool
		fail   string
	}{
		"there":             {object: `{spec: {controllers: {routereflector: {min: 2}}}}`, want: map[string]any{"min": float64(2)}, found: true},
		"empty":             {object: `{spec: {controllers: {node: {}, routereflector: {}}}}`, want: map[string]any{}, found: true},
		"null":              {object: `{spec: {controllers: {routereflector: null}}}`},
		"other controllers": {object: `{spec: {controllers: {node: {reconcilerPeriod: 5m}}}}`},
		"no controllers":    {object: `{spec: {}}`},
		"no specification":  {object: `{kind: X}`},
		"nothing":           {object: `{}`},
		"broken above":      {object: `{spec: {controllers: [routereflector]}}`},
		"text":              {object: `{spec: {controllers: {routereflector: "enabled"}}}`, fail: `"enabled"`},
		"list":              {object: `{spec: {controllers: {routereflector: [min]}}}`, fail: `["min"]`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, found, err := Section(parse(t, test.object))
			if (err != nil) != (test.fail != "") || err != nil && (!errors.Is(err, ErrSection) || !strings.Contains(err.Error(), test.fail)) {
				t.Fatalf("error %v, want one with %q", err, test.fail)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || found != test.found {
				t.Errorf("found %v, section (-want +got):\n%s", found, diff)
			}
		})
	}
}

func TestTrace(t *testing.T) {
	entry := func(manager, fields string) metav1.ManagedFieldsEntry {
		e := metav1.ManagedFieldsEntry{Manager: manager, FieldsType: "FieldsV1"}
		if fields != "" {
			e.FieldsV1 = metav1.NewFieldsV1(fields)
		}
		return e
	}
	with := entry("kubectl-edit", `{"f:spec":{"f:controllers":{"f:routereflector":{".":{},"f:min":{}}}}}`)
	without := entry("Go-http-client", `{"f:spec":{"f:controllers":{"f:node":{}}}}`)
	applied := func(text string) map[string]string { return map[string]string{lastApplied: text} }
	tests := map[string]struct {
		managed     []metav1.ManagedFieldsEntry
		annotations map[string]string
		want        string
	}{
		"nothing":              {},
		"a manager":            {managed: []metav1.ManagedFieldsEntry{without, with}, want: `field manager "kubectl-edit" has set it`},
		"other managers":       {managed: []metav1.ManagedFieldsEntry{without, entry("x", ""), entry("y", "[]"), entry("z", `{"f:spec":7}`)}},
		"kubectl apply":        {annotations: applied(`{"spec":{"controllers":{"routereflector":{"min":2}}}}`), want: "the configuration last given to kubectl apply has it"},
		"kubectl apply, text":  {annotations: applied(`{"spec":{"controllers":{"routereflector":"x"}}}`), want: "the configuration last given to kubectl apply has it"},
		"kubectl apply, other": {annotations: applied(`{"spec":{"controllers":{"node":{}}}}`)},
		"kubectl apply, junk":  {annotations: applied(`{`)},
		"kubectl apply, null":  {annotations: applied(`null`)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Trace(test.managed, test.annotations); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
