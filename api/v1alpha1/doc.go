// Package v1alpha1 holds the one resource of Tapetum, RouteReflectorAutoscaler:
// what a user may ask for, and what Tapetum reports back.
//
// It holds types, defaults and names only. Decisions live in internal/.
//
// +kubebuilder:object:generate=true
// +groupName=tapetum.dev
package v1alpha1
