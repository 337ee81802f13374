package rollout_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/fabric"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/topology"
)

// virtual is a cluster in virtual time: the fabric plays calico-node, rollout
// decides, and what it decides is written to the values here.
type virtual struct {
	t      testing.TB
	now    time.Time
	fabric *fabric.Fabric
	dead   map[string]bool
	// silent is since when a node renews its Lease no more; wedged since when its BIRD
	// does nothing, though all else goes on; birdless are those whose BIRD has ended.
	silent, wedged map[string]time.Time
	birdless       map[string]bool
	// mislead changes what is known early; nil: it is the truth.
	mislead func(map[string]rollout.Vital)
	// notice is when Kubernetes will see that a node is not ready.
	notice map[string]time.Time

	autoscaler     *v1alpha1.RouteReflectorAutoscaler
	nodes          []inventory.Node
	peers          []calico.BGPPeer
	configurations []calico.BGPConfiguration
	filters        []calico.BGPFilter
	statuses       []calico.CalicoNodeStatus
	tagFilter      topology.TagFilterSupport
	// plan is another planner; nil: topology's.
	plan    func(topology.Request) topology.Plan
	load    map[string]int
	ready   bool
	apiBack time.Time
	last    rollout.Output
	// decided is what the last pass saw, with its status; wake is when time alone calls for
	// the next.
	decided rollout.Input
	wake    time.Time
	asked   map[string]asked
	serial  int

	// steps taken since the last reset, the nodes that changed role, and how often nodes did.
	steps   []*rollout.Step
	changed map[string]bool
	moves   int
}

const tick = 250 * time.Millisecond

func newVirtual(t testing.TB, seed uint64, nodes, zones int) *virtual {
	v := &virtual{
		t: t, tagFilter: topology.TagFilterSupport{Cluster: true}, now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), ready: true,
		dead: map[string]bool{}, silent: map[string]time.Time{}, wedged: map[string]time.Time{}, birdless: map[string]bool{}, notice: map[string]time.Time{}, load: map[string]int{}, changed: map[string]bool{},
		autoscaler: &v1alpha1.RouteReflectorAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "default", Generation: 1}},
	}
	timing := fabric.DefaultTiming()
	v.fabric = fabric.New(seed, timing)
	v.add(nodes, zones)
	v.sync()
	// The mesh comes up before the story begins.
	v.idle(40 * time.Second)
	v.reset()
	return v
}

func (v *virtual) add(n, zones int) {
	for range n {
		i := v.serial
		v.serial++
		name := fmt.Sprintf("node-%04d", i)
		labels := map[string]string{"kubernetes.io/hostname": name}
		if zones > 0 {
			labels["topology.kubernetes.io/zone"] = fmt.Sprintf("zone-%c", 'a'+i%zones)
		}
		v.nodes = append(v.nodes, inventory.Node{
			Name: name, UID: fmt.Sprintf("uid-%d", i), Labels: labels, OS: "linux",
			Created: v.now.Add(time.Duration(i) * time.Second), Ready: true, ReadySince: v.now.Add(-time.Hour),
			IPv4: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}),
		})
	}
}

func (v *virtual) dualStack() {
	for i := range v.nodes {
		a := v.nodes[i].IPv4.As4()
		v.nodes[i].IPv6 = netip.AddrFrom16([16]byte{0xfd, 0, 14: a[2], 15: a[3]})
	}
}

func (v *virtual) node(name string) *inventory.Node {
	for i := range v.nodes {
		if v.nodes[i].Name == name {
			return &v.nodes[i]
		}
	}
	v.t.Fatalf("no node %s", name)
	return nil
}

func (v *virtual) sync() {
	nodes := slices.Clone(v.nodes)
	for i := range nodes {
		nodes[i].Labels = maps.Clone(nodes[i].Labels)
	}
	v.fabric.Set(v.now, fabric.Resources{
		Nodes: nodes, Peers: slices.Clone(v.peers), Configurations: slices.Clone(v.configurations),
		Filters: slices.Clone(v.filters),
	})
}

// idle lets time pass without Tapetum.
func (v *virtual) idle(d time.Duration) {
	v.now = v.now.Add(d)
	v.fabric.Advance(v.now)
	v.report()
}

func (v *virtual) input() rollout.Input {
	return rollout.Input{
		Now: v.now, Autoscaler: v.autoscaler.DeepCopy(), Nodes: slices.Clone(v.nodes), Peers: slices.Clone(v.peers),
		Configurations: slices.Clone(v.configurations), Statuses: slices.Clone(v.statuses), DatastoreReady: v.ready,
		Filters: slices.Clone(v.filters), TagFilter: v.tagFilter, Vitals: v.vitals(), APIBackSince: v.apiBack,
	}
}

func (v *virtual) next(in rollout.Input) rollout.Output {
	if v.plan != nil {
		return rollout.NextBy(in, v.plan)
	}
	return rollout.Next(in)
}

