// Package lab runs a Calico cluster on this machine: a real kube-apiserver with
// etcd, and simulated nodes that behave as kubelet and calico-node do towards the
// API: they register, report their health, derive their BGP sessions from what
// the API says, and answer CalicoNodeStatus.
//
// It must not know what Tapetum plans: the controller meets it through the API
// only. What the sessions and routes do is internal/lab/fabric's business.
package lab
