package topology_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

const (
	keyOfZone = "topology.kubernetes.io/zone"
	clusterAS = 64512
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// world is a cluster that plans are carried out in.
type world struct {
	request topology.Request
	nodes   int // made so far
	zones   map[string]string
}

// newWorld has n nodes, with zones as zoneOf says ("": no label).
func newWorld(n int, zoneOf func(i int) string, change func(*v1alpha1.RouteReflectorAutoscalerSpec)) *world {
	w := &world{zones: map[string]string{}, request: topology.Request{
		ClusterAS: clusterAS, Now: noon, Load: map[string]int{}, TagFilter: topology.TagFilterSupport{Cluster: true},
	}}
	w.request.Spec.Topology = v1alpha1.TopologyMulti
	change(&w.request.Spec)
	w.request.Spec = w.request.Spec.WithDefaults()
	for i := range n {
		w.join(zoneOf(i))
	}
	return w
}

// join adds a ready node, younger than all others.
func (w *world) join(zone string) string {
	i := w.nodes
	w.nodes++
	node := inventory.Node{
		Name: fmt.Sprintf("node-%05d", i), UID: fmt.Sprint(i), OS: "linux",
		Ready: true, ReadySince: noon.Add(-time.Hour), Created: noon.Add(time.Duration(i)*time.Second - 1000*time.Hour),
		IPv4: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Labels: map[string]string{},
	}
	if zone != "" {
		node.Labels[keyOfZone] = zone
	}
	w.request.Nodes = append(w.request.Nodes, node)
	w.zones[node.Name] = zone
	return node.Name
}

// leave removes a node.
func (w *world) leave(name string) {
	w.request.Nodes = slices.DeleteFunc(slices.Clone(w.request.Nodes), func(n inventory.Node) bool { return n.Name == name })
	w.request.Standing = slices.DeleteFunc(slices.Clone(w.request.Standing), func(n string) bool { return n == name })
}

func (w *world) plan() topology.Plan { return topology.Make(w.request) }

// carryOut makes the plan what stands: roles are replaced, homes only written.
func (w *world) carryOut(plan *topology.Plan) {
	bare := slices.Clone(w.request.Nodes)
	for i := range bare {
		bare[i].ClusterID = ""
		labels := map[string]string{}
		for key, value := range bare[i].Labels {
			if !render.IsRoleLabel(key) {
				labels[key] = value
			}
		}
		bare[i].Labels = labels
	}
	w.request.Nodes = render.GoalOf(plan, bare, clusterAS, render.Options{}).Nodes
	w.request.Standing = nil
	for _, r := range plan.Reflectors {
		w.request.Standing = append(w.request.Standing, r.Node)
	}
	slices.Sort(w.request.Standing)
	w.request.Clocks = plan.Clocks
}

// network is the oracle's model of the plan carried out with the mesh off.
func (w *world) network(plan *topology.Plan) *bgp.Network {
	off := false
	goal := render.GoalOf(plan, w.request.Nodes, clusterAS, render.Options{})
	return bgp.Build(bgp.Input{
		Nodes: goal.Nodes, Peers: goal.Peers, Filters: goal.Filters,
		Configurations: []calico.BGPConfiguration{{
			ObjectMeta: metav1.ObjectMeta{Name: "default"},
			Spec:       calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off},
		}},
	})
}

// loads counts the clients of each reflector, by name, and of each client its
// reflectors, from the labels as the plan would leave them.
func (w *world) loads(plan *topology.Plan) (clients map[string]int, homes map[string][]string) {
	servers := map[string][]string{}
	role := map[string]bool{}
	clients, homes = map[string]int{}, map[string][]string{}
	for _, r := range plan.Reflectors {
		role[r.Node] = true
		clients[r.Node] = 0
		for _, group := range r.Serves {
			servers[group] = append(servers[group], r.Node)
		}
	}
	byValue := map[string]string{}
	label := ""
	for _, group := range plan.Groups {
		if !group.ByHome() {
			byValue[group.Value], label = group.Name, group.Label
		}
	}
	for i := range w.request.Nodes {
		node := &w.request.Nodes[i]
		if role[node.Name] || !node.HasBGP() {
			continue
		}
		group := topology.GroupAll
		if home, ok := plan.Homes[node.Name]; ok {
			group = home
		} else if name, ok := byValue[node.Labels[label]]; ok && label != "" {
			group = name
		}
		homes[node.Name] = servers[group]
		for _, r := range servers[group] {
			clients[r]++
		}
	}
	return clients, homes
}

func (w *world) zoneOf(name string) string { return w.zones[name] }

// evenly deals nodes out over zones in turn.
func evenly(zones int) func(int) string {
	return func(i int) string { return fmt.Sprintf("zone-%c", 'a'+i%zones) }
}

// skewed puts eight of ten nodes into the first zone and the rest over the others.
func skewed(zones int) func(int) string {
	return func(i int) string {
		if zones == 1 || i%10 < 8 {
			return "zone-a"
		}
		return fmt.Sprintf("zone-%c", 'b'+(i/10*2+i%10-8)%(zones-1))
	}
}

func homesEach(k int32) func(*v1alpha1.RouteReflectorAutoscalerSpec) {
	return func(s *v1alpha1.RouteReflectorAutoscalerSpec) {
		s.ReflectorsPerClient = k
		// One for 10,000 nodes: the limits decide.
		ratio := int32(10000)
		s.Scaling.NodesPerReflector = &ratio
	}
}

func noProblems(t *testing.T, plan *topology.Plan) {
	t.Helper()
	for _, p := range plan.Problems {
		t.Errorf("problem %s: %s", p.Reason, p.Message)
	}
}

// byName selects a node that is labeled with its name.
func byName(name string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{"name": name}}
}
