package controller

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// changed drops updates in which nothing that the cache keeps has changed: a
// node's heartbeat ends here.
func changed() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, okBefore := e.ObjectOld.DeepCopyObject().(client.Object)
		after, okAfter := e.ObjectNew.DeepCopyObject().(client.Object)
		if !okBefore || !okAfter {
			return true
		}
		before.SetResourceVersion("")
		after.SetResourceVersion("")
		return !equality.Semantic.DeepEqual(before, after)
	}}
}

// policyChanged drops updates of the RouteReflectorAutoscaler's status alone:
// only Tapetum writes it.
func policyChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld, e.ObjectNew
		return before.GetUID() != after.GetUID() ||
			before.GetGeneration() != after.GetGeneration() ||
			before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero() ||
			!slices.Equal(before.GetFinalizers(), after.GetFinalizers()) ||
			!maps.Equal(before.GetAnnotations(), after.GetAnnotations())
	}}
}
