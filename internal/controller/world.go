package controller

import (
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

// World is what a Reconciler works in where there is no manager: a simulation, in
// which time and every answer of the API server are somebody's choice.
type World struct {
	Cached   cache.Cache
	Live     client.Reader
	Writer   client.Client
	Recorder events.EventRecorder
	Log      logr.Logger
	Now      func() time.Time
	// Homes bounds how fast labels of clients are written; nil: not at all.
	Homes flowcontrol.RateLimiter
	// Decide is rollout.Next where nil.
	Decide func(rollout.Input) rollout.Output
	// Kick asks for a pass.
	Kick func()
}

// NewReconciler returns a Reconciler with an empty memory, on a Calico that serves
// all kinds in projectcalico.org/v3 and describes BGPFilters in full.
func NewReconciler(w World) *Reconciler {
	described := &filterSchema{group: calico.GroupV3, now: w.Now, read: w.Now(), url: "simulated"}
	agents := newAgentWatch(w.Cached, w.Live, w.Kick)
	return &Reconciler{
		Cached: w.Cached, Live: w.Live, Writer: w.Writer, Recorder: w.Recorder, Log: w.Log, Now: w.Now,
		Decide:    Options{Decide: w.Decide}.decide,
		Kinds:     Kinds{Filters: true, Statuses: true, Information: true},
		Homes:     w.Homes,
		TagFilter: &tagFilter{schema: described, agents: agents},
		// Whoever simulates calls its Round.
		Vitals: newVitalWatch(w.Cached, w.Live, agents, w.Now, w.Kick, w.Log),
	}
}

// Trim returns what the controller's cache keeps of an object. It may change it.
func Trim(object client.Object) client.Object {
	transform := trimMetadata
	switch object.(type) {
	case *corev1.Node:
		transform = trimNode
	case *corev1.Pod:
		transform = trimPod
	case *calico.CalicoNodeStatus:
		transform = trimStatus
	}
	trimmed, err := transform(object)
	if kept, ok := trimmed.(client.Object); ok && err == nil {
		return kept
	}
	return object
}

// Wakes tells whether a change of an object in the cache asks for a pass. before is
// nil when it appears, after when it goes.
func Wakes(before, after client.Object) bool {
	object := after
	if after == nil {
		object = before
	}
	if before == nil || after == nil {
		return isWatched(object)
	}
	update := event.UpdateEvent{ObjectOld: before, ObjectNew: after}
	if _, policy := object.(*v1alpha1.RouteReflectorAutoscaler); policy {
		return policyChanged().Update(update)
	}
	return isWatched(object) && changed().Update(update)
}

func isWatched(object client.Object) bool {
	switch object.(type) {
	case *v1alpha1.RouteReflectorAutoscaler, *corev1.Node, *calico.BGPPeer, *calico.BGPConfiguration,
		*calico.BGPFilter, *calico.CalicoNodeStatus, *calico.ClusterInformation:
		return true
	}
	return false
}
