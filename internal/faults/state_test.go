package faults

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// digest is a state of the whole world without what time alone makes different:
// versions, and ages beyond what a gate asks for (young or not).
func (w *World) digest(r *Request) uint64 {
	h := fnv.New64a()
	say := func(parts ...any) { fmt.Fprintln(h, parts...) }
	say(r.Process, r.Verb, r.Kind, r.Name, r.Step)
	w.digestProcesses(say)
	each(w, "Node", func(node *corev1.Node) { say(node.Name, node.Labels, node.Annotations, node.Spec) })
	each(w, "BGPPeer", func(o *calico.BGPPeer) { say(o.Name, text(o.Spec)) })
	each(w, "BGPConfiguration", func(o *calico.BGPConfiguration) { say(text(o.Spec)) })
	each(w, "BGPFilter", func(o *calico.BGPFilter) { say(o.Name, text(o.Spec)) })
	each(w, "CalicoNodeStatus", func(o *calico.CalicoNodeStatus) {
		say(o.Name, text(o.Spec), w.young(o.Status.LastUpdated.Time))
		for _, peer := range o.Status.BGP.PeersV4 {
			say(peer.PeerIP, peer.Type, peer.State)
		}
	})
	if policy := w.policy(); policy != nil {
		w.digestPolicy(policy, say)
	}
	w.fabric.Advance(w.now)
	for _, node := range w.NodeNames() {
		status := w.fabric.Status(node)
		for i := range status.PeersV4 {
			status.PeersV4[i].Since = ""
		}
		say(node, status, w.off[node], w.gagged[node])
	}
	return h.Sum64()
}

func (w *World) young(t time.Time) bool { return w.now.Sub(t) < 6*time.Second }

func (w *World) digestProcesses(say func(...any)) {
	for _, p := range w.processes {
		say(p.name, p.dead, p.running, p.queued, p.failures > 0)
		for _, kind := range cachedKinds {
			s := p.view.streams[kind]
			say(len(s.queue), w.now.Before(s.deaf), w.now.Before(s.stalled))
			w.digestCache(s, say)
		}
	}
}

// digestCache tells what a cache shows otherwise than it is.
func (w *World) digestCache(s *stream, say func(...any)) {
	truth := w.store.table(s.kind)
	for i, key := range s.table.keys {
		shown, is := s.table.objects[i], truth.get(key)
		switch {
		case is == nil:
			say(s.kind, key, "is gone")
		case is.GetResourceVersion() != shown.GetResourceVersion():
			say(s.kind, key, shown.GetLabels(), shown.GetAnnotations(), text(specOf(shown)))
		}
	}
	for _, key := range truth.keys {
		if s.table.get(key) == nil {
			say(s.kind, key, "is not shown")
		}
	}
}

// specOf is all of an object that a controller reads but its metadata.
func specOf(object any) any {
	if spec := reflect.ValueOf(object).Elem().FieldByName("Spec"); spec.IsValid() {
		return spec.Interface()
	}
	return nil
}

func (w *World) digestPolicy(policy *v1alpha1.RouteReflectorAutoscaler, say func(...any)) {
	say(text(policy.Spec), policy.Annotations, policy.Finalizers, policy.DeletionTimestamp == nil)
	status := policy.Status
	say(status.ObservedGeneration == policy.Generation, status.NextStep, text(status.Plan), text(status.Reflectors))
	for _, clock := range status.Clocks {
		say(clock.Name, w.young(clock.Since.Time))
	}
	for _, c := range status.Conditions {
		say(c.Type, c.Status, c.Reason)
	}
	for _, revert := range status.Reverts {
		say(revert.Object, len(revert.Times))
	}
}

func text(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // types of the API
	}
	return string(raw)
}
