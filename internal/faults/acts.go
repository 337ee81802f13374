package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// Act is something that happens to a cluster. It tells what it did, "" where it could
// not be: what nobody promises to survive does not happen.
type Act struct {
	Name string
	// Weight is how often it happens, among others.
	Weight int
	do     func(*World, *rand.Rand) string
}

// Acts are all that random histories are made of.
var Acts = []Act{
	{"join", 6, (*World).actJoin},
	{"leave", 5, (*World).actLeave},
	{"power off", 3, (*World).actPowerOff},
	{"power on", 4, (*World).actPowerOn},
	{"reflector dies", 3, (*World).actReflectorDies},
	{"reflector deleted", 2, (*World).actReflectorDeleted},
	{"kubelet flaps", 3, (*World).actFlap},
	{"cordon", 3, (*World).actCordon},
	{"uncordon", 3, (*World).actUncordon},
	{"zone moved", 1, (*World).actMoveZone},
	{"topology", 2, (*World).actTopology},
	{"scale", 2, (*World).actScale},
	{"role erased", 3, (*World).actEraseRole},
	{"home erased", 2, (*World).actEraseHome},
	{"object edited", 3, (*World).actEditObject},
	{"peer edited", 4, (*World).actEditPeer},
	{"peer deleted", 2, (*World).actDeletePeer},
	{"peer copied", 1, (*World).actCopyPeer},
	{"label taken", 1, (*World).actTakeLabel},
	{"filter edited", 2, (*World).actEditFilter},
	{"crash", 4, (*World).actCrash},
	{"watch", 4, (*World).actWatch},
}

// Happen does one act, drawn by weight.
func (w *World) Happen(acts []Act, r *rand.Rand) string {
	total := 0
	for _, act := range acts {
		total += act.Weight
	}
	n := r.IntN(total)
	for _, act := range acts {
		if n -= act.Weight; n < 0 {
			return w.Do(act, r)
		}
	}
	return ""
}

// Do does an act.
func (w *World) Do(act Act, r *rand.Rand) string {
	told := act.do(w, r)
	if told != "" {
		w.tell("ACT %s: %s", act.Name, told)
	}
	return told
}

// ordinary are living nodes without a role.
func (w *World) ordinary() []string {
	var out []string
	each(w, "Node", func(node *corev1.Node) {
		_, reflector := node.Labels[v1alpha1.ReflectorLabel]
		if !reflector && node.Annotations[v1alpha1.ClusterIDAnnotation] == "" && !w.dead(node.Name) {
			out = append(out, node.Name)
		}
	})
	return out
}

// recovery is how long after the loss of a reflector another may be lost: its
// replacement is up long before.
const recovery = 10 * time.Minute

// mayLose: a reflector may go, or have its role erased, while all others work and the
// last such loss is made good. More than one at a time is not promised.
func (w *World) mayLose() bool {
	reflectors := w.Reflectors()
	if len(reflectors) < 3 || w.now.Before(w.lostAt.Add(recovery)) || !w.check.handAt.IsZero() {
		return false
	}
	for _, name := range reflectors {
		if w.dead(name) {
			return false
		}
	}
	return true
}

func pick[T any](list []T, r *rand.Rand) T { return list[r.IntN(len(list))] }

func (w *World) actJoin(r *rand.Rand) string {
	n := 1 + r.IntN(4)
	if len(w.NodeNames())+n > w.MaxNodes {
		return ""
	}
	var names []string
	for range n {
		names = append(names, w.Join())
	}
	return strings.Join(names, " ")
}

func (w *World) actLeave(r *rand.Rand) string {
	ordinary := w.ordinary()
	if len(ordinary) < 8 {
		return ""
	}
	r.Shuffle(len(ordinary), func(i, j int) { ordinary[i], ordinary[j] = ordinary[j], ordinary[i] })
	gone := ordinary[:1+r.IntN(3)]
	for _, name := range gone {
		w.Leave(name)
	}
	return strings.Join(gone, " ")
}

func (w *World) actPowerOff(r *rand.Rand) string {
	ordinary := w.ordinary()
	if len(ordinary) < 8 || len(w.off) > 1 {
		return ""
	}
	name := pick(ordinary, r)
	w.Die(name, powerless)
	return name
}

func (w *World) actPowerOn(*rand.Rand) string {
	for _, name := range w.NodeNames() {
		if w.dead(name) {
			w.Revive(name)
			return name
		}
	}
	return ""
}

// loseReflector returns one that may be lost, and notes when.
func (w *World) loseReflector(r *rand.Rand) string {
	if !w.mayLose() {
		return ""
	}
	w.lostAt = w.now
	return pick(w.Reflectors(), r)
}

func (w *World) actReflectorDies(r *rand.Rand) string {
	name := w.loseReflector(r)
	if name == "" {
		return ""
	}
	how := pick([]death{powerless, powerless, wedged, birdless}, r)
	w.Die(name, how)
	return name + ": " + how.String()
}

func (w *World) actReflectorDeleted(r *rand.Rand) string {
	name := w.loseReflector(r)
	if name != "" {
		w.Leave(name)
	}
	return name
}

func (w *World) actFlap(r *rand.Rand) string {
	name := pick(w.NodeNames(), r)
	if w.dead(name) {
		return ""
	}
	d := time.Duration(r.Int64N(int64(2 * time.Minute)))
	w.Kubelet(name, false)
	w.In(d, func() {
		if !w.dead(name) {
			w.Kubelet(name, true)
		}
	})
	return fmt.Sprintf("%s for %v", name, d.Round(time.Second))
}

