// Package controlplane runs a real etcd and kube-apiserver on loopback, for the
// lab and for tests. There are no controllers, no scheduler and no kubelets:
// what is in the API is what somebody put there.
//
// It must not know Tapetum's own types, so that anything can be tested on it.
//
// It does by hand what controller-runtime's envtest does, because envtest's
// processes outlive a killed parent, its API server cannot come back after a
// stop with the same port, certificates and users, and it serves etcd without
// authentication to everybody on the machine.
package controlplane
