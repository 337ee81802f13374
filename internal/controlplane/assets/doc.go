// Package assets says which kube-apiserver and etcd the tests and the demo run
// on, and where on this machine they are.
//
// The binaries are built by tools/assets from the nested module
// tools/controlplane and kept outside the tree, in a folder named after their
// versions. This package must not know how they are built or run, and imports
// nothing but the standard library, so that the builder compiles in a second.
package assets
