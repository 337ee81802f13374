package faults

import (
	"maps"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/fabric"
)

// onChange is what a write means for everybody who watches.
func (w *World) onChange(c change) {
	for _, p := range w.processes {
		if !p.dead {
			p.view.hear(c)
		}
	}
	switch c.kind {
	case "Node", "BGPPeer", "BGPConfiguration", "BGPFilter":
		if c.after == nil && c.kind == "Node" {
			delete(w.inventory, c.key)
		}
		if !w.syncing {
			w.syncing = true
			w.at(w.now, w.sync)
		}
	case "CalicoNodeStatus":
		w.onStatus(c)
	}
}

// sync tells the nodes' confd what the API holds.
func (w *World) sync() {
	w.syncing = false
	w.fabric.Set(w.now, w.resources())
}

func (w *World) resources() fabric.Resources {
	r := fabric.Resources{Nodes: w.nodes()}
	each(w, "BGPPeer", func(o *calico.BGPPeer) { r.Peers = append(r.Peers, *o) })
	each(w, "BGPConfiguration", func(o *calico.BGPConfiguration) { r.Configurations = append(r.Configurations, *o) })
	each(w, "BGPFilter", func(o *calico.BGPFilter) { r.Filters = append(r.Filters, *o) })
	return r
}

// nodes are the nodes as they stand.
func (w *World) nodes() []inventory.Node {
	var out []inventory.Node
	each(w, "Node", func(node *corev1.Node) {
		known, ok := w.inventory[node.Name]
		if !ok || known.version != node.ResourceVersion {
			known = converted{node.ResourceVersion, inventory.FromKubernetes(node)}
			w.inventory[node.Name] = known
		}
		out = append(out, known.node)
	})
	return out
}

// reporter is the calico-node that answers one CalicoNodeStatus.
type reporter struct {
	spec  calico.NodeStatusSpec
	epoch int
}

// onStatus: calico-node answers at once when it is asked something new, and then in
// every period.
func (w *World) onStatus(c change) {
	status, _ := c.after.(*calico.CalicoNodeStatus)
	r := w.reports[c.key]
	switch {
	case status == nil:
		delete(w.reports, c.key)
		return
	case r == nil || c.before == nil:
		r = &reporter{}
		w.reports[c.key] = r
	case reflect.DeepEqual(r.spec, status.Spec):
		return
	}
	r.spec = status.Spec
	r.epoch++
	name, epoch := c.key, r.epoch
	w.In(w.timing.Answer, func() { w.report(name, r, epoch) })
}

// report writes what a node says of its sessions, if it says something new.
func (w *World) report(name string, r *reporter, epoch int) {
	if w.reports[name] != r || r.epoch != epoch {
		return
	}
	if r.spec.UpdatePeriodSeconds != nil && *r.spec.UpdatePeriodSeconds > 0 {
		period := time.Duration(*r.spec.UpdatePeriodSeconds) * time.Second
		w.In(period, func() { w.report(name, r, epoch) })
	}
	if !w.answers(r.spec.Node) || !slices.Contains(r.spec.Classes, calico.ClassBGP) {
		return
	}
	current, _ := w.store.get("CalicoNodeStatus", name).(*calico.CalicoNodeStatus)
	if current == nil {
		return
	}
	said := w.says(r, current)
	if !said.LastUpdated.IsZero() && reflect.DeepEqual(current.Status, said) {
		return
	}
	said.LastUpdated = metav1.NewTime(w.now.Truncate(time.Second))
	_ = w.store.edit("CalicoNodeStatus", name, byCalico, func(object client.Object) { // it is there
		if status, ok := object.(*calico.CalicoNodeStatus); ok {
			status.Status = said
		}
	})
}

// answers: the calico-node of a node runs, and can ask its BIRD.
func (w *World) answers(node string) bool {
	how := w.off[node]
	return how != powerless && how != wedged && !w.gagged[node] && w.store.get("Node", node) != nil
}

// says is what a node would report now.
func (w *World) says(r *reporter, current *calico.CalicoNodeStatus) calico.NodeStatusStatus {
	said := *current.Status.DeepCopy()
	w.fabric.Advance(w.now)
	said.BGP = w.fabric.Status(r.spec.Node)
	if slices.Contains(r.spec.Classes, calico.ClassAgent) { // what was said of it once stays
		said.Agent.BIRDV4.State, said.Agent.BIRDV6.State = calico.DaemonReady, calico.DaemonReady
		if w.dead(r.spec.Node) {
			said.Agent.BIRDV4.State = calico.DaemonNotReady
		}
	}
	return said
}

// askAgain: a calico-node that starts answers everything that asks it.
func (w *World) askAgain(node string) {
	for _, name := range slices.Sorted(maps.Keys(w.reports)) {
		if r := w.reports[name]; r.spec.Node == node {
			r.epoch++
			epoch := r.epoch
			w.In(w.timing.Answer, func() { w.report(name, r, epoch) })
		}
	}
}