// pass is one pass of the controller. It tells whether a step was taken.
func (v *virtual) pass() bool {
	in := v.input()
	out := v.next(in)
	if len(out.AskLoad) > 0 {
		in.Load = map[string]int{}
		for _, name := range out.AskLoad {
			in.Load[name] = v.load[name]
		}
		out = v.next(in)
	}
	v.last = out
	if out.Step != nil {
		v.write(out.Step)
		for _, name := range out.Step.Costs {
			v.changed[name] = true // a leaving reflector's pins are turned before its role goes
		}
		v.steps = append(v.steps, out.Step)
	}
	conditions := v.autoscaler.Status.Conditions
	v.autoscaler.Status = out.Status
	for _, c := range out.Status.Conditions {
		meta.SetStatusCondition(&conditions, c)
	}
	v.autoscaler.Status.Conditions = conditions
	return out.Step != nil
}

func (v *virtual) write(step *rollout.Step) {
	switch step.Action {
	case rollout.CreatePeer:
		v.peers = append(v.peers, *step.Peer.DeepCopy())
	case rollout.PatchPeer, rollout.DeletePeer:
		i := slices.IndexFunc(v.peers, func(p calico.BGPPeer) bool { return p.Name == step.Peer.Name })
		if i < 0 {
			v.t.Fatalf("%s: no such BGPPeer", step)
		}
		if step.Action == rollout.DeletePeer {
			v.peers = slices.Delete(slices.Clone(v.peers), i, i+1)
		} else {
			v.peers = slices.Clone(v.peers)
			v.peers[i] = *step.Peer.DeepCopy()
		}
	case rollout.SetRole, rollout.ClearRole:
		if node := v.node(step.Role.Node); node.ClusterID != step.Role.ClusterID ||
			node.Labels[v1alpha1.ReflectorLabel] != step.Role.Labels[v1alpha1.ReflectorLabel] {
			v.moves++
		}
		v.apply(step.Role)
		v.changed[step.Role.Node] = true
	case rollout.SetHomes:
		for i := range step.Homes {
			v.apply(&step.Homes[i])
		}
	case rollout.CreateFilter, rollout.PatchFilter, rollout.DeleteFilter:
		v.filters = slices.DeleteFunc(slices.Clone(v.filters), func(f calico.BGPFilter) bool { return f.Name == step.Filter.Name })
		if step.Action != rollout.DeleteFilter {
			v.filters = append(v.filters, *step.Filter.DeepCopy())
		}
	case rollout.MeshOn, rollout.MeshOff:
		if len(v.configurations) == 0 {
			v.configurations = []calico.BGPConfiguration{{ObjectMeta: metav1.ObjectMeta{Name: "default"}}}
		}
		v.configurations = slices.Clone(v.configurations)
		spec := &v.configurations[0].Spec
		spec.NodeToNodeMeshEnabled, spec.NodeMeshPassword, spec.NodeMeshMaxRestartTime = step.Mesh.Enabled, step.Mesh.Password, step.Mesh.MaxRestartTime
		if step.Action == rollout.MeshOff && (spec.NodeMeshPassword != nil || spec.NodeMeshMaxRestartTime != nil) {
			v.t.Fatal("the API would refuse a password or restart time while the mesh is off")
		}
	case rollout.SaveMesh:
		text, err := json.Marshal(step.Mesh)
		if err != nil {
			v.t.Fatal(err)
		}
		v.autoscaler.Annotations = map[string]string{v1alpha1.MeshAnnotation: string(text)}
	case rollout.ForgetMesh:
		delete(v.autoscaler.Annotations, v1alpha1.MeshAnnotation)
	case rollout.CreateStatus:
		v.statuses = append(v.statuses, *step.NodeStatus.DeepCopy())
		v.fewReports()
	case rollout.PatchStatus:
		for i := range v.statuses {
			if v.statuses[i].Name == step.NodeStatus.Name {
				v.statuses[i].Spec = step.NodeStatus.Spec
			}
		}
	case rollout.DeleteStatus:
		v.statuses = slices.DeleteFunc(slices.Clone(v.statuses), func(s calico.CalicoNodeStatus) bool { return s.Name == step.NodeStatus.Name })
	case rollout.AddFinalizer:
		v.autoscaler.Finalizers = append(v.autoscaler.Finalizers, v1alpha1.Finalizer)
	case rollout.RemoveFinalizer:
		v.autoscaler.Finalizers = slices.DeleteFunc(v.autoscaler.Finalizers, func(f string) bool { return f == v1alpha1.Finalizer })
	default:
		v.t.Fatalf("unknown action %s", step.Action)
	}
	v.sync()
}

// apply does what server-side apply does with a role.
func (v *virtual) apply(role *rollout.NodeRole) {
	node := v.node(role.Node)
	node.Labels = maps.Clone(node.Labels)
	maps.DeleteFunc(node.Labels, func(key, _ string) bool { return strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) })
	maps.Copy(node.Labels, role.Labels)
	node.ClusterID = role.ClusterID
	node.Protected = slices.Sorted(maps.Keys(role.Annotations))
}

