package controller

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// answers is what discovery answers.
type answers struct {
	resources map[schema.GroupVersion]*metav1.APIResourceList
	failed    map[schema.GroupVersion]error
	legacy    bool // no aggregated discovery
	away      error
}

func (s answers) GroupsAndMaybeResourcesWithContext(context.Context) (*metav1.APIGroupList,
	map[schema.GroupVersion]*metav1.APIResourceList, map[schema.GroupVersion]error, error) {
	if s.away != nil {
		return nil, nil, nil, s.away
	}
	if s.legacy {
		return &metav1.APIGroupList{}, nil, map[schema.GroupVersion]error{}, nil
	}
	failed := map[schema.GroupVersion]error{}
	for group, err := range s.failed {
		failed[group] = err
	}
	return &metav1.APIGroupList{}, s.resources, failed, nil
}

func (s answers) ServerResourcesForGroupVersionWithContext(_ context.Context, group string) (*metav1.APIResourceList, error) {
	parsed, err := schema.ParseGroupVersion(group)
	if err != nil {
		return nil, err
	}
	if err := s.failed[parsed]; err != nil {
		return nil, err
	}
	if list := s.resources[parsed]; list != nil {
		return list, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{}, group)
}

func list(names ...string) *metav1.APIResourceList {
	var out metav1.APIResourceList
	for _, name := range names {
		out.APIResources = append(out.APIResources, metav1.APIResource{Name: name})
	}
	return &out
}

func TestFind(t *testing.T) {
	policy := list("routereflectorautoscalers", "routereflectorautoscalers/status")
	all := list("bgppeers", "bgpconfigurations", "bgpfilters", "caliconodestatuses", "clusterinformations")
	old := list("bgppeers", "bgpconfigurations", "clusterinformations")
	other := list("networkpolicies")
	away := errors.New("stale")
	type lists = map[schema.GroupVersion]*metav1.APIResourceList
	tests := map[string]struct {
		resources lists
		failed    map[schema.GroupVersion]error
		broken    string
		group     schema.GroupVersion
		kinds     Kinds
		frozen    string
		policy    bool
	}{
		"v3 and v1: v3": {
			resources: lists{v1alpha1.GroupVersion: policy, calico.GroupV3: all, calico.GroupV1: all},
			group:     calico.GroupV3, kinds: Kinds{true, true, true}, policy: true,
		},
		"v1 alone": {
			resources: lists{v1alpha1.GroupVersion: policy, calico.GroupV1: all},
			group:     calico.GroupV1, kinds: Kinds{true, true, true}, policy: true,
		},
		"v3 serves other kinds only: v1": {
			resources: lists{calico.GroupV3: other, calico.GroupV1: all},
			group:     calico.GroupV1, kinds: Kinds{true, true, true},
		},
		"an old release without some kinds": {
			resources: lists{calico.GroupV1: old},
			group:     calico.GroupV1, kinds: Kinds{Information: true},
		},
		"v3 fails: frozen though v1 is served": {
			resources: lists{calico.GroupV1: all}, failed: map[schema.GroupVersion]error{calico.GroupV3: away},
			frozen: "registered but unavailable (stale)",
		},
		"v3's APIService is unavailable: frozen though discovery remembers it": {
			resources: lists{calico.GroupV3: all, calico.GroupV1: all}, broken: "no endpoints",
			frozen: "registered but unavailable (no endpoints)",
		},
		"v3's APIService is unavailable and discovery does not list it": {
			resources: lists{calico.GroupV1: all}, broken: "no endpoints",
			frozen: "registered but unavailable (no endpoints)",
		},
		"v1 fails": {
			failed: map[schema.GroupVersion]error{calico.GroupV1: away},
			frozen: "does not answer",
		},
		"another group fails": {
			resources: lists{calico.GroupV3: all},
			failed:    map[schema.GroupVersion]error{{Group: "metrics.k8s.io", Version: "v1"}: away},
			group:     calico.GroupV3, kinds: Kinds{true, true, true},
		},
		"neither": {
			resources: lists{v1alpha1.GroupVersion: policy},
			frozen:    "install Calico first", policy: true,
		},
	}
	for name, test := range tests {
		for _, legacy := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				d := &Discoverer{
					client: answers{resources: test.resources, failed: test.failed, legacy: legacy},
					broken: func(context.Context, schema.GroupVersion) (string, error) { return test.broken, nil },
				}
				if test.resources == nil {
					d.client = answers{resources: lists{}, failed: test.failed, legacy: legacy}
				}
				got, err := d.Find(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if got.Group != test.group || got.Kinds != test.kinds || got.Policy != test.policy ||
					(got.Frozen != "") != (test.frozen != "") || !strings.Contains(got.Frozen, test.frozen) {
					t.Errorf("aggregated discovery %v: got %+v, want %+v", !legacy, got, test)
				}
			})
		}
	}
}

func TestFindFailsWhileTheServerIsAway(t *testing.T) {
	away := errors.New("connection refused")
	fine := func(context.Context, schema.GroupVersion) (string, error) { return "", nil }
	broken := func(context.Context, schema.GroupVersion) (string, error) { return "", away }
	for name, d := range map[string]*Discoverer{
		"discovery":  {client: answers{away: away}, broken: fine},
		"APIService": {client: answers{resources: map[schema.GroupVersion]*metav1.APIResourceList{}}, broken: broken},
	} {
		if got, err := d.Find(t.Context()); !errors.Is(err, away) {
			t.Errorf("%s: found %+v and error %v, want %v", name, got, err, away)
		}
	}
}

func TestJudgeAPIService(t *testing.T) {
	tests := map[string]struct {
		json, want string
		fail       bool
	}{
		"local":       {json: `{"spec":{"group":"projectcalico.org"},"status":{"conditions":[{"type":"Available","status":"True"}]}}`},
		"available":   {json: `{"spec":{"service":{"name":"api"}},"status":{"conditions":[{"type":"Available","status":"True"}]}}`},
		"unavailable": {json: `{"spec":{"service":{"name":"api"}},"status":{"conditions":[{"type":"Available","status":"False","message":"no endpoints"}]}}`, want: "no endpoints"},
		"unknown":     {json: `{"spec":{"service":{"name":"api"}},"status":{"conditions":[{"type":"Available","status":"Unknown","message":"who knows"}]}}`, want: "who knows"},
		"not checked": {json: `{"spec":{"service":{"name":"api"}}}`, want: "not been checked"},
		"no JSON":     {json: `<html>`, fail: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := judgeAPIService([]byte(test.json))
			if (err != nil) != test.fail || !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("got %q, error %v; want %q", got, err, test.want)
			}
		})
	}
}
