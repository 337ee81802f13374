// Package standin plays, at a real API server, what clusters that are built here
// lack: the parts of kubelet, the node lifecycle controller and calico-node that
// write to the API; and it admits the controller and reads its log.
//
// It must not know how routes come to be: whether they are simulated (internal/lab)
// or those of kernels (internal/e2e), what calico-node reports is passed in.
package standin
