// Package calico holds Calico's resources as far as Tapetum reads or writes
// them, and what their fields mean when they are unset.
//
// Calico serves them in one of two API groups, projectcalico.org/v3 or
// crd.projectcalico.org/v1, with the same specifications. The types here do not
// know which: the scheme decides at start (NewScheme). Pure: no clients. It must
// not know topologies either, or the oracle in internal/bgp, which reads these
// types, could repeat a mistake of the planner.
//
// +kubebuilder:object:generate=true
package calico
