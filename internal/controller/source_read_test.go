package controller

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/seed"
)

// TestSourceMakesValidPolicies asks the real API server: whatever is in the section,
// what comes of it is accepted.
func TestSourceMakesValidPolicies(t *testing.T) {
	c := ownV3(t)
	for _, section := range []string{
		`{}`, blog, `{min: 1, max: 1}`, `{min: 500, max: 1000, routeReflectorsPerNode: 50}`, `{min: 10, max: 2}`, `{min: -1, max: 0}`,
		`{topologyType: single, min: 100, max: 100, routeReflectorsPerNode: 20}`, `{topologyType: single, max: 1, routeReflectorsPerNode: 9}`,
		`{topologyType: 7, clusterId: 0.0.0.0, ratio: x, zoneLabel: ""}`, `{clusterId: 255.255.255.255}`, `{clusterId: 1.2.3.04}`,
		`{ratio: 0}`, `{ratio: -1}`, `{ratio: 1e300}`, `{ratio: 1e-300}`, `{ratio: 0.7}`, `{zoneLabel: "-"}`, `{zoneLabel: "a/b/c"}`,
		`{zoneLabel: "` + strings.Repeat("a", 63) + `"}`, `{zoneLabel: "` + strings.Repeat("a", 64) + `"}`,
		`{zoneLabel: "` + strings.Repeat("a.", 126) + `a/` + strings.Repeat("b", 63) + `"}`,
		`{incompatibleLabels: "a,b=,c=d,c=e,,=,x y,a.b/c=d"}`, `{incompatibleLabels: [1, null, "a=b"]}`,
		`{incompatibleLabels: "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r"}`, `{reconcilerPeriod: {}, hostnameLabel: [], unknown: x}`,
	} {
		var fields map[string]any
		c.must(yaml.Unmarshal([]byte(section), &fields))
		policy := newPolicy()
		policy.Spec = seed.Convert(fields).New()
		err := c.client.Create(t.Context(), policy, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
		if err != nil {
			t.Errorf("%s: %v", section, err)
		}
	}
}

// The schema of the section refuses what makes no sense at all, and takes the rest.
func TestSourceSchema(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		s := newSources(c)
		s.makePlace()
		s.writeSection(`{topologyType: multi, clusterId: 224.0.0.0, min: 3, max: 10, ratio: 0.005, routeReflectorsPerNode: 3, routeReflectorLabelKey: k, routeReflectorLabelValue: "",
			zoneLabel: "", hostnameLabel: kubernetes.io/hostname, incompatibleLabels: "a,b=,c=d", reconcilerPeriod: 5m}`)
		for _, section := range []string{
			`"text"`, `["min"]`, `{"min":0}`, `{"min":"2"}`, `{"min":2.5}`, `{"ratio":-1}`, `{"ratio":"0.5"}`, `{"topologyType":"Auto"}`, `{"clusterId":"224.0.0.256"}`,
			`{"clusterId":"224.0.0"}`, `{"clusterId":"224.0.0.0."}`, `{"minimum":2}`,
		} {
			err := s.write([]byte(`{"spec":{"controllers":{"routereflector":`+section+`}}}`), metav1.FieldValidationStrict)
			if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
				t.Errorf("%s: error %v, want one that says what is invalid", section, err)
			}
		}
	})
}

// Where both groups are served, v3 comes first; a section that only v1 has counts.
func TestSourceInTwoGroups(t *testing.T) {
	section := func(min int) map[string]any {
		return map[string]any{"spec": map[string]any{"controllers": map[string]any{"routereflector": map[string]any{"min": int64(min)}}}}
	}
	without := map[string]any{"spec": map[string]any{"controllers": map[string]any{}}}
	broken := map[string]any{"spec": map[string]any{"controllers": map[string]any{"routereflector": "x"}}}
	tests := map[string]struct {
		v3, v1 map[string]any
		min    int64
		group  string
		fail   bool
	}{
		"both":           {v3: section(3), v1: section(1), min: 3, group: "projectcalico.org/v3"},
		"v3 drops it":    {v3: without, v1: section(1), min: 1, group: "crd.projectcalico.org/v1"},
		"v1 alone":       {v1: section(1), min: 1, group: "crd.projectcalico.org/v1"},
		"neither has it": {v3: without, v1: without, group: "projectcalico.org/v3"},
		"no objects":     {group: "projectcalico.org/v3"},
		"unreadable":     {v3: broken, v1: section(1), group: "projectcalico.org/v3", fail: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			from := objects{}
			for group, object := range map[string]map[string]any{"projectcalico.org/v3": test.v3, "crd.projectcalico.org/v1": test.v1} {
				if object != nil {
					from[group] = object
				}
			}
			r := sourceReader{live: from, groups: Sources{V3: true, V1: true}.groups()}
			got, err := r.look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			min, _ := got.section["min"].(int64)
			if min != test.min || (got.err != nil) != test.fail || got.object.GetAPIVersion() != test.group || got.exists() != (test.v3 != nil || test.v1 != nil) {
				t.Errorf("got %v of %s, error %v; want min %d of %s", got.section, got.object.GetAPIVersion(), got.err, test.min, test.group)
			}
		})
	}
}

