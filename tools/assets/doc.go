// Command assets builds the kube-apiserver and etcd that the tests and the demo
// run on, once, into a folder outside the tree that is named after their
// versions (internal/controlplane/assets). It needs Go and a module proxy.
//
// It must not know how they are run.
package main
