// Package e2e measures what Tapetum costs the routes of a cluster that is as real
// as one machine can have it: a kernel namespace, a BIRD 1.6 and a routing table a
// node, a real kube-apiserver, the real controller as a process of its own. Only
// what calico-node and kubelet do is played (internal/lab/birdconf and here).
//
// What is lost is read from the kernels, by the messages with which they announce
// every change of a route. Nothing of the machine's own network is touched, and
// nothing is left behind, however the process ends. Linux only; root or user
// namespaces are needed.
package e2e
