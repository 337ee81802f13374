package seed

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

var labelPattern = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)

// invalid says what the definition of RouteReflectorAutoscaler forbids in a new
// specification; "" where it is fine. That the definition itself says so too is
// tested on an API server, in internal/controller.
func invalid(spec v1alpha1.RouteReflectorAutoscalerSpec) string {
	between := func(n, low, high int32) bool { return low <= n && n <= high }
	switch id, err := netip.ParseAddr(spec.ClusterID); {
	case err != nil || !id.Is4() || id.IsUnspecified() || len(spec.ClusterID) > 15:
		return "clusterID " + spec.ClusterID
	case !labelPattern.MatchString(spec.ZoneLabel) || len(spec.ZoneLabel) > 317:
		return "zoneLabel " + spec.ZoneLabel
	case spec.Topology != v1alpha1.TopologySingle && spec.Topology != v1alpha1.TopologyMulti:
		return "topology " + string(spec.Topology)
	case !between(spec.Scaling.Min, 1, 100) || !between(spec.Scaling.Max, 1, 100) || !between(*spec.Scaling.NodesPerReflector, 1, 10_000):
		return "scaling"
	case !between(spec.ReflectorsPerClient, 1, 20) || !between(*spec.Limits.ReflectorFailures, 0, 10):
		return "reflectorsPerClient or limits.reflectorFailures"
	case len(spec.Placement.Exclude) > 16 || spec.Scaling.Ladder != nil:
		return "placement.exclude or scaling.ladder"
	}
	if _, err := inventory.NewRules(spec.Placement, inventory.Cluster{}); err != nil {
		return err.Error()
	}
	return strings.Join(topology.Contradictions(spec.WithDefaults()), "; ")
}

func check(t interface{ Fatalf(string, ...any) }, section map[string]any) {
	wish := Convert(section)
	spec := wish.New()
	if problem := invalid(spec); problem != "" {
		t.Fatalf("section %v becomes invalid (%s): %+v", section, problem, spec)
	}
	if len(wish.Notes) > maxNotes+1 {
		t.Fatalf("%d notes", len(wish.Notes))
	}
	for _, note := range wish.Notes {
		if strings.ContainsAny(note, "\n\r\x00") || strings.ToValidUTF8(note, "") != note {
			t.Fatalf("note %q cannot be printed", note)
		}
	}
	second := Convert(section).New()
	if a, b := mustJSON(spec), mustJSON(second); a != b {
		t.Fatalf("two conversions differ:\n%s\n%s", a, b)
	}
}

func mustJSON(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func TestConvertIsAlwaysValid(t *testing.T) {
	number := rapid.OneOf(
		rapid.Map(rapid.Int64Range(-3, 130), func(n int64) any { return n }),
		rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.Float64(), func(n float64) any { return n }),
		rapid.Map(rapid.Float64Range(-0.1, 1.1), func(n float64) any { return n }),
	)
	text := rapid.OneOf(
		rapid.SampledFrom([]any{"", "single", "multi", "224.0.0.0", "255.255.255.255", "0.0.0.1", "a=b", "a,b=,c=d", "kubernetes.io/arch", "x/y/z"}),
		rapid.Map(rapid.StringMatching(`[a-zA-Z0-9./_=, -]{0,40}`), func(s string) any { return s }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
	)
	other := rapid.SampledFrom([]any{nil, true, []any{}, []any{"a", nil, 3.5, "b=c"}, map[string]any{}, map[string]any{"a": "b"}})
	fields := []string{
		"topologyType", "clusterId", "min", "max", "ratio", "routeReflectorsPerNode", "routeReflectorLabelKey", "routeReflectorLabelValue",
		"zoneLabel", "hostnameLabel", "incompatibleLabels", "reconcilerPeriod", "something",
	}
	rapid.Check(t, func(t *rapid.T) {
		section := rapid.MapOf(rapid.SampledFrom(fields), rapid.OneOf(number, text, other)).Draw(t, "section")
		check(t, section)
	})
}

func FuzzConvert(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"min":2,"ratio":0.5,"zoneLabel":"kubernetes.io/arch"}`, `{"min":-1,"max":1e400}`,
		`{"incompatibleLabels":"a,b=,c=d,,=,a=b=c","topologyType":"single"}`, `{"ratio":"NaN","clusterId":"0.0.0.0","zoneLabel":""}`,
		`{"incompatibleLabels":["a",{"b":1},null],"routeReflectorsPerNode":1e3}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var section any
		if json.Unmarshal(data, &section) != nil {
			return
		}
		object := map[string]any{"spec": map[string]any{"controllers": map[string]any{"routereflector": section}}}
		fields, found, err := Section(object)
		if _, isMap := section.(map[string]any); found != isMap || (err != nil) != (section != nil && !isMap) {
			t.Fatalf("%s: found %v, error %v", data, found, err)
		}
		check(t, fields)
		Trace([]metav1.ManagedFieldsEntry{{Manager: "m", FieldsV1: metav1.NewFieldsV1(string(data))}}, map[string]string{lastApplied: string(data)})
	})
}