func (w *World) actCordon(r *rand.Rand) string {
	name := pick(w.NodeNames(), r)
	if w.cordoned()*3 > len(w.NodeNames()) {
		return ""
	}
	w.Cordon(name, true)
	return name
}

func (w *World) cordoned() int {
	n := 0
	each(w, "Node", func(node *corev1.Node) {
		if node.Spec.Unschedulable {
			n++
		}
	})
	return n
}

func (w *World) actUncordon(*rand.Rand) string {
	if w.cordoned() == 0 {
		return ""
	}
	w.Uncordon()
	return "all"
}

// Uncordon takes back every cordon.
func (w *World) Uncordon() {
	for _, name := range w.NodeNames() {
		if node, ok := w.store.get("Node", name).(*corev1.Node); ok && node.Spec.Unschedulable {
			w.Cordon(name, false)
		}
	}
}

func (w *World) actMoveZone(r *rand.Rand) string {
	ordinary := w.ordinary()
	if len(ordinary) == 0 || w.Zones == 0 {
		return ""
	}
	name, zone := pick(ordinary, r), fmt.Sprintf("zone-%c", 'a'+r.IntN(w.Zones))
	w.setLabel(name, corev1.LabelTopologyZone, zone)
	// A client whose label of a group is changed by hand leaves its reflectors at once.
	w.check.changed[name] = true
	return name + " to " + zone
}

func (w *World) setLabel(name, key, value string) {
	w.edit("Node", name, byPerson, func(object client.Object) {
		labels := object.GetLabels()
		if value == "" {
			delete(labels, key)
		} else {
			labels[key] = value
		}
	})
}

func (w *World) actTopology(r *rand.Rand) string {
	all := []v1alpha1.Topology{
		v1alpha1.TopologyAuto, v1alpha1.TopologyMesh, v1alpha1.TopologySingle, v1alpha1.TopologyMulti,
		v1alpha1.TopologyQuorum, v1alpha1.TopologyHierarchy,
	}
	topology := pick(all, r)
	w.SetTopology(topology)
	return string(topology)
}

func (w *World) actScale(r *rand.Rand) string {
	n := int32(3 + r.IntN(8))
	w.SetSpec(func(s *v1alpha1.RouteReflectorAutoscalerSpec) { s.Scaling.NodesPerReflector = &n })
	return fmt.Sprintf("a reflector for %d nodes", n)
}

// actEraseRole is a hand, or calico-node's own update of its node, that takes part of a
// reflector's role away: its own routes are that hand's doing.
func (w *World) actEraseRole(r *rand.Rand) string {
	name := w.loseReflector(r)
	node, ok := w.store.get("Node", name).(*corev1.Node)
	if !ok {
		return ""
	}
	w.check.changed[name] = true
	var keys []string
	for key := range node.Labels {
		if strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if i := r.IntN(len(keys) + 2); i < len(keys) {
		w.setLabel(name, keys[i], "")
		return "label " + keys[i] + " of " + name
	}
	w.edit("Node", name, byCalico, func(object client.Object) { delete(object.GetAnnotations(), v1alpha1.ClusterIDAnnotation) })
	return "cluster ID of " + name
}

// mayEdit: hands leave an object alone for a while, or the controller would rightly take
// them for a contest, stop, and wait for a person.
func (w *World) mayEdit() bool {
	if w.now.Before(w.editedAt.Add(recovery)) || !w.check.handAt.IsZero() {
		return false
	}
	w.editedAt = w.now
	return true
}

func (w *World) actEraseHome(r *rand.Rand) string {
	var homes []string
	each(w, "Node", func(node *corev1.Node) {
		if node.Labels[v1alpha1.HomeLabel] != "" || node.Labels[v1alpha1.SettledLabel] != "" {
			homes = append(homes, node.Name)
		}
	})
	if len(homes) == 0 || !w.mayEdit() {
		return ""
	}
	name, key := pick(homes, r), v1alpha1.HomeLabel
	if r.IntN(2) == 0 {
		key = v1alpha1.SettledLabel
	}
	w.check.changed[name] = true
	w.setLabel(name, key, "")
	return key + " of " + name
}

// actEditObject edits objects of ours in ways that carry no routes away.
func (w *World) actEditObject(r *rand.Rand) string {
	type object struct{ kind, name string }
	var all []object
	each(w, "CalicoNodeStatus", func(o *calico.CalicoNodeStatus) { all = append(all, object{"CalicoNodeStatus", o.Name}) })
	if len(all) == 0 || !w.mayEdit() {
		return ""
	}
	chosen := pick(all, r)
	if r.IntN(2) == 0 {
		if err := w.store.remove(chosen.kind, chosen.name, nil); err != nil {
			return ""
		}
		return "deleted " + chosen.name
	}
	w.edit(chosen.kind, chosen.name, byPerson, func(o client.Object) {
		if status, ok := o.(*calico.CalicoNodeStatus); ok {
			never := uint32(0)
			status.Spec.UpdatePeriodSeconds = &never
		}
	})
	return "no more reports in " + chosen.name
}

func (w *World) actCrash(r *rand.Rand) string {
	living := w.living()
	if len(living) == 0 {
		return ""
	}
	p := pick(living, r)
	w.Kill(p.name, nil)
	return p.name
}

func (w *World) actWatch(r *rand.Rand) string {
	what := pick([]Disturbance{Stall, Drop, Old, Partial}, r)
	w.Disturb(what, r)
	return what.String()
}