// objects is a reader of at most one object a group.
type objects map[string]map[string]any

func (o objects) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	group := into.GetObjectKind().GroupVersionKind().GroupVersion().String()
	fields, ok := o[group]
	if !ok {
		return apierrors.NewNotFound(corev1.Resource("kubecontrollersconfigurations"), key.Name)
	}
	object := into.(*unstructured.Unstructured)
	maps.Copy(object.Object, runtime.DeepCopyJSON(fields))
	object.SetResourceVersion("7")
	return nil
}

func (o objects) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

func TestSourcesOf(t *testing.T) {
	with, other := list("bgppeers", "kubecontrollersconfigurations"), list("bgppeers")
	for _, test := range []struct {
		v3, v1 *metav1.APIResourceList
		want   []string
	}{
		{v3: with, v1: with, want: []string{"projectcalico.org/v3", "crd.projectcalico.org/v1"}},
		{v3: other, v1: with, want: []string{"crd.projectcalico.org/v1"}},
		{v3: with, want: []string{"projectcalico.org/v3"}},
		{v1: other},
	} {
		var got []string
		for _, group := range sourcesOf(map[schema.GroupVersion]*metav1.APIResourceList{calico.GroupV3: test.v3, calico.GroupV1: test.v1}).groups() {
			got = append(got, group.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
	}
}

func TestDocumentKeeps(t *testing.T) {
	document := func(spec string) string {
		return `{"components":{"schemas":{"other":{"properties":{"spec":{"x-kubernetes-preserve-unknown-fields":true}}},
			"kcc":{"x-kubernetes-group-version-kind":[{"group":"g","version":"v","kind":"KubeControllersConfiguration"}],"properties":{"spec":` + spec + `}},
			"with":{"properties":{"controllers":{"properties":{"routereflector":{"type":"object"}}}}},
			"circle":{"allOf":[{"$ref":"#/components/schemas/circle"}]}}}}`
	}
	tests := map[string]struct {
		document string
		want     bool
		fail     bool
	}{
		"not there":       {document: document(`{"properties":{"controllers":{"properties":{"node":{}}}}}`)},
		"there":           {document: document(`{"properties":{"controllers":{"properties":{"routereflector":{"type":"object"}}}}}`), want: true},
		"by reference":    {document: document(`{"allOf":[{"$ref":"#/components/schemas/with"}],"default":{}}`), want: true},
		"in a circle":     {document: document(`{"$ref":"#/components/schemas/circle"}`)},
		"dangling":        {document: document(`{"$ref":"#/components/schemas/nobody"}`)},
		"all is kept":     {document: document(`{"properties":{"controllers":{"x-kubernetes-preserve-unknown-fields":true}}}`), want: true},
		"any name":        {document: document(`{"properties":{"controllers":{"additionalProperties":{"type":"object"}}}}`), want: true},
		"no name":         {document: document(`{"properties":{"controllers":{"additionalProperties":false}}}`)},
		"another kind":    {document: `{"components":{"schemas":{}}}`, fail: true},
		"not a document":  {document: `<html>`, fail: true},
		"no specfication": {document: document(`{}`)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := documentKeeps([]byte(test.document))
			if got != test.want || (err != nil) != test.fail {
				t.Errorf("%v, %v; want %v", got, err, test.want)
			}
		})
	}
}
