package seed

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// blog is what the blog post of the seed's author tells people to write.
const blog = `{min: 2, ratio: 0.5, zoneLabel: kubernetes.io/arch}`

func parse(t testing.TB, text string) map[string]any {
	t.Helper()
	section := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &section); err != nil {
		t.Fatal(err)
	}
	return section
}

// defaults is what an empty section asks for.
func defaults(change func(*v1alpha1.RouteReflectorAutoscalerSpec)) v1alpha1.RouteReflectorAutoscalerSpec {
	spec := v1alpha1.RouteReflectorAutoscalerSpec{
		Topology:            v1alpha1.TopologyMulti,
		ClusterID:           "224.0.0.0",
		Scaling:             v1alpha1.Scaling{Min: 3, Max: 10, NodesPerReflector: ptr.To[int32](200)},
		Limits:              v1alpha1.Limits{ReflectorFailures: ptr.To[int32](1)},
		ReflectorsPerClient: 3,
		ZoneLabel:           "topology.kubernetes.io/zone",
	}
	if change != nil {
		change(&spec)
	}
	return spec
}

func key(name string, operator metav1.LabelSelectorOperator, values ...string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: name, Operator: operator, Values: values}}}
}

type spec = v1alpha1.RouteReflectorAutoscalerSpec

