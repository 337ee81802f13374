package seed

import (
	"math"
	"net/netip"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// Defaults of the seed for what its configuration leaves out.
const (
	defaultMin       = 3
	defaultMax       = 10
	defaultRatio     = 0.005
	defaultPerNode   = 3
	defaultClusterID = "224.0.0.0"
)

// Bounds that the definition of RouteReflectorAutoscaler sets. Two more follow from
// the paths for one route that a client may hold.
const (
	mostReflectors = 100
	mostPerClient  = 20
)

var mostPaths = v1alpha1.RouteReflectorAutoscalerSpec{}.WithDefaults().Limits.PathsPerRoute

const (
	// defaultZoneLabel is today's name of the label that was the seed's default,
	// failure-domain.beta.kubernetes.io/zone.
	defaultZoneLabel = "topology.kubernetes.io/zone"
	// NoZones is a node label that nobody sets: all nodes are in one zone.
	NoZones = "tapetum.dev/no-zones"
)

// Wish is what a section asks for, in Tapetum's words.
type Wish struct {
	// told has the fields that the section decides, and no others.
	told v1alpha1.RouteReflectorAutoscalerSpec
	// Notes say, each in a sentence, what of the section could not be taken as it
	// is, in the order of the fields.
	Notes []string
}

// Convert reads a section. It takes anything: what makes no sense, or cannot be
// asked for, is replaced by what comes next to it or by the seed's default, and
// noted. What comes out always passes the validation of RouteReflectorAutoscaler.
func Convert(section map[string]any) Wish {
	v := &values{section: section, known: map[string]bool{}}
	var told v1alpha1.RouteReflectorAutoscalerSpec
	told.Topology = v.topology()
	told.ClusterID = v.clusterID(told.Topology)
	told.Scaling.Min, told.Scaling.Max = v.bounds(told.Topology)
	told.Scaling.NodesPerReflector = v.asked()
	told.ReflectorsPerClient = v.perClient(told.Topology, told.Scaling)
	told.Limits.ReflectorFailures = v.failures(&told)
	told.ZoneLabel = v.zoneLabel()
	told.Placement.Exclude = v.excluded()
	v.ownKeys()
	v.unknown()
	return Wish{told: told, Notes: v.result()}
}

// Keep brings the fields that the section decides to what it asks for, and leaves
// all others: mode, nodeMesh, rollout and the like are a person's to set.
func (w Wish) Keep(spec *v1alpha1.RouteReflectorAutoscalerSpec) {
	told := w.told.DeepCopy()
	spec.Topology = told.Topology
	spec.ClusterID = told.ClusterID
	spec.Scaling.Min, spec.Scaling.Max = told.Scaling.Min, told.Scaling.Max
	spec.Scaling.NodesPerReflector, spec.Scaling.Ladder = told.Scaling.NodesPerReflector, nil
	spec.ReflectorsPerClient = told.ReflectorsPerClient
	spec.Limits.ReflectorFailures = told.Limits.ReflectorFailures
	spec.ZoneLabel = told.ZoneLabel
	spec.Placement.Exclude = told.Placement.Exclude
}

// New returns the specification of a new RouteReflectorAutoscaler. It prefers no
// nodes, as the seed does not; Tapetum's own default are control-plane nodes.
// That is not kept up: a person may change it.
func (w Wish) New() v1alpha1.RouteReflectorAutoscalerSpec {
	var spec v1alpha1.RouteReflectorAutoscalerSpec
	w.Keep(&spec)
	spec.Placement.Prefer = []v1alpha1.PreferTerm{{Weight: 0, Selector: metav1.LabelSelector{}}}
	return spec
}

// topology is never Auto: the section asks for reflectors.
func (v *values) topology() v1alpha1.Topology {
	text, _ := v.text("topologyType", "multi")
	switch strings.ToLower(text) {
	case "single":
		return v1alpha1.TopologySingle
	case "multi":
	default:
		v.note("topologyType %s is neither single nor multi: Multi is taken", show(text))
	}
	return v1alpha1.TopologyMulti
}

// clusterID is the shared ID of Single. Of Multi it is the base: the reflectors get
// the next higher ones, where the seed puts random numbers into its octets of 0.
func (v *values) clusterID(topology v1alpha1.Topology) string {
	text, set := v.text("clusterId", defaultClusterID)
	address, err := netip.ParseAddr(text)
	if err != nil || !address.Is4() || address.IsUnspecified() {
		v.note("clusterId %s is no IPv4 address that can be a cluster ID: %s is taken", show(text), defaultClusterID)
		return defaultClusterID
	}
	if set && topology == v1alpha1.TopologyMulti && !strings.HasSuffix(text, ".0") {
		v.note("clusterId %s has no 0 at its end to be replaced: the reflectors get the IDs that follow it", text)
	}
	return address.String()
}

// bounds are the least and the greatest number of reflectors. As in the seed, the
// greatest has the last word. In Single every reflector is a path of every route.
func (v *values) bounds(topology v1alpha1.Topology) (least, most int32) {
	highest := int32(mostReflectors)
	if topology == v1alpha1.TopologySingle {
		highest = min(highest, mostPaths)
	}
	least = v.whole("min", defaultMin, 1, highest)
	most = v.whole("max", defaultMax, 1, mostReflectors)
	if least > most {
		v.note("min %d is greater than max: scaling.min is %d", least, most)
		least = most
	}
	return least, most
}

// perClient is with how many reflectors a client peers. Where the section does not
// say, no more than there are reflectors in the smallest cluster, though two. In
// Multi a client holds the square of it in paths for every route.
func (v *values) perClient(topology v1alpha1.Topology, scaling v1alpha1.Scaling) int32 {
	highest := int32(mostPerClient)
	if topology == v1alpha1.TopologyMulti {
		highest = min(highest, int32(math.Sqrt(float64(mostPaths))))
	}
	perNode := v.whole("routeReflectorsPerNode", min(defaultPerNode, max(scaling.Min, 2)), 1, highest)
	if topology == v1alpha1.TopologyMulti && perNode > scaling.Min && scaling.Min < scaling.Max {
		if _, set := v.get("routeReflectorsPerNode"); set {
			v.note("routeReflectorsPerNode %d is greater than min: there are at least so many reflectors", perNode)
		}
	}
	if perNode <= scaling.Max {
		return perNode
	}
	v.note("routeReflectorsPerNode %d is greater than max: reflectorsPerClient is %d", perNode, scaling.Max)
	return scaling.Max
}

// failures is how many reflectors may fail: one, where clients have a second one.
func (v *values) failures(told *v1alpha1.RouteReflectorAutoscalerSpec) *int32 {
	one, none := int32(1), int32(0)
	homes := told.ReflectorsPerClient
	if told.Topology == v1alpha1.TopologySingle {
		homes = told.Scaling.Max // a client has all
	}
	if homes > 1 {
		return &one
	}
	v.note("a client has only one reflector: no failure of a reflector is survived (limits.reflectorFailures is 0)")
	return &none
}

// zoneLabel: the empty text switches the seed's zones off.
func (v *values) zoneLabel() string {
	text, set := v.text("zoneLabel", defaultZoneLabel)
	if set && text == "" {
		return NoZones
	}
	if problems := validation.IsQualifiedName(text); len(problems) > 0 {
		v.note("zoneLabel %s is no label: %s is taken", show(text), defaultZoneLabel)
		return defaultZoneLabel
	}
	return text
}

// ownKeys notes the fields for which Tapetum has no use.
func (v *values) ownKeys() {
	for _, field := range []struct{ name, why string }{
		{"routeReflectorLabelKey", "reflectors carry " + v1alpha1.ReflectorLabel + ", which no kubelet can set"},
		{"routeReflectorLabelValue", "reflectors carry " + v1alpha1.ReflectorLabel + ", which no kubelet can set"},
		{"hostnameLabel", "no BGPPeer selects single nodes by their host name"},
		{"reconcilerPeriod", "every change is answered at once (the seed did not use it either)"},
	} {
		if value, set := v.get(field.name); set {
			v.note("%s %s is not used: %s", field.name, show(value), field.why)
		}
	}
}
