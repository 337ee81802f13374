package controller

import (
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/topology"
)

// TestAPIRefusesInvalidPolicies asks the real API server: what is wrong must be
// refused at once, and said so that a person can put it right.
func TestAPIRefusesInvalidPolicies(t *testing.T) {
	c := ownV3(t)
	tests := map[string]struct {
		name, spec string
		want       string // part of the message; "" where it must be accepted
	}{
		"empty":                    {spec: `{}`},
		"all fields":               {spec: full},
		"another name":             {name: "second", spec: `{}`, want: `its name must be "default"`},
		"min over max":             {spec: `{scaling: {min: 5, max: 4}}`, want: "scaling.min must not be greater than scaling.max"},
		"min over the default max": {spec: `{scaling: {min: 101}}`, want: "scaling.min"},
		"max under the default min": {
			spec: `{scaling: {max: 2}}`, want: "scaling.min must not be greater than scaling.max",
		},
		"min of zero":             {spec: `{scaling: {min: 0}}`, want: "spec.scaling.min"},
		"two ratios":              {spec: `{scaling: {nodesPerReflector: 100, ladder: [{nodes: 1, reflectors: 3}]}}`, want: "set only one of scaling.nodesPerReflector and scaling.ladder"},
		"ladder alone":            {spec: `{scaling: {ladder: [{nodes: 1, reflectors: 3}, {nodes: 500, reflectors: 5}]}}`},
		"ladder without steps":    {spec: `{scaling: {ladder: []}}`, want: "spec.scaling.ladder"},
		"ladder with a double":    {spec: `{scaling: {ladder: [{nodes: 1, reflectors: 3}, {nodes: 1, reflectors: 5}]}}`, want: "Duplicate value"},
		"ladder to no reflectors": {spec: `{scaling: {ladder: [{nodes: 1, reflectors: 0}]}}`, want: "reflectors"},
		"ladder not by nodes":     {spec: `{scaling: {ladder: [{nodes: 500, reflectors: 3}, {nodes: 1, reflectors: 3}]}}`, want: "scaling.ladder is out of order: list its steps by ascending nodes"},
		"ladder that descends":    {spec: `{scaling: {ladder: [{nodes: 1, reflectors: 5}, {nodes: 500, reflectors: 3}]}}`, want: "scaling.ladder is out of order: a step with more nodes must not have fewer reflectors"},
		"ladder of 64 steps":      {spec: `{scaling: {ladder: [` + steps(64) + `]}}`},
		"more failures than reflectors": {
			spec: `{scaling: {min: 1, max: 2}, limits: {reflectorFailures: 2}}`,
			want: "limits.reflectorFailures must be less than scaling.max",
		},
		"failures that the mesh does not care for": {spec: `{topology: Mesh, scaling: {min: 1, max: 2}, limits: {reflectorFailures: 2}}`},
		"more reflectors a client than there may be": {
			spec: `{topology: Multi, scaling: {max: 4}, reflectorsPerClient: 5}`,
			want: "reflectorsPerClient must not be greater than scaling.max",
		},
		"reflectors a client that Single does not care for": {spec: `{topology: Single, scaling: {max: 4}, reflectorsPerClient: 5}`},
		"failures that take all homes": {
			spec: `{topology: Multi, reflectorsPerClient: 2, limits: {reflectorFailures: 2}}`,
			want: "limits.reflectorFailures must be less than reflectorsPerClient, else a client can lose all its route reflectors",
		},
		"homes with too many paths": {
			spec: `{topology: Multi, reflectorsPerClient: 6}`,
			want: "reflectorsPerClient squared is the number of paths a route in Multi: it must not be greater than limits.pathsPerRoute",
		},
		"reflectors with too many paths": {
			spec: `{topology: Single, scaling: {min: 31}}`,
			want: "scaling.min is the least number of paths a route in Single: it must not be greater than limits.pathsPerRoute",
		},
		"reflectors with too many sessions among them": {
			spec: `{topology: Quorum, scaling: {min: 15}, limits: {sessionsPerReflector: 10}}`,
			want: "scaling.min is the least number of route reflectors that peer with each other: it must not be greater than limits.sessionsPerReflector and 1",
		},
		"more pinned than there may be": {
			spec: `{scaling: {max: 3}, placement: {pinned: [a, b, c, d]}}`,
			want: "placement.pinned must not name more nodes than scaling.max",
		},
		"pinned that the mesh does not care for": {spec: `{topology: Mesh, scaling: {max: 3}, placement: {pinned: [a, b, c, d]}}`},
		"cluster ID with a length": {
			spec: `{clusterID: 224.0.0.0/8}`, want: "clusterID must be a bare IPv4 address",
		},
		"cluster ID of zeros":       {spec: `{clusterID: 0.0.0.0}`, want: "clusterID must be a bare IPv4 address"},
		"cluster ID of IPv6":        {spec: `{clusterID: "2001:db8::1"}`, want: "clusterID must be a bare IPv4 address"},
		"cluster ID that is no IP":  {spec: `{clusterID: 224.0.0.256}`, want: "clusterID must be a bare IPv4 address"},
		"cluster ID empty":          {spec: `{clusterID: ""}`, want: "clusterID"},
		"a mode that is none":       {spec: `{mode: Try}`, want: "spec.mode"},
		"a topology that is none":   {spec: `{topology: Ring}`, want: "spec.topology"},
		"a gate that is none":       {spec: `{rollout: {gate: Hope}}`, want: "spec.rollout.gate"},
		"a mesh switch of nobody":   {spec: `{nodeMesh: Maybe}`, want: "spec.nodeMesh"},
		"a broken zone label":       {spec: `{zoneLabel: "not a label!"}`, want: "spec.zoneLabel"},
		"negative settle time":      {spec: `{rollout: {settleSeconds: -1}}`, want: "spec.rollout.settleSeconds"},
		"weight over the bounds":    {spec: `{placement: {prefer: [{weight: 1000, selector: {}}]}}`, want: "weight"},
		"prefer without a selector": {spec: `{placement: {prefer: [{weight: 1}]}}`, want: "selector"},
		"a field that is none":      {spec: `{scalling: {min: 3}}`, want: "scalling"},
		"a fraction":                {spec: `{meshUpTo: 1.5}`, want: "meshUpTo"},
		"brakes off":                {spec: `{brakes: {notReadyPercent: 0, reflectorsNotReadyPercent: 0, zonePercent: 0}}`},
		"brakes of all":             {spec: `{brakes: {notReadyPercent: 100, reflectorsNotReadyPercent: 100, zonePercent: 100, windowSeconds: 3600, roleChangesPerTenMinutes: 1000}}`},
		"brake beyond all":          {spec: `{brakes: {notReadyPercent: 101}}`, want: "spec.brakes.notReadyPercent"},
		"brake below nothing":       {spec: `{brakes: {reflectorsNotReadyPercent: -1}}`, want: "spec.brakes.reflectorsNotReadyPercent"},
		"brake without a window":    {spec: `{brakes: {windowSeconds: 0}}`, want: "spec.brakes.windowSeconds"},
		"zone that is hardly gone":  {spec: `{brakes: {zonePercent: 49}}`, want: "brakes.zonePercent must be 0 (off) or at least 50: a zone of which less is not ready is not gone"},
		"zone that is half gone":    {spec: `{brakes: {zonePercent: 50}}`},
		"zone that is more than all": {
			spec: `{brakes: {zonePercent: 101}}`, want: "spec.brakes.zonePercent",
		},
		"no role change ever": {spec: `{brakes: {roleChangesPerTenMinutes: 0}}`, want: "spec.brakes.roleChangesPerTenMinutes"},
		"mesh far too large":  {spec: `{meshUpTo: 100000}`, want: "spec.meshUpTo"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object := &unstructured.Unstructured{}
			text := "apiVersion: tapetum.dev/v1alpha1\nkind: RouteReflectorAutoscaler\nspec: " + test.spec
			if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
				t.Fatal(err)
			}
			object.SetName(v1alpha1.SingletonName)
			if test.name != "" {
				object.SetName(test.name)
			}
			inCode(t, object, test.want)
			// As kubectl does, ask to refuse unknown fields.
			err := c.client.Create(t.Context(), object, client.FieldValidation(metav1.FieldValidationStrict))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want == "":
				c.must(c.client.Delete(t.Context(), object))
			case err == nil:
				c.must(c.client.Delete(t.Context(), object))
				t.Error("accepted")
			case !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err):
				t.Errorf("error %v, want one that says what is invalid", err)
			case !strings.Contains(err.Error(), test.want):
				t.Errorf("message %q does not contain %q", err, test.want)
			}
		})
	}
}