func TestConvert(t *testing.T) {
	const in, exists = metav1.LabelSelectorOpIn, metav1.LabelSelectorOpExists
	tests := map[string]struct {
		section string
		want    func(*spec)
		notes   []string // a part of each
	}{
		"empty": {section: `{}`},
		"nulls": {section: `{min: null, ratio: null, topologyType: null, zoneLabel: null, incompatibleLabels: null, reconcilerPeriod: null}`},
		"blog": {section: blog, want: func(s *spec) {
			s.Scaling.Min, s.Scaling.NodesPerReflector = 2, ptr.To[int32](2)
			s.ReflectorsPerClient, s.ZoneLabel = 2, "kubernetes.io/arch"
		}},
		"all fields": {
			section: `
topologyType: single
clusterId: 10.1.2.3
min: 4
max: 9
ratio: 0.05
routeReflectorsPerNode: 2
routeReflectorLabelKey: rr
routeReflectorLabelValue: pool
zoneLabel: failure-domain.beta.kubernetes.io/zone
hostnameLabel: kubernetes.io/hostname
incompatibleLabels: "gpu, pool=spot,edge=,pool=batch"
reconcilerPeriod: 5m`,
			want: func(s *spec) {
				s.Topology, s.ClusterID = v1alpha1.TopologySingle, "10.1.2.3"
				s.Scaling = v1alpha1.Scaling{Min: 4, Max: 9, NodesPerReflector: ptr.To[int32](20)}
				s.ReflectorsPerClient, s.ZoneLabel = 2, "failure-domain.beta.kubernetes.io/zone"
				s.Placement.Exclude = []metav1.LabelSelector{key("gpu", exists), key("pool", in, "spot", "batch"), key("edge", in, "")}
			},
			notes: []string{"routeReflectorLabelKey", "routeReflectorLabelValue", "hostnameLabel", "reconcilerPeriod"},
		},

		"topology in capitals":   {section: `{topologyType: Single}`, want: func(s *spec) { s.Topology = v1alpha1.TopologySingle }},
		"topology of Tapetum":    {section: `{topologyType: Hierarchy}`, notes: []string{"neither single nor multi"}},
		"topology that is empty": {section: `{topologyType: ""}`, notes: []string{"neither single nor multi"}},
		"topology of a number":   {section: `{topologyType: 2}`, notes: []string{"topologyType is no text but 2"}},

		"cluster ID that is none":         {section: `{clusterId: 224.0.0.256}`, notes: []string{"clusterId"}},
		"cluster ID with a prefix length": {section: `{clusterId: 224.0.0.0/8}`, notes: []string{"clusterId"}},
		"cluster ID of zeros":             {section: `{clusterId: 0.0.0.0}`, notes: []string{"clusterId"}},
		"cluster ID of IPv6":              {section: `{clusterId: "2001:db8::1"}`, notes: []string{"clusterId"}},
		"cluster ID of mapped IPv4":       {section: `{clusterId: "::ffff:10.0.0.1"}`, notes: []string{"clusterId"}},
		"cluster ID of old octal look":    {section: `{clusterId: 010.0.0.1}`, notes: []string{"clusterId"}},
		"cluster ID without wildcard": {
			section: `{clusterId: 1.2.3.4}`, want: func(s *spec) { s.ClusterID = "1.2.3.4" }, notes: []string{"the IDs that follow it"},
		},
		"cluster ID with wildcards": {section: `{clusterId: 10.0.0.0}`, want: func(s *spec) { s.ClusterID = "10.0.0.0" }},

		"min over max": {section: `{min: 8, max: 4}`, want: func(s *spec) { s.Scaling.Min, s.Scaling.Max = 4, 4 }, notes: []string{"min 8 is greater than max"}},
		"max under the default min": {
			section: `{max: 2}`, want: func(s *spec) { s.Scaling.Min, s.Scaling.Max, s.ReflectorsPerClient = 2, 2, 2 }, notes: []string{"min 3 is greater than max"},
		},
		"one reflector": {
			section: `{min: 1, max: 1}`,
			want: func(s *spec) {
				s.Scaling.Min, s.Scaling.Max, s.ReflectorsPerClient, s.Limits.ReflectorFailures = 1, 1, 1, ptr.To[int32](0)
			},
			notes: []string{"routeReflectorsPerNode 2 is greater than max", "no failure of a reflector is survived"},
		},
		"one reflector of many a client": {
			section: `{routeReflectorsPerNode: 1}`,
			want:    func(s *spec) { s.ReflectorsPerClient, s.Limits.ReflectorFailures = 1, ptr.To[int32](0) },
			notes:   []string{"no failure of a reflector is survived"},
		},
		"single does not mind reflectors a client": {
			section: `{topologyType: single, routeReflectorsPerNode: 1}`,
			want:    func(s *spec) { s.Topology, s.ReflectorsPerClient = v1alpha1.TopologySingle, 1 },
		},
		"more a client than the least number": {
			section: `{min: 2, routeReflectorsPerNode: 3}`,
			want:    func(s *spec) { s.Scaling.Min = 2 },
			notes:   []string{"routeReflectorsPerNode 3 is greater than min: there are at least so many reflectors"},
		},
		"smallest min": {section: `{min: 1}`, want: func(s *spec) { s.Scaling.Min, s.ReflectorsPerClient = 1, 2 }},
		"too many": {
			section: `{min: 1000, max: 1e30, routeReflectorsPerNode: 21}`,
			want:    func(s *spec) { s.Scaling.Min, s.Scaling.Max, s.ReflectorsPerClient = 100, 100, 5 },
			notes:   []string{"min is 1000, more", "max is 1e+30, more", "routeReflectorsPerNode is 21, more"},
		},
		"too many paths in single": {
			section: `{topologyType: single, min: 50, max: 60}`,
			want:    func(s *spec) { s.Topology, s.Scaling.Min, s.Scaling.Max = v1alpha1.TopologySingle, 30, 60 },
			notes:   []string{"min is 50, more"},
		},
		"too few": {
			section: `{min: 0, max: -5, routeReflectorsPerNode: -1}`,
			want: func(s *spec) {
				s.Scaling.Min, s.Scaling.Max, s.ReflectorsPerClient, s.Limits.ReflectorFailures = 1, 1, 1, ptr.To[int32](0)
			},
			notes: []string{"min is 0, less", "max is -5, less", "routeReflectorsPerNode is -1, less", "no failure"},
		},
		"whole numbers with a point": {section: `{min: 4.0, max: 12.0}`, want: func(s *spec) { s.Scaling.Min, s.Scaling.Max = 4, 12 }},
		"wrong types": {
			section: `{min: "4", max: [5], ratio: "0.5", routeReflectorsPerNode: 2.5, zoneLabel: {a: b}, clusterId: true, incompatibleLabels: 7}`,
			notes: []string{
				"clusterId is no text but true", `min is no whole number but "4": 3 is taken`, "max is no whole number but [5]: 10 is taken",
				`ratio is no number but "0.5": 0.005 is taken`, "routeReflectorsPerNode is no whole number but 2.5: 3 is taken",
				`zoneLabel is no text but {"a":"b"}`, "incompatibleLabels is no text but 7: ignored, no node is excluded",
			},
		},

		"zones off":          {section: `{zoneLabel: ""}`, want: func(s *spec) { s.ZoneLabel = NoZones }},
		"zone label of none": {section: `{zoneLabel: "no label!"}`, notes: []string{`zoneLabel "no label!" is no label`}},

		"ratio of nothing":      {section: `{ratio: 0}`, want: func(s *spec) { s.Scaling.NodesPerReflector = ptr.To[int32](10_000) }, notes: []string{"scaling.min decides"}},
		"ratio under nothing":   {section: `{ratio: -0.5}`, want: func(s *spec) { s.Scaling.NodesPerReflector = ptr.To[int32](10_000) }, notes: []string{"scaling.min decides"}},
		"ratio of all":          {section: `{ratio: 1}`, want: func(s *spec) { s.Scaling.NodesPerReflector = ptr.To[int32](1) }},
		"ratio of more":         {section: `{ratio: 2.5}`, want: func(s *spec) { s.Scaling.NodesPerReflector = ptr.To[int32](1) }, notes: []string{"more than one reflector a node"}},
		"ratio between numbers": {section: `{ratio: 0.3}`, want: func(s *spec) { s.Scaling.NodesPerReflector = ptr.To[int32](3) }, notes: []string{"one reflector for 3.333 nodes"}},

		"labels as a list": {
			section: `{incompatibleLabels: [gpu, "pool=spot", 5]}`,
			want: func(s *spec) {
				s.Placement.Exclude = []metav1.LabelSelector{key("gpu", exists), key("pool", in, "spot")}
			},
			notes: []string{"5 is no text"},
		},
		"labels twice": {
			section: `{incompatibleLabels: "pool=spot,pool,pool=spot,gpu=,gpu="}`,
			want:    func(s *spec) { s.Placement.Exclude = []metav1.LabelSelector{key("pool", exists), key("gpu", in, "")} },
		},
		"labels that are none": {
			section: `{incompatibleLabels: ",, =x, a b, k!=v, k==v, a/b/c, ok=x"}`,
			want:    func(s *spec) { s.Placement.Exclude = []metav1.LabelSelector{key("ok", in, "x")} },
			notes:   []string{`"=x"`, `"a b"`, `"k!=v"`, `"k==v"`, `"a/b/c"`},
		},
		"too many labels": {
			section: `{incompatibleLabels: "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"}`,
			want: func(s *spec) {
				for name := range strings.FieldsSeq("a b c d e f g h i j k l m n o p") {
					s.Placement.Exclude = append(s.Placement.Exclude, key(name, exists))
				}
			},
			notes: []string{"names 17 labels, placement.exclude takes 16"},
		},
		"unknown fields": {section: `{minimum: 3, Ratio: 0.5}`, notes: []string{`"Ratio" is no field`, `"minimum" is no field`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wish := Convert(parse(t, test.section))
			var got spec
			wish.Keep(&got)
			if diff := cmp.Diff(defaults(test.want), got); diff != "" {
				t.Errorf("specification (-want +got):\n%s", diff)
			}
			if len(wish.Notes) != len(test.notes) {
				t.Fatalf("%d notes, want %d: %q", len(wish.Notes), len(test.notes), wish.Notes)
			}
			for i, part := range test.notes {
				if !strings.Contains(wish.Notes[i], part) {
					t.Errorf("note %q does not contain %q", wish.Notes[i], part)
				}
			}
		})
	}
}

