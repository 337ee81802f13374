package deploy_test

import (
	"net/netip"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/sessions"
	"tapetum.dev/tapetum/internal/topology"
)

// rendered is everything that the controller may want to write, in Calico's kinds.
func rendered() map[string][]runtime.Object {
	options := render.Options{
		MaxRestartTime: &metav1.Duration{Duration: time.Minute}, KeepaliveTime: &metav1.Duration{Duration: 30 * time.Second},
	}
	a := &inventory.Node{Name: "a.example.com", IPv4: netip.MustParseAddr("10.0.0.1"), IPv6: netip.MustParseAddr("fd00::1")}
	b := &inventory.Node{Name: "b", IPv4: netip.MustParseAddr("203.0.113.2"), IPv6: netip.MustParseAddr("2001:db8::2"), ASNumber: 65001}
	groups := []topology.Group{{Name: "Zone_A.1", Label: "topology.kubernetes.io/zone", Value: "Zone_A.1"}, {Name: "none", Label: "rack"}, {Name: "a-1"}}
	peers := []*calico.BGPPeer{
		render.Clients(topology.GroupAll, options), render.ClientsOf(render.CatchAll(groups), options),
		render.ClientsOf(render.Widened(render.CatchAll(groups[:1]), groups[1:]), options),
		render.Reflectors(true, options), render.Reflectors(false, options), render.Racks(options),
	}
	for _, group := range groups {
		peers = append(peers, render.GroupPeer(group, options))
	}
	for _, peer := range peers {
		peers = append(peers, render.Twin(peer, options), render.Exclude(peer))
	}
	for _, address := range render.Families(a, b) {
		pin := render.Pin(a, b, address, 64512, options)
		filtered := render.Pin(a, b, address, 64512, options)
		filtered.Spec.Filters = render.FilterNames(true)
		peers = append(peers, pin, filtered)
	}
	out := map[string][]runtime.Object{"bgpfilters": {render.Filter()}, "caliconodestatuses": {sessions.New("n1")}}
	for _, peer := range peers {
		out["bgppeers"] = append(out["bgppeers"], peer)
	}
	return out
}

// TestRenderedIsAllowed: the policies know all that internal/calico/render can say.
func TestRenderedIsAllowed(t *testing.T) {
	kinds := map[string]string{"bgppeers": "BGPPeer", "bgpfilters": "BGPFilter", "caliconodestatuses": "CalicoNodeStatus"}
	eachGroup(t, func(t *testing.T, version schema.GroupVersion) {
		tapetum := dynamicClient(t, account(t, start(t)))
		for resource, objects := range rendered() {
			for _, object := range objects {
				fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
				if err != nil {
					t.Fatal(err)
				}
				wanted := &unstructured.Unstructured{Object: fields}
				wanted.SetGroupVersionKind(version.WithKind(kinds[resource]))
				_, err = tapetum.Resource(version.WithResource(resource)).Create(t.Context(), wanted, metav1.CreateOptions{DryRun: dryRun})
				if err != nil {
					t.Errorf("%s: %v\n%v", wanted.GetName(), err, fields["spec"])
				}
			}
		}
	})
}