// inCode: contradictions that the API server refuses are named in the same words by
// the code, which has to find them in policies from files.
func inCode(t *testing.T, object *unstructured.Unstructured, want string) {
	t.Helper()
	policy := &v1alpha1.RouteReflectorAutoscaler{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, policy); err != nil {
		return // not a policy at all
	}
	found := strings.Join(topology.Contradictions(policy.Spec.WithDefaults()), "; ")
	contradiction := strings.Contains(want, "must not") || strings.Contains(want, "must be 0") || strings.Contains(want, "must be less") || strings.Contains(want, "out of order")
	if contradiction && !strings.Contains(found, want) || want == "" && found != "" {
		t.Errorf("the code finds %q, the API server is to say %q", found, want)
	}
}

// steps are so many steps of a ladder.
func steps(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("{nodes: %d, reflectors: %d}", i*100, i+1))
	}
	return strings.Join(out, ", ")
}

const full = `
  mode: DryRun
  topology: Single
  meshUpTo: 50
  scaling: {min: 3, max: 9, nodesPerReflector: 40, scaleDownStabilizationSeconds: 10}
  limits: {sessionsPerReflector: 400, pathsPerRoute: 10, reflectorFailures: 2}
  reflectorsPerClient: 3
  clusterID: 224.0.0.9
  zoneLabel: topology.kubernetes.io/zone
  placement:
    exclude: [{matchLabels: {a: b}}]
    require: [{matchExpressions: [{key: pool, operator: In, values: [x]}]}]
    prefer: [{weight: 50, selector: {matchLabels: {disk: none}}}]
    allowCordoned: {matchLabels: {dedicated: reflector}}
  nodeMesh: Unmanaged
  rollout: {gate: Delay, settleSeconds: 1, sessionTimeoutSeconds: 60, ignoreNotReadyAfterSeconds: 0}
  brakes: {notReadyPercent: 30, reflectorsNotReadyPercent: 50, windowSeconds: 120, zonePercent: 75, roleChangesPerTenMinutes: 6}
`