func TestNumbersThatJSONDoesNotHave(t *testing.T) {
	for _, number := range []any{math.NaN(), math.Inf(1), math.Inf(-1), json.Number("1e999"), json.Number("x")} {
		wish := Convert(map[string]any{"ratio": number, "min": number})
		var got spec
		wish.Keep(&got)
		if diff := cmp.Diff(defaults(nil), got); diff != "" || len(wish.Notes) != 2 {
			t.Errorf("%v: notes %q, specification (-want +got):\n%s", number, wish.Notes, diff)
		}
	}
}

func TestKeepLeavesTheRestToThePerson(t *testing.T) {
	spec := v1alpha1.RouteReflectorAutoscalerSpec{
		Mode: v1alpha1.ModePaused, NodeMesh: v1alpha1.NodeMeshUnmanaged, MeshUpTo: ptr.To[int32](7),
		Scaling:   v1alpha1.Scaling{Ladder: []v1alpha1.LadderStep{{Nodes: 1, Reflectors: 2}}, ScaleDownStabilizationSeconds: ptr.To[int32](9)},
		Limits:    v1alpha1.Limits{SessionsPerReflector: 100, PathsPerRoute: 12},
		Placement: v1alpha1.Placement{Pinned: []string{"n1"}, Exclude: []metav1.LabelSelector{key("old", metav1.LabelSelectorOpExists)}},
		Rollout:   v1alpha1.Rollout{Gate: v1alpha1.GateDelay},
	}
	want := *spec.DeepCopy()
	wish := Convert(parse(t, blog))
	wish.Keep(&spec)
	want.Topology, want.ClusterID, want.ZoneLabel = v1alpha1.TopologyMulti, "224.0.0.0", "kubernetes.io/arch"
	want.Scaling.Min, want.Scaling.Max, want.Scaling.NodesPerReflector, want.Scaling.Ladder = 2, 10, ptr.To[int32](2), nil
	want.Limits.ReflectorFailures, want.ReflectorsPerClient, want.Placement.Exclude = ptr.To[int32](1), 2, nil
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Errorf("specification (-want +got):\n%s", diff)
	}
	again := *spec.DeepCopy()
	wish.Keep(&again)
	if diff := cmp.Diff(spec, again); diff != "" {
		t.Errorf("kept twice (-once +twice):\n%s", diff)
	}
}

func TestNewPrefersNoNodes(t *testing.T) {
	wish := Convert(nil)
	prefer := wish.New().WithDefaults().Placement.Prefer
	if len(prefer) != 1 || prefer[0].Weight != 0 {
		t.Errorf("prefers %+v", prefer)
	}
}

func TestNotesAreBounded(t *testing.T) {
	section := map[string]any{}
	for _, name := range strings.Split(strings.Repeat("x,", 200), ",") {
		section[name+strings.Repeat("y", len(section)*10)+"\n\xff"] = 1
		section["n"+strings.Repeat("z", len(section))] = strings.Repeat("long", 1000)
	}
	wish := Convert(section)
	if len(wish.Notes) > maxNotes+1 {
		t.Errorf("%d notes", len(wish.Notes))
	}
	for _, note := range wish.Notes {
		if len(note) > 200 || strings.Contains(note, "\n") || strings.ToValidUTF8(note, "") != note {
			t.Errorf("note %q", note)
		}
	}
}
