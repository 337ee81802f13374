package standin

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

func TestShape(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ ids, fits string }{
		{"", "Mesh"},
		{"1", ""},
		{"1 1 1", "Single Quorum"},
		{"1 2 3", "Multi"},
		{"1 1 2 2 3 3", "Hierarchy"},
		{"1 1 2 3", "Hierarchy"},
	} {
		ids := map[string]int{}
		for _, id := range strings.Fields(tc.ids) {
			ids[id]++
		}
		for _, topology := range []v1alpha1.Topology{"Mesh", "Single", "Multi", "Quorum", "Hierarchy"} {
			want := slices.Contains(strings.Fields(tc.fits), string(topology))
			if text := shape(ids, topology); (text == "") != want {
				t.Errorf("IDs %q as %s: %q, want it to fit: %v", tc.ids, topology, text, want)
			}
		}
	}
}

func TestArrived(t *testing.T) {
	t.Parallel()
	good := func() *v1alpha1.RouteReflectorAutoscaler {
		p := &v1alpha1.RouteReflectorAutoscaler{}
		p.Status.Topology, p.Status.Plan = "Single", &v1alpha1.PlanStatus{Topology: "Single"}
		p.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionFalse}}
		return p
	}
	ids := map[string]int{"224.0.0.1": 3}
	for _, tc := range []struct {
		name  string
		spoil func(*v1alpha1.RouteReflectorAutoscaler)
		mesh  bool
		ids   map[string]int
		want  string
	}{
		{"all there", func(*v1alpha1.RouteReflectorAutoscaler) {}, false, ids, ""},
		{"no plan", func(p *v1alpha1.RouteReflectorAutoscaler) { p.Status.Plan = nil }, false, ids, "another topology"},
		{"another in force", func(p *v1alpha1.RouteReflectorAutoscaler) { p.Status.Topology = "Multi" }, false, ids, "in force is Multi"},
		{"mesh", func(*v1alpha1.RouteReflectorAutoscaler) {}, true, ids, "still on"},
		{"steps", func(p *v1alpha1.RouteReflectorAutoscaler) { p.Status.Conditions[0].Status = metav1.ConditionTrue }, false, ids, "steps are left"},
		{"IDs", func(*v1alpha1.RouteReflectorAutoscaler) {}, false, map[string]int{"a": 1, "b": 1}, "2 cluster IDs are no Single"},
	} {
		p := good()
		tc.spoil(p)
		got := Arrived(p, "Single", tc.mesh, tc.ids)
		if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