// run passes until nothing is left to do and all is quiet, or the time is over.
func (v *virtual) run(limit time.Duration) {
	v.t.Helper()
	end := v.now.Add(limit)
	quiet := 0
	for v.now.Before(end) {
		stepped := v.passes()
		v.advance()
		if stepped || !rollout.AtRest(v.autoscaler.Status.Conditions) {
			quiet = 0
			continue
		}
		if quiet++; quiet > 80 { // 20 s
			v.resting()
			return
		}
	}
	for _, c := range v.autoscaler.Status.Conditions {
		v.t.Logf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	}
	v.t.Fatalf("not settled after %v; steps:\n%s", limit, v.story())
}

func (v *virtual) advance() {
	v.now = v.now.Add(tick)
	v.fabric.Advance(v.now)
	for name, at := range v.notice {
		if !at.After(v.now) {
			node := v.node(name)
			node.Ready, node.ReadySince, node.Taints = false, v.now, []string{"node.kubernetes.io/unreachable"}
			delete(v.notice, name)
		}
	}
	v.report()
}

// runFor passes for so long, whatever happens.
func (v *virtual) runFor(d time.Duration) {
	for end := v.now.Add(d); v.now.Before(end); v.advance() {
		v.passes()
	}
}

// passes takes all steps that are to be had at this moment, as fast as a
// controller could: nothing but the gates slows a rollout down.
func (v *virtual) passes() bool {
	if !v.due() {
		return false
	}
	stepped := false
	for range 100 {
		if !v.pass() {
			v.rest()
			return stepped
		}
		stepped = true
	}
	v.t.Fatalf("100 steps and no end:\n%s", v.story())
	return true
}

// due tells whether a controller would decide now: something has changed since the last
// pass, or the time has come for which that asked.
func (v *virtual) due() bool {
	in := v.input()
	in.Now = time.Time{}
	return v.plan != nil || len(v.last.AskLoad) > 0 || !v.now.Before(v.wake) || !reflect.DeepEqual(in, v.decided)
}

// rest keeps what has been decided upon, out of reach of those who change it.
func (v *virtual) rest() {
	in := v.input()
	in.Now = time.Time{}
	for i := range in.Nodes {
		in.Nodes[i].Labels = maps.Clone(in.Nodes[i].Labels)
	}
	for i := range in.Peers {
		in.Peers[i] = *in.Peers[i].DeepCopy()
	}
	for i := range in.Configurations {
		in.Configurations[i] = *in.Configurations[i].DeepCopy()
	}
	for i := range in.Filters {
		in.Filters[i] = *in.Filters[i].DeepCopy()
	}
	for i := range in.Statuses {
		in.Statuses[i] = *in.Statuses[i].DeepCopy()
	}
	v.decided, v.wake = in, v.now.Add(v.last.RequeueAfter)
	if v.last.RequeueAfter == 0 {
		v.wake = v.now.Add(time.Hour)
	}
}

func (v *virtual) is(condition string) bool {
	return meta.IsStatusConditionTrue(v.autoscaler.Status.Conditions, condition)
}

func (v *virtual) reason(condition string) string {
	if c := meta.FindStatusCondition(v.autoscaler.Status.Conditions, condition); c != nil {
		return c.Reason
	}
	return ""
}

func (v *virtual) reset() {
	v.steps, v.moves = nil, 0
	v.changed = map[string]bool{}
	v.fabric.ResetAccount(v.now, func(name string) bool { return v.changed[name] })
}

func (v *virtual) reflectors() []string {
	var out []string
	for _, node := range v.nodes {
		if _, ok := node.Labels[v1alpha1.ReflectorLabel]; ok {
			out = append(out, node.Name)
		}
	}
	slices.Sort(out)
	return out
}

func (v *virtual) story() string {
	var out strings.Builder
	for _, step := range v.steps {
		fmt.Fprintf(&out, "  %-14s %-40s %s\n", step.Action, step.Object, step.Why)
	}
	return out.String()
}

// noLoss asserts that no ordinary node lost a route since the last reset.
func (v *virtual) noLoss() {
	v.t.Helper()
	account := v.fabric.Account()
	if account.Ordinary.RouteTime != 0 {
		v.t.Errorf("ordinary nodes lost routes: %v; steps:\n%s", account, v.story())
	}
	if n, sample := v.fabric.MissingPairs(); n > 0 {
		v.t.Errorf("%d pairs have no route in the end, for example %v; steps:\n%s", n, sample, v.story())
	}
}

// kill takes a node's power. Kubernetes notices after 40 s.
func (v *virtual) kill(name string) {
	v.dead[name], v.silent[name] = true, v.now
	v.fabric.Kill(v.now, name)
	v.notice[name] = v.now.Add(40 * time.Second)
}

// revive boots it again.
func (v *virtual) revive(name string) {
	delete(v.dead, name)
	delete(v.silent, name)
	delete(v.wedged, name)
	delete(v.birdless, name)
	delete(v.notice, name)
	v.fabric.Revive(v.now, name)
	node := v.node(name)
	node.Ready, node.ReadySince, node.Taints = true, v.now, nil
}

func (v *virtual) remove(names ...string) {
	for _, name := range names {
		delete(v.notice, name)
		v.nodes = slices.DeleteFunc(slices.Clone(v.nodes), func(n inventory.Node) bool { return n.Name == name })
	}
	v.sync()
}