// TestAPIFillsInDefaults compares the defaults of the schema with those of the
// code, which apply where a policy comes from a file.
func TestAPIFillsInDefaults(t *testing.T) {
	c := ownV3(t)
	policy := newPolicy()
	c.create(policy)
	inCode := newPolicy().Spec.WithDefaults()
	byServer := c.policy().Spec.WithDefaults()
	a, err := yaml.Marshal(inCode)
	c.must(err)
	b, err := yaml.Marshal(byServer)
	c.must(err)
	if string(a) != string(b) {
		t.Errorf("defaults in code:\n%s\nby the API server:\n%s", a, b)
	}
	// And the other way round: the schema leaves nothing for the code to fill in
	// that a user would want to see, beside the ratio and the preference.
	object := c.policy().Spec
	if object.Mode == "" || object.MeshUpTo == nil || object.Scaling.Min == 0 || object.Limits.SessionsPerReflector == 0 ||
		object.ClusterID == "" || object.Rollout.SettleSeconds == nil || object.Brakes.ZonePercent == nil || object.NodeMesh == "" {
		t.Errorf("the API server left fields unset: %+v", object)
	}
	if object.Scaling.NodesPerReflector != nil {
		t.Error("the schema sets nodesPerReflector: every ladder would be a second choice")
	}
}
