package lab

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// BGPFilters come from the API to the routes. An old calico-node drops half of the
// tag filter; an old cluster drops it before it is even stored.
func TestCalicoVersions(t *testing.T) {
	t.Parallel()
	c := startLab(t, func(o *Options) { o.Nodes, o.ControlPlanes, o.CalicoVersion = 9, 3, "v3.32.0" })
	await(t, c, "mesh", quiet(9*8/2))
	filter := func() *calico.BGPFilter {
		return &calico.BGPFilter{ObjectMeta: metav1.ObjectMeta{Name: "one-hop"}, Spec: calico.BGPFilterSpec{
			ImportV4: []calico.BGPFilterRule{{Action: "Accept", Operations: []calico.BGPFilterOperation{
				{AddCommunity: &calico.BGPFilterAddCommunity{Value: "64512:1"}},
			}}},
			ExportV4: []calico.BGPFilterRule{{Action: "Reject", Communities: &calico.BGPFilterCommunities{Values: []string{"64512:1"}}}},
		}}
	}
	stored := filter()
	mustWrite(t, c.Client().Create(t.Context(), stored))
	if diff := cmp.Diff(filter().Spec, stored.Spec); diff != "" {
		t.Fatalf("the filter as it is stored (-want +got):\n%s", diff)
	}
	// Three reflectors with IDs of their own; a client peers with that of its zone.
	for _, name := range []string{"a", "b", "c"} {
		mustWrite(t, c.Client().Create(t.Context(), &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "zone-" + name}, Spec: calico.BGPPeerSpec{
			NodeSelector: "!has(reflector) && topology.kubernetes.io/zone == 'zone-" + name + "'", PeerSelector: "reflector == '" + name + "'",
		}}))
	}
	mustWrite(t, c.Client().Create(t.Context(), &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "reflectors"}, Spec: calico.BGPPeerSpec{
		NodeSelector: "has(reflector)", PeerSelector: "has(reflector)", Filters: []string{"one-hop"},
	}}))
	for i, name := range []string{"a", "b", "c"} {
		patchNode(t, c, fmt.Sprintf("control-%d", i+1), fmt.Sprintf(`{"metadata":{"labels":{"reflector":%q},"annotations":{%q:"224.0.0.%d"}}}`,
			name, v1alpha1.ClusterIDAnnotation, i+1))
	}
	off := false
	mustWrite(t, c.Client().Create(t.Context(), &calico.BGPConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off},
	}))
	await(t, c, "three reflectors", func(s *State) bool { return !s.MeshOn && quiet(6+3)(s) })
	// The old one sends nothing to the other two: its own zone's three nodes are
	// unknown to the six elsewhere.
	mustWrite(t, c.SetCalicoVersion(t.Context(), "v3.31.4", "control-1"))
	s := await(t, c, "an old calico-node", func(s *State) bool { return s.MissingPairs > 0 && !s.Busy })
	if s.MissingPairs != 3*6 {
		t.Fatalf("%d pairs without a route, such as %v; want the 18 to the zone of the old node", s.MissingPairs, s.Sample)
	}
	mustWrite(t, c.SetCalicoVersion(t.Context(), "v3.32.0", "control-1"))
	await(t, c, "up to date again", quiet(6+3))
	mustWrite(t, c.SetCalicoVersion(t.Context(), "v3.31.4"))
	old := filter()
	old.Name = "older"
	mustWrite(t, c.Client().Create(t.Context(), old))
	if old.Spec.ExportV4[0].Communities != nil || old.Spec.ImportV4[0].Operations != nil {
		t.Fatalf("Calico v3.31 has stored %+v, fields that it does not know", old.Spec)
	}
}

// Every rack lies in one zone, and all have about as many nodes.
func TestRacks(t *testing.T) {
	c := &Cluster{options: Options{Nodes: 120, Zones: 3, Racks: 7}}
	zones, sizes := map[string]string{}, map[string]int{}
	for i := range 120 {
		p := c.planOf(i)
		if zone, seen := zones[p.rack]; seen && zone != p.zone {
			t.Fatalf("%s is in %s and %s", p.rack, zone, p.zone)
		}
		zones[p.rack] = p.zone
		sizes[p.rack]++
		if c.node(p).Labels[RackLabel] != p.rack {
			t.Fatalf("node %s says it is in rack %q, not %s", p.name, c.node(p).Labels[RackLabel], p.rack)
		}
	}
	for rack, n := range sizes {
		if n < 13 || n > 20 || len(sizes) != 7 {
			t.Fatalf("%d racks, %s has %d of 120 nodes", len(sizes), rack, n)
		}
	}
}
