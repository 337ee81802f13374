package faults

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/rollout"
)

// TestContest: somebody undoes what Tapetum writes again and again. It stops after the third
// time, says so, and begins again on a person's word.
func TestContest(t *testing.T) {
	edit := func(kind, name string, change func(client.Object)) func(*World) {
		return func(w *World) { w.edit(kind, name, byPerson, change) }
	}
	remove := func(kind, name string) func(*World) {
		return func(w *World) {
			_ = w.store.remove(kind, name, nil) // it is there
			w.touched()
		}
	}
	for name, test := range map[string]struct {
		topology v1alpha1.Topology
		kind     string
		// object that is fought about; "": the first pin.
		object string
		undo   func(name string) func(*World)
	}{
		"clients' selector": {v1alpha1.TopologySingle, "BGPPeer", render.ClientsName, func(name string) func(*World) {
			return edit("BGPPeer", name, func(o client.Object) {
				if peer, ok := o.(*calico.BGPPeer); ok {
					peer.Spec.PeerSelector = "has(nothing)"
				}
			})
		}},
		"clients' peering deleted": {v1alpha1.TopologySingle, "BGPPeer", render.ClientsName, func(name string) func(*World) { return remove("BGPPeer", name) }},
		"a pin deleted":            {v1alpha1.TopologySingle, "BGPPeer", "", func(name string) func(*World) { return remove("BGPPeer", name) }},
		"the tag filter": {v1alpha1.TopologyMulti, "BGPFilter", render.FilterName, func(name string) func(*World) {
			return edit("BGPFilter", name, func(o client.Object) {
				if filter, ok := o.(*calico.BGPFilter); ok {
					filter.Spec.ExportV4 = nil
				}
			})
		}},
		"the tag filter deleted": {v1alpha1.TopologyMulti, "BGPFilter", render.FilterName, func(name string) func(*World) { return remove("BGPFilter", name) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(1)
			c.From, c.Verbose = standing(t, test.topology), true
			w := New(c)
			defer w.Close()
			w.Run(time.Minute)
			object := test.object
			for _, peer := range w.ourPeers() {
				if object == "" && peer.Spec.PeerIP != "" {
					object = peer.Name
				}
			}
			fights := true
			right := w.store.get(test.kind, object)
			undo := test.undo(object)
			w.blameHand()
			undone := 0
			var fight func()
			fight = func() {
				if !fights {
					return
				}
				if stands := w.store.get(test.kind, object); stands != nil && sameSpec(stands, right) {
					undo(w)
					undone++
				}
				w.In(20*time.Second, fight)
			}
			fight()
			w.Run(5 * time.Minute)
			writes := w.Writes
			if degraded := meta.FindStatusCondition(w.policy().Status.Conditions, v1alpha1.ConditionDegraded); undone != 4 || degraded == nil ||
				degraded.Status != "True" || degraded.Reason != rollout.ReasonContested {
				t.Errorf("undone %d times, want 4; %s\n%s", undone, w.conditions(), w.Log())
			}
			w.Run(5 * time.Minute)
			if w.Writes > writes {
				t.Errorf("%d writes though it is contested\n%s", w.Writes-writes, w.Log())
			}
			fights = false
			w.byHand() // from now on it is to be mended
			for _, mode := range []v1alpha1.Mode{v1alpha1.ModePaused, v1alpha1.ModeApply} {
				w.SetSpec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Mode = mode })
				w.Run(10 * time.Second)
			}
			w.Settle(limit)
			w.Rest(2 * time.Minute)
			w.CheckComplete()
			sound(t, w)
			if stands := w.store.get(test.kind, object); stands == nil || !sameSpec(stands, right) {
				t.Errorf("%s is %v, was %v", object, stands, right)
			}
		})
	}
}
